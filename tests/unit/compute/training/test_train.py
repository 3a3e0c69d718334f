"""What a job does when the user's code, the label or the saved model does not hold; and the check in a real second process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import railyard
from railyard.compute.training import train, verify_saved
from railyard.compute.training.scoring import first_difference
from railyard.compute.workflows.reporter import SilentReporter
from railyard.errors import AttemptError
from railyard.spec.attempt import AttemptSpec, CodeRef, DataAccess, Limits, S3Access
from railyard.testing.workflows import perform
from railyard.validation import check_request

FRAME = pd.DataFrame({"x": np.linspace(0, 1, 80), "group": ["a", "b"] * 40, "y": [0, 1, 1, 0] * 20})


class Base(railyard.Workflow):
    label = "y"
    features = ("x",)

    def train(self, training, holdout):
        return LogisticRegression().fit(training[["x"]], training["y"] if "y" in training else training["x"] > 0.5)


def fails(kind: type[railyard.Workflow], frame: Any = FRAME, **given: Any) -> AttemptError:
    with pytest.raises(AttemptError) as caught:
        perform(kind, frame, **given)
    return caught.value


def returning(value: Any) -> type[railyard.Workflow]:
    return type("Returns", (Base,), {"train": lambda self, training, holdout: value})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "train must return the fitted model, .* it returned None"),
        ((None, FRAME), "train must return the fitted model"),
        ((1, 2, 3), r"train returned a tuple of 3; expected \(model, eval_frame\)"),
        (LogisticRegression, "it returned the class LogisticRegression"),
        (railyard.TrainResult(model=1, extra={"a": np.zeros(2)}), "extra must hold JSON values"),
        (railyard.TrainResult(model=1, extra={"a": float("nan")}), "extra must hold JSON values"),
        (object(), "has no predict_proba, decision_function or predict"),
    ],
)
def test_a_return_that_is_no_model_is_refused_with_what_came(value, message):
    error = fails(returning(value))
    assert error.code == "user_code"
    assert re.search(message, error.message)


def test_what_train_raises_is_told_with_file_line_and_the_users_frames():
    class Raises(Base):
        def train(self, training, holdout):
            return training["no_such_column"]

    error = fails(Raises)
    assert error.code == "user_code"
    assert error.report.step == "train"
    assert error.message.startswith("train raised: KeyError: 'no_such_column' (test_train.py:")
    assert error.message.endswith("in train)")
    assert "attempt.py" not in error.report.traceback
    assert 'training["no_such_column"]' in error.report.traceback
    assert "pandas" in error.report.traceback


@pytest.mark.parametrize("hook", ["preprocess", "train", "score", "evaluate", "serialize"])
def test_sys_exit_in_any_hook_ends_the_attempt_and_not_the_worker(hook):
    body = {hook: lambda self, *values: sys.exit("enough")}
    body |= {"deserialize": lambda self, folder: 1} if hook == "serialize" else {}
    error = fails(type("Exits", (Base,), body))
    assert (error.code, error.message.split(":")[0]) == ("user_code", f"{hook} called sys.exit")


def test_more_memory_than_there_is_is_out_of_memory():
    class Greedy(Base):
        def train(self, training, holdout):
            return np.zeros(2**62, dtype=np.int8)

    assert fails(Greedy).code == "out_of_memory"


def test_a_full_disk_is_nobodys_code():
    class Full(Base):
        def train(self, training, holdout):
            raise OSError(28, "No space left on device", "/scratch/x")

    error = fails(Full)
    assert (error.code, error.report.step) == ("disk_full", "train")


def test_a_constructor_and_a_parameter_class_may_fail_too():
    class Builds(Base):
        def __init__(self) -> None:
            raise ValueError("no")

    assert fails(Builds).message.startswith("the constructor raised: ValueError: no (test_train.py:")


def test_bad_parameters_are_the_users_and_name_every_key():
    from dataclasses import make_dataclass

    class Typed(railyard.Workflow[make_dataclass("P", [("depth", int)])]):  # type: ignore[misc]
        def train(self, training, holdout): ...

    error = fails(Typed, custom_params={"dept": 3})
    assert (error.code, error.report.step) == ("user_code", "prepare")
    assert "train.custom_params.dept: expected one of depth" in error.message
    assert "did you mean depth?" in error.message
    assert [one["path"] for one in error.report.evidence["fields"]] == [
        "train.custom_params.depth",
        "train.custom_params.dept",
    ]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0.0, 1.0, None, float("nan")] * 20, {"missing"}),
        ([0.0, 1.0, 2.0, float("inf")] * 20, {"infinite"}),
        ([None, float("-inf"), 1.0, 0.0] * 20, {"missing", "infinite"}),
    ],
)
def test_labels_that_are_missing_or_infinite_are_counted(labels, said):
    error = fails(Base, FRAME.assign(y=labels), holdout=None)
    assert (error.code, error.report.step) == ("bad_label", "fetch")
    assert all(word in error.message for word in said)
    assert error.report.evidence["rows"] == 80
    counted = {"missing": sum(value is None or value != value for value in labels)}
    counted["infinite"] = sum(value in (float("inf"), float("-inf")) for value in labels)
    assert {name: error.report.evidence[name] for name in counted} == counted


@pytest.mark.parametrize("value", [0, "yes", 1.5, True])
def test_a_label_with_one_value_has_nothing_to_learn(value):
    error = fails(Base, FRAME.assign(y=[value] * 80), holdout=None)
    assert error.code == "bad_label"
    assert error.report.evidence["values"] == {str(value): 80}


def holdout_of(values: list[Any]) -> dict[str, Any]:
    column = {"column": "group", "holdout_values": values}
    return {
        "data": {
            "holdout_sampling": {"sampling_function": "COLUMN", "column_sampling": column, "random_sampling": None}
        }
    }


def test_one_class_in_the_holdout_is_a_warning_and_its_metrics_are_null():
    frame = FRAME.assign(group=np.where(np.arange(80) < 60, "a", "b"), y=[0, 1] * 30 + [1] * 20)
    done = perform(Base, frame, request=holdout_of(["b"]))
    assert done.manifest.task == "binary"
    assert done.metrics.holdout["auc"] is None
    assert done.metrics.holdout["brier"] is not None
    assert any("every row has the label 1" in text for text in done.manifest.warnings)


def test_rows_of_the_holdout_without_a_label_are_left_out_with_a_warning():
    group = np.where(np.arange(80) < 60, "a", "b")
    frame = FRAME.assign(group=group, y=[0.0, 1.0] * 30 + [0.0, 1.0, None, None] * 5)
    done = perform(Base, frame, request=holdout_of(["b"]))
    assert done.metrics.holdout["n"] == 10
    assert any("10 of 20 rows have no label" in text for text in done.manifest.warnings)


def test_missing_labels_of_a_stream_are_found_before_the_training():
    class Streams(Base):
        data_format = "batches"

        def train(self, training, holdout):
            raise AssertionError("must not be reached")

    error = fails(Streams, FRAME.assign(y=[0.0, None] * 40), holdout=None)
    assert (error.code, error.report.evidence["missing"]) == ("bad_label", 40)


def test_a_stream_that_begins_with_one_class_is_no_bad_label():
    class Streams(Base):
        data_format = "batches"

        def train(self, training, holdout):
            frame = pd.concat([batch.to_pandas() for batch in training])
            return super().train(frame, None)

    assert perform(Streams, FRAME.sort_values("y"), holdout=None).manifest.task == "binary"


@pytest.mark.parametrize("data_format", ["pandas", "polars"])
def test_what_a_hook_does_to_its_frame_changes_no_evaluation(data_format: str):
    class Tidies(Base):
        def train(self, training, holdout):
            if self.data_format == "pandas":
                label = training.pop("y")
                holdout["y"] = 0
                training.loc[:, "x"] = training["x"] * 1.0
            else:
                label = training.drop_in_place("y")
                holdout.drop_in_place("x")
            return LogisticRegression().fit(training[self.features], label)

        def score(self, model, df):
            if self.data_format == "pandas":
                df["y"] = 1
            return super().score(model, df)

    Tidies.data_format = data_format
    done, plain = perform(Tidies, FRAME), perform(Base, FRAME)
    assert done.metrics == plain.metrics


def test_two_numbers_that_are_no_classes_stay_a_quantity():
    class Regresses(Base):
        def train(self, training, holdout):
            return LinearRegression().fit(training[self.features], training[self.label])

    assert perform(Regresses, FRAME.assign(y=FRAME["y"] * 1.5 + 0.5)).manifest.task == "regression"
    assert perform(Base, FRAME.assign(y=FRAME["y"] + 1)).manifest.task == "binary"


def test_a_fetch_of_the_workflows_own_may_read_something_else():
    class Fetches(Base):
        def fetch(self, reader):
            return FRAME[:60], FRAME[60:]

    done = perform(Fetches, FRAME)
    assert done.metrics.holdout["n"] == 20
    assert done.manifest.warnings[0].startswith("fetch handed over 60 training and 20 holdout rows; the counts")
    nowhere = {"data": {"features": [{"names": ["x"], "source": "file", "path": "/no/such/file.parquet"}]}}
    assert perform(Fetches, FRAME, request=nowhere).manifest.data is None


def test_a_fetch_that_hands_over_what_is_counted_has_nothing_to_say():
    class Fetches(Base):
        def fetch(self, reader):
            found = reader.fetch()
            return found.training.to_pandas(), found.holdout.to_pandas()

    assert not [text for text in perform(Fetches, FRAME).manifest.warnings if "fetch" in text]


def test_a_holdout_of_another_kind_is_welcome_without_a_label():
    class Texts(railyard.Workflow):
        def fetch(self, reader):
            return ["a b", "c"], ["d e f", "g"]

        def train(self, training, holdout):
            return {"most": max(map(len, training))}

        def score(self, model, df):
            return [len(text) / model["most"] for text in df]

        def evaluate(self, df, scores):
            return {"longest": scores.max()}

    done = perform(Texts, FRAME)
    assert done.metrics.holdout == {"longest": pytest.approx(5 / 3)}
    assert done.manifest.task == "none"


def test_a_label_cannot_be_read_out_of_a_list():
    error = fails(type("L", (Base,), {"fetch": lambda self, reader: ([1, 2], None)}))
    assert "the label y cannot be read out of the training split, a builtins.list" in error.message


def test_a_label_that_is_not_there_after_preprocess_names_the_nearest():
    class Renames(Base):
        def preprocess(self, df):
            return df.rename(columns={"y": "yy"})

    error = fails(Renames)
    assert "has no label column y after preprocess; it holds x, group, yy" in error.message
    assert error.mend == "did you mean yy?" or "preprocess" in error.mend


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (lambda df: np.zeros(len(df) - 1), "scores for .* rows; expected one score for each row"),
        (lambda df: None, "score must return one score for each row; it returned None"),
        (lambda df: 1.0, "score must return an array of shape"),
        (lambda df: np.zeros((len(df), 2, 2)), "score must return an array of shape"),
        (lambda df: np.full(len(df), np.nan), "are not finite numbers"),
        (lambda df: np.zeros(len(df), dtype="M8[s]"), "score must return an array of shape"),
        (lambda df: ["a"] * len(df), "other text|scores"),
        (lambda df: np.zeros((len(df), 5)), "classes|columns"),
    ],
)
def test_scores_that_do_not_fit_the_rows_are_refused(scores, message):
    error = fails(type("Scores", (Base,), {"score": lambda self, model, df: scores(df)}))
    assert (error.code, error.report.step) == ("user_code", "evaluate")
    assert re.search(message, error.message), error.message


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"a": "high"}, "'a' is 'high' (str)"),
        ({"a": np.zeros(3)}, "'a' is array([0., 0., 0.]) (ndarray)"),
        ({"a": True}, "'a' is True (bool)"),
        ({"a": None}, "'a' is None (NoneType)"),
        ({1: 2.0}, "1 is 2.0 (float)"),
        ([("a", 1)], "evaluate must return a dict of numbers by name"),
        (None, "evaluate must return a dict of numbers by name; it returned None"),
    ],
)
def test_metrics_that_are_no_numbers_are_refused(metrics, message):
    error = fails(type("Evaluates", (Base,), {"evaluate": lambda self, df, scores: metrics}))
    assert error.code == "user_code"
    assert message in error.message


def test_a_metric_that_is_not_finite_is_null_and_says_so():
    done = perform(type("E", (Base,), {"evaluate": lambda self, df, scores: {"gain": np.float32("inf")}}), FRAME)
    assert done.metrics.holdout["gain"] is None
    assert any("gain is inf" in text for text in done.manifest.warnings)


@pytest.mark.parametrize(
    ("hooks", "message"),
    [
        ({"preprocess": lambda self, df: None}, "preprocess must return a frame; it returned None"),
        ({"fetch": lambda self, reader: None}, "fetch must return two splits"),
        ({"fetch": lambda self, reader: reader.fetch()}, "fetch must return two splits"),
        ({"serialize": lambda self, model, folder: None}, "defines serialize without deserialize"),
        ({"score": lambda self, model, df: 1 / 0}, "score raised: ZeroDivisionError"),
    ],
)
def test_hooks_that_break_their_contract_are_named(hooks, message):
    assert message in fails(type("Breaks", (Base,), hooks)).message


@pytest.mark.parametrize(("split", "reason"), [("a", "empty_train"), ("b", "empty_holdout")])
def test_a_split_that_preprocess_empties_ends_before_training(split, reason):
    class Empties(Base):
        def preprocess(self, df):
            return df[df["group"] != split] if split in set(df["group"]) else df

        def train(self, training, holdout):
            raise AssertionError("must not be reached")

    frame = FRAME.assign(group=np.where(np.arange(80) < 60, "a", "b"))
    error = fails(Empties, frame, request=holdout_of(["b"]))
    assert (error.code, error.report.step) == (reason, "fetch")


def test_what_the_reader_finds_passes_as_it_is():
    error = fails(Base, FRAME, features=["x", "z"])
    assert (error.code, error.report.step) == ("schema_mismatch", "fetch")


# --- saving -----------------------------------------------------------------------------------------------------------


class Locked(LinearRegression):
    def fit(self, X, y):
        super().fit(X, y)
        self.guard = threading.Lock()
        return self


def test_a_model_that_cannot_be_pickled_names_the_attribute_in_the_way():
    error = fails(type("L", (Base,), {"train": lambda self, t, h: Locked().fit(t[["x"]], t["y"])}))
    assert (error.code, error.report.step) == ("serialization", "save")
    assert "cannot be pickled (in its guard)" in error.message
    assert "serialize and deserialize" in error.mend


class Drifts(LinearRegression):
    def __setstate__(self, state):
        super().__setstate__(state)
        self.coef_ = self.coef_ + 1e-9


def test_a_model_that_comes_back_another_names_the_row_and_both_values():
    error = fails(type("D", (Base,), {"train": lambda self, t, h: Drifts().fit(t[["x"]], t["y"])}))
    assert error.code == "serialization"
    assert "row 0 was 0." in error.message or "row 1 was" in error.message
    assert set(error.report.evidence) == {"row", "rows", "before", "after"}


class Dice(LinearRegression):
    def predict(self, X):
        return np.random.default_rng().random(len(X))


def test_scores_that_are_drawn_are_told_from_scores_that_are_computed():
    error = fails(type("R", (Base,), {"train": lambda self, t, h: Dice().fit(t[["x"]], t["y"])}))
    assert error.code == "serialization"
    assert "score must not draw random numbers" in error.mend


def test_what_train_left_on_the_workflow_is_missing_in_the_second_process():
    class Leaves(Base):
        def train(self, training, holdout):
            self.shift = 0.25
            return super().train(training, holdout)

        def score(self, model, df):
            return np.clip(model.predict_proba(df[["x"]])[:, 1] - self.shift, 0, 1)

    error = fails(Leaves)
    assert error.code == "serialization"
    assert "no attribute 'shift'" in error.message
    assert "keep everything that score needs in the model" in error.mend


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda folder: None, "holds no model file"),
        (lambda folder: (folder / "m").symlink_to("/etc/passwd"), "a link or a special file"),
    ],
)
def test_files_that_make_no_bundle_are_refused(write, message):
    hooks = {"serialize": lambda self, model, folder: write(folder), "deserialize": lambda self, folder: 1}
    error = fails(type("Writes", (Base,), hooks))
    assert (error.code, message in error.message) == ("serialization", True)


def test_a_deserialize_that_returns_nothing_is_refused():
    hooks = {
        "serialize": lambda self, model, folder: (folder / "m").write_text(""),
        "deserialize": lambda self, folder: None,
    }
    assert "deserialize must return the model" in fails(type("Forgets", (Base,), hooks)).message


@pytest.mark.parametrize(
    ("a", "b", "row"),
    [
        ([1.0, float("nan")], [1.0, float("nan")], None),
        ([1.0, 2.0], [1.0, np.nextafter(2.0, 3.0)], 1),
        ([0.0], [-0.0], 0),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 5.0]], 1),
        (["a", "b"], ["a", "c"], 1),
    ],
)
def test_scores_are_compared_to_the_last_bit(a, b, row):
    assert first_difference(np.asarray(a), np.asarray(b)) == row


def test_scores_of_another_form_are_not_compared():
    with pytest.raises(ValueError, match="expected float64"):
        first_difference(np.zeros(2), np.zeros(2, dtype=np.float32))


# --- a whole attempt from a project folder, checked in a second process ----------------------------------------------

PROJECT = """
    import numpy as np
    import railyard
    from helpers.scaling import Scaled

    class Own:
        "A model class of the workflow's own file."
        def __init__(self, cut): self.cut = cut
        def predict(self, X): return (X["x"] > self.cut).astype(float)

    class Fraud(railyard.Workflow):
        def train(self, training, holdout):
            kind = self.params.kind
            if kind == "own":
                return Own(0.4)
            if kind == "helper":
                return Scaled(3.0)
            if kind == "global":
                global SHIFT
                SHIFT = 1.0
                return Own(0.4)
            raise RuntimeError(kind)

        def score(self, model, df):
            return np.asarray(model.predict(df[self.features]), dtype=float) + globals().get("SHIFT", 0.0)
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", list(sys.path))
    project = tmp_path / "project"
    (project / "workflows").mkdir(parents=True)
    (project / "helpers").mkdir()
    (project / "workflows" / "fraud.py").write_text(textwrap.dedent(PROJECT))
    (project / "helpers" / "scaling.py").write_text(
        "class Scaled:\n    def __init__(self, by): self.by = by\n    def predict(self, X): return X['x'] * self.by\n"
    )
    FRAME.to_parquet(tmp_path / "data.parquet")

    def make(kind: str) -> AttemptSpec:
        request = {
            "model_description": "d",
            "model_name": "fraud",
            "owner": "o",
            "project": "p",
            "trainer": "t",
            "data": {
                "features": [{"names": ["x"], "source": "file", "path": str(tmp_path / "data.parquet")}],
                "holdout_sampling": {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.25}},
            },
            "train": {
                "workflow_name": "Fraud",
                "label": "y",
                "classifier_features": ["x"],
                "custom_params": {"kind": kind},
            },
        }
        return AttemptSpec(
            name="j1-1",
            job_id="j1",
            number=1,
            request=check_request(request),
            seed=0,
            code=CodeRef(folder=str(project), code_id="c1", git_sha="abc"),
            data=DataAccess(s3=S3Access(access_key="AKIA", secret_key="top-secret")),
            limits=Limits(cpu=1, memory_bytes=2**30),
        )

    yield make
    for name in [name for name in sys.modules if name.startswith(("railyard_workflow_", "helpers"))]:
        del sys.modules[name]


def in_second_process(folder: Path) -> None:
    """What the runner's verifier does: a process that never trained."""
    program = (
        "import sys; from pathlib import Path\n"
        "from railyard.compute.training import verify_saved\n"
        "from railyard.errors import AttemptError\n"
        "try: verify_saved(Path(sys.argv[1]))\n"
        "except AttemptError as error: sys.exit(error.report.model_dump_json())\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        report = json.loads(done.stderr.strip().splitlines()[-1])
        raise AttemptError(report["code"], report["message"], mend=report["mend"], step=report["step"])


@pytest.mark.parametrize("kind", ["own", "helper"])
def test_models_of_the_projects_own_classes_come_back_in_a_second_process(spec, tmp_path, kind):
    manifest = train(spec(kind), tmp_path / "attempt", SilentReporter(), in_second_process)
    assert manifest.model.pickled
    assert manifest.code.code_id == "c1"
    assert manifest.workflow_name == "Fraud"
    assert manifest.data is not None
    assert manifest.data.rows_train + manifest.data.rows_holdout == 80


def test_globals_of_the_training_are_missing_in_a_second_process(spec, tmp_path):
    with pytest.raises(AttemptError, match="does not reproduce its scores: row 0") as caught:
        train(spec("global"), tmp_path / "attempt", SilentReporter(), in_second_process)
    assert (caught.value.code, caught.value.report.step) == ("serialization", "save")


def test_an_unknown_workflow_ends_the_first_step(spec, tmp_path):
    given = spec("own")
    other = given.request.train.model_copy(update={"workflow_name": "Frau"})
    given = given.model_copy(update={"request": given.request.model_copy(update={"train": other})})
    with pytest.raises(AttemptError, match="holds no workflow Frau; it holds Fraud") as caught:
        train(given, tmp_path / "attempt", SilentReporter(), verify_saved)
    assert caught.value.report.step == "prepare"


def test_no_secret_is_written_into_the_attempts_folder(spec, tmp_path):
    train(spec("own"), tmp_path / "attempt", SilentReporter(), verify_saved)
    for path in (tmp_path / "attempt").rglob("*"):
        assert not path.is_file() or b"top-secret" not in path.read_bytes()


@pytest.mark.parametrize("damage", ["model.pkl", "manifest.json"])
def test_a_model_that_was_damaged_after_saving_is_not_believed(spec, tmp_path, damage):
    def damaged(folder: Path) -> None:
        path = folder / "artifacts" / "model" / damage
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        verify_saved(folder)

    with pytest.raises(AttemptError, match=r"cannot be loaded in a new process: (model.pkl has sha256|the manifest)"):
        train(spec("own"), tmp_path / "attempt", SilentReporter(), damaged)


def test_what_verify_raises_ends_the_attempt(spec, tmp_path):
    def refuses(folder: Path) -> None:
        raise AttemptError("serialization", "the verifier was killed")

    with pytest.raises(AttemptError, match="the verifier was killed") as caught:
        train(spec("own"), tmp_path / "attempt", SilentReporter(), refuses)
    assert caught.value.report.step == "save"


def test_the_check_needs_nothing_but_the_folder(spec, tmp_path):
    train(spec("own"), tmp_path / "attempt", SilentReporter(), partial(verify_saved))
    (tmp_path / "data.parquet").unlink()
    verify_saved(tmp_path / "attempt")
