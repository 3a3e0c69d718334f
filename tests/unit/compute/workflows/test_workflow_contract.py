"""What a workflow is given and what its defaults do."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import railyard
from railyard.compute.workflows.context import Context
from railyard.compute.workflows.frames import (
    column_of,
    columns_of,
    dtypes_of,
    has_nulls,
    head,
    kind_of,
    rows_of,
    select,
    take,
    to_table,
)
from railyard.compute.workflows.reporter import SilentReporter
from railyard.compute.workflows.scoring import CannotScore, default_score
from railyard.compute.workflows.tracebacks import MOST_BYTES, said, shorten, user_line, user_traceback
from railyard.compute.workflows.workflow import overrides, params_class

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", None, "y"], "y": [0, 1, 0]})
FRAMES = {"pandas": FRAME, "polars": pl.from_pandas(FRAME), "arrow": pa.Table.from_pandas(FRAME, preserve_index=False)}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_of_every_library_are_treated_alike(kind):
    frame = FRAMES[kind]
    assert kind_of(frame) == kind
    assert rows_of(frame) == 3
    assert columns_of(frame) == ["a", "b", "y"]
    assert column_of(frame, "y").tolist() == [0, 1, 0]
    assert columns_of(select(frame, ["y", "a"])) == ["y", "a"]
    assert column_of(take(frame, np.asarray([2, 0])), "a").tolist() == [3.0, 1.0]
    assert rows_of(head(frame, 2)) == 2
    assert list(dtypes_of(frame)) == ["a", "b", "y"]
    assert [has_nulls(frame, name) for name in ("a", "b", "y")] == [False, True, False]
    assert to_table(frame).column("b").to_pylist() == ["x", None, "y"]


def test_a_column_that_arrow_cannot_type_is_written_as_text():
    mixed = pd.DataFrame({"m": pd.Series([1, "a", None], dtype=object)})
    assert to_table(mixed).column("m").to_pylist() == ["1", "a", None]


class Proba:
    def predict_proba(self, X: Any) -> Any:
        assert list(X.columns) == ["a"]
        return np.stack([1 - X["a"] / 4, X["a"] / 4], axis=1)


class Decision:
    def decision_function(self, X: Any) -> Any:
        return X["a"] - 2

    def predict(self, X: Any) -> Any:
        raise AssertionError("decision_function comes first")


class Predict:
    def predict(self, X: Any) -> Any:
        return list(X["a"])


@pytest.mark.parametrize(
    ("model", "expected"),
    [(Proba(), [0.25, 0.5, 0.75]), (Decision(), [-1.0, 0.0, 1.0]), (Predict(), [1.0, 2.0, 3.0])],
)
def test_the_default_score_asks_for_the_best_the_model_has(model, expected):
    assert default_score(model, FRAME, ["a"], "y").tolist() == expected


def test_without_features_the_model_sees_everything_but_the_label():
    class Sees:
        def predict(self, X: Any) -> Any:
            assert list(X.columns) == ["a", "b"]
            return [0] * len(X)

    assert len(default_score(Sees(), FRAME, [], "y")) == 3


@pytest.mark.parametrize(
    ("model", "features", "message"),
    [
        (object(), ["a"], "has no predict_proba, decision_function or predict"),
        (Predict(), ["a", "c"], r"no column c \(it holds a, b, y\)"),
    ],
)
def test_a_model_that_cannot_be_asked_says_why(model, features, message):
    with pytest.raises(CannotScore, match=message):
        default_score(model, FRAME, features, "y")


class Deaf:
    def metric(self, *values: Any) -> None:
        raise ConnectionError("the pipe is gone")

    def progress(self, fraction: float) -> None:
        raise ConnectionError("the pipe is gone")


@pytest.mark.parametrize("value", [None, "high", [1, 2], object()])
def test_a_metric_that_is_no_number_is_dropped_with_one_warning(tmp_path, caplog, value):
    reporter = SilentReporter()
    context = Context(job_id="j1", scratch=tmp_path, seed=0, reporter=reporter)
    for _ in range(3):
        context.log_metric("loss", value)
    assert reporter.metrics == []
    assert len(caplog.records) == 1


def test_a_metric_may_be_anything_with_a_number_in_it(tmp_path):
    reporter = SilentReporter()
    context = Context(job_id="j1", scratch=tmp_path, seed=0, reporter=reporter)
    context.log_metric("loss", np.float32(0.5), step=np.int64(3))
    context.log_metric("loss", math.nan)
    assert reporter.metrics[0] == ("loss", 0.5, 3)
    assert math.isnan(reporter.metrics[1][1])


def test_a_reporter_that_fails_never_reaches_the_training(tmp_path, caplog):
    context = Context(job_id="j1", scratch=tmp_path, seed=0, reporter=Deaf())  # type: ignore[arg-type]
    context.log_metric("loss", 0.1)
    context.progress(0.5)
    context.progress("half")  # type: ignore[arg-type]
    assert all("the pipe is gone" in record.getMessage() or "half" in record.getMessage() for record in caplog.records)


def test_the_logger_writes_info_to_stderr_where_nobody_configured_logging(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging.getLogger("railyard.workflow"), "handlers", [])
    Context(job_id="j1", scratch=tmp_path, seed=0, reporter=SilentReporter()).logger.info("fitted %s trees", 3)
    assert capfd.readouterr().err == "INFO fitted 3 trees\n"


def test_the_parameter_class_is_found_through_generic_bases():
    @dataclass
    class Params:
        depth: int = 1

    T = TypeVar("T")

    class Plain(railyard.Workflow):
        def train(self, training, holdout): ...

    class Base(railyard.Workflow[T]):
        def train(self, training, holdout): ...

    class Heir(Base[Params]): ...

    class Grandchild(Heir): ...

    assert params_class(Plain) is None
    assert params_class(Base) is None
    assert params_class(Heir) is Params
    assert params_class(Grandchild) is Params
    assert (overrides(Plain, "train"), overrides(Plain, "score")) == (True, False)


def test_train_is_the_only_abstract_hook():
    assert railyard.Workflow.__abstractmethods__ == {"train"}


def test_a_traceback_holds_the_users_frames_and_what_lies_beyond(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("import json\ndef load():\n    json.loads('{')\n")
    scope: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), scope)
    try:
        scope["load"]()
    except ValueError as error:
        text, line = user_traceback(error, tmp_path), user_line(error, tmp_path)
    assert line == "mine.py:3 in load"
    assert "test_workflow_contract" not in text
    assert "mine.py" in text
    assert "decoder.py" in text


def test_an_exception_that_cannot_be_shown_is_still_told(tmp_path):
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert said(Mute()) == "Mute"
    assert "Mute" in user_traceback(Mute(), tmp_path)


def test_a_long_traceback_keeps_both_ends_within_its_limit():
    text = "begin" + "é" * 200_000 + "end"
    short = shorten(text)
    assert len(short.encode()) <= MOST_BYTES
    assert short.startswith("begin")
    assert short.endswith("end")
