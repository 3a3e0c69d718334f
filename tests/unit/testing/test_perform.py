"""The harness runs what a job runs: real models in, checked bundles out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import railyard
from railyard import bundles
from railyard.compute.workflows.reporter import SilentReporter
from railyard.errors import ConfigurationError, Invalid
from railyard.testing.workflows import Performed, perform

CANCER = load_breast_cancer(as_frame=True).frame
IRIS = load_iris(as_frame=True).frame
DIABETES = load_diabetes(as_frame=True).frame
CHARGES = pd.DataFrame(
    {
        "amount": np.linspace(1, 100, 400),
        "country": pd.Series(["US", "CA", "FR", None] * 100),
        "is_fraud": (np.arange(400) % 7 < 3).astype(int),
    }
)


def fit_with(model: Any, frame: pd.DataFrame = CANCER) -> type[railyard.Workflow]:
    class Fits(railyard.Workflow):
        label = "target"
        features = tuple(name for name in frame.columns if name != "target")

        def train(self, training, holdout):
            return model.fit(training[self.features], training[self.label])

    return Fits


def report(done: Performed) -> dict[str, Any]:
    return json.loads((done.folder / "artifacts/evaluation/report.json").read_text())


@pytest.mark.parametrize(
    ("model", "form", "framework"),
    [
        (xgboost.XGBClassifier(n_estimators=20, max_depth=3, n_jobs=1), "xgboost_ubj", "xgboost"),
        (xgboost.XGBRFClassifier(n_estimators=20, max_depth=3, n_jobs=1), "xgboost_ubj", "xgboost"),
        (lightgbm.LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1), "lightgbm_txt", "lightgbm"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "cloudpickle", "scikit-learn"),
        (RandomForestClassifier(50, n_jobs=2, random_state=0), "cloudpickle", "scikit-learn"),
        (make_pipeline(StandardScaler(), LinearSVC()), "cloudpickle", "scikit-learn"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_a_binary_classifier_of_any_library_becomes_a_checked_model(model, form, framework):
    done = perform(fit_with(model), CANCER)
    assert done.manifest.task == "binary"
    assert done.metrics.holdout["auc"] > 0.95
    assert done.metrics.train["auc"] > 0.95
    assert (done.manifest.model.format, done.manifest.model.pickled) == (form, form == "cloudpickle")
    assert done.manifest.model.framework == framework
    assert type(done.model) is type(model)
    assert done.model.predict(CANCER[list(done.manifest.model.features)]).shape == (569,)


@pytest.mark.parametrize(
    ("model", "form"),
    [
        (xgboost.XGBClassifier(n_estimators=10, max_depth=3), "xgboost_ubj"),
        (lightgbm.LGBMClassifier(n_estimators=10, verbose=-1), "lightgbm_txt"),
        (LogisticRegression(max_iter=1000), "cloudpickle"),
    ],
    ids=["xgboost", "lightgbm", "sklearn"],
)
def test_a_multiclass_model_stores_a_score_for_every_class(model, form):
    done = perform(fit_with(model, IRIS), IRIS)
    stored = pq.read_table(done.folder / "artifacts/evaluation/holdout.parquet").to_pandas()
    by_class = stored[["score_0", "score_1", "score_2"]].to_numpy()
    assert done.manifest.task == "multiclass"
    assert done.manifest.model.format == form
    assert (stored["predicted"] == by_class.argmax(axis=1)).all()
    assert (stored["score"] == by_class.max(axis=1)).all()
    assert done.metrics.holdout["accuracy"] == (stored["predicted"] == stored["target"]).mean()
    assert bundles.read(done.folder / "artifacts/model").manifest.outputs[0].classes == (0, 1, 2)


def test_text_classes_of_lightgbm_survive_the_native_file():
    frame = IRIS.assign(target=IRIS["target"].map({0: "setosa", 1: "versicolor", 2: "virginica"}).astype(str))
    done = perform(fit_with(lightgbm.LGBMClassifier(n_estimators=5, verbose=-1), frame), frame)
    assert done.manifest.model.format == "lightgbm_txt"
    assert list(done.model.classes_) == ["setosa", "versicolor", "virginica"]
    assert set(done.model.predict(frame[list(done.manifest.model.features)])) == {"setosa", "versicolor", "virginica"}


@pytest.mark.parametrize(
    "model",
    [xgboost.XGBRegressor(n_estimators=20), lightgbm.LGBMRegressor(n_estimators=20, verbose=-1)],
    ids=["xgb", "lgb"],
)
def test_a_regression_is_told_from_its_label(model):
    done = perform(fit_with(model, DIABETES), DIABETES)
    assert done.manifest.task == "regression"
    assert done.metrics.holdout["rmse"] < 80
    assert done.manifest.model.pickled is False


def test_a_regressor_on_a_label_of_zeros_and_ones_is_judged_as_binary():
    done = perform(fit_with(xgboost.XGBRegressor(n_estimators=20, objective="reg:squarederror")), CANCER)
    assert done.manifest.task == "binary"
    assert done.metrics.holdout["auc"] > 0.95


class XgboostBooster(railyard.Workflow):
    label = "target"

    def train(self, training, holdout):
        data = xgboost.DMatrix(training.drop(columns="target"), training["target"])
        return xgboost.train({"objective": "binary:logistic", "max_depth": 3}, data, 20)


class LightgbmBooster(railyard.Workflow):
    label = "target"

    def train(self, training, holdout):
        data = lightgbm.Dataset(training.drop(columns="target"), training["target"])
        return lightgbm.train({"objective": "binary", "verbose": -1}, data, 20)


@pytest.mark.parametrize(("kind", "form"), [(XgboostBooster, "xgboost_ubj"), (LightgbmBooster, "lightgbm_txt")])
def test_bare_boosters_are_scored_and_saved_natively(kind, form):
    done = perform(kind, CANCER)
    assert done.manifest.model.format == form
    assert type(done.model).__name__ == "Booster"
    assert done.metrics.holdout["auc"] > 0.95


def test_early_stopping_and_missing_values_survive_the_native_file():
    class Early(railyard.Workflow):
        label = "target"

        def train(self, training, holdout):
            model = xgboost.XGBClassifier(n_estimators=200, early_stopping_rounds=3, missing=-1.0, eval_metric="auc")
            pick = [name for name in training.columns if name != "target"]
            model.fit(training[pick], training["target"], eval_set=[(holdout[pick], holdout["target"])], verbose=False)
            assert model.best_iteration < 199
            return model

    frame = CANCER.copy()
    frame.loc[::3, "mean radius"] = -1.0
    done = perform(Early, frame)
    assert done.manifest.model.format == "xgboost_ubj"
    assert done.model.missing == -1.0


def test_a_parameter_that_a_native_file_cannot_hold_is_pickled_and_says_so():
    def objective(label, raw):
        p = 1 / (1 + np.exp(-raw))
        return p - label, p * (1 - p)

    done = perform(fit_with(xgboost.XGBClassifier(n_estimators=5, objective=objective)), CANCER)
    assert done.manifest.model.format == "cloudpickle"
    assert any("its parameter objective is function" in text for text in done.manifest.warnings)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_categories_keep_their_codes_through_file_and_check(library):
    class Categories(railyard.Workflow):
        label = "is_fraud"
        features = ("amount", "country")

        def preprocess(self, df):
            known = pd.CategoricalDtype(["CA", "FR", "US"])
            return df.assign(country=df["country"].astype(known))

        def train(self, training, holdout):
            made = {
                "xgboost": lambda: xgboost.XGBClassifier(n_estimators=5, enable_categorical=True),
                "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=5, verbose=-1),
            }
            return made[library]().fit(training[self.features], training[self.label])

    done = perform(Categories, CHARGES)
    assert done.manifest.model.pickled is False
    inputs = bundles.read(done.folder / "artifacts/model").manifest.inputs
    assert [(one.name, one.dtype, one.nullable) for one in inputs] == [
        ("amount", "float64", False),
        ("country", "category", True),
    ]


@dataclass
class Depth:
    max_depth: int = railyard.field(3, ge=1, le=10)


class Typed(railyard.Workflow[Depth]):
    label = "is_fraud"
    features = ("amount",)

    def train(self, training, holdout):
        assert isinstance(self.params, Depth)
        return xgboost.XGBClassifier(n_estimators=2, max_depth=self.params.max_depth).fit(
            training[self.features], training[self.label]
        )


def test_typed_parameters_reach_the_workflow():
    assert perform(Typed, CHARGES, custom_params={"max_depth": 5}).model.max_depth == 5


def test_the_request_wins_over_the_classes_defaults():
    class Asks(Typed):
        def train(self, training, holdout):
            assert (self.features, self.label) == (["amount", "country_code"], "late")
            return super().train(training, holdout)

    frame = CHARGES.assign(country_code=1, late=1 - CHARGES["is_fraud"])
    done = perform(Asks, frame, label="late", features=["amount", "country_code"])
    assert (done.manifest.model.label, done.manifest.model.features) == ("late", ("amount", "country_code"))


@pytest.mark.parametrize("data_format", ["pandas", "polars", "arrow"])
def test_frames_come_in_the_form_the_class_asks_for(data_format):
    class Formed(railyard.Workflow):
        label = "is_fraud"
        features = ("amount",)

        def preprocess(self, df):
            assert type(df).__module__.split(".")[0] == {"arrow": "pyarrow"}.get(data_format, data_format)
            return df

        def train(self, training, holdout):
            X, y = (
                training.select(self.features) if data_format != "pandas" else training[self.features],
                training["is_fraud"],
            )
            return LogisticRegression().fit(np.asarray(X.to_pandas() if data_format == "arrow" else X), np.asarray(y))

        def score(self, model, df):
            return model.predict_proba(np.asarray(df["amount"]).reshape(-1, 1))[:, 1]

    Formed.data_format = data_format
    assert perform(Formed, CHARGES).manifest.task == "binary"


def test_batches_are_walked_more_than_once_and_scored_one_by_one():
    walks = []

    class Streams(railyard.Workflow):
        data_format = "batches"
        label = "y"
        features = ("x",)
        derives = ("y",)

        def preprocess(self, df):
            assert isinstance(df, pa.RecordBatch)
            return df.append_column("y", pa.array(np.asarray(df["x"]) > 0.5))

        def train(self, training, holdout):
            for _ in range(2):
                walks.append(sum(batch.num_rows for batch in training))
            X = np.concatenate([np.asarray(batch["x"]) for batch in training]).reshape(-1, 1)
            y = np.concatenate([np.asarray(batch["y"].to_numpy(zero_copy_only=False)) for batch in training])
            return LogisticRegression().fit(X, y)

        def score(self, model, df):
            return model.predict_proba(np.asarray(df["x"]).reshape(-1, 1))[:, 1]

    done = perform(Streams, pl.DataFrame({"x": np.random.default_rng(0).random(200_000)}), holdout=0.5)
    assert len(set(walks)) == 1
    assert done.manifest.data.rows_holdout > 65_536
    assert done.metrics.holdout["n"] == done.manifest.data.rows_holdout
    stored = pq.read_table(done.folder / "artifacts/evaluation/holdout.parquet")
    assert stored.column_names == ["x", "y", "score"]
    assert stored.num_rows == done.manifest.data.rows_holdout


def test_metrics_of_a_large_training_rest_on_a_stated_sample():
    frame = pl.DataFrame({"x": np.random.default_rng(0).random(150_000)}).with_columns(
        y=pl.col("x").gt(0.5).cast(pl.Int64)
    )

    class Large(railyard.Workflow):
        label = "y"
        features = ("x",)

        def train(self, training, holdout):
            return LogisticRegression().fit(training[self.features], training["y"])

    done = perform(Large, frame, holdout=0.1)
    assert done.metrics.train["n"] == report(done)["train_rows_scored"] == 100_000


def test_a_forecast_without_label_and_features_is_legal():
    class Mean:
        def __init__(self, value: float) -> None:
            self.value = value

        def predict(self, X: Any) -> Any:
            return np.full(len(X), self.value)

    class Forecast(railyard.Workflow):
        def train(self, training, holdout):
            return Mean(training["amount"].mean())

        def evaluate(self, df, scores):
            return {"mae": np.abs(df["amount"] - scores).mean()}

    done = perform(Forecast, CHARGES)
    assert done.manifest.task == "none"
    assert done.metrics.holdout == {"mae": pytest.approx(25, abs=5)}
    assert done.manifest.model.label is None


def test_an_embedding_that_does_not_score_is_loaded_and_says_so():
    class Embedding(railyard.Workflow):
        def train(self, training, holdout):
            return {"US": [0.1, 0.2]}

        def evaluate(self, df, scores):
            assert scores is None
            return {"words": 1}

    done = perform(Embedding, CHARGES)
    assert done.model == {"US": [0.1, 0.2]}
    assert done.metrics.holdout == {"words": 1.0}
    assert any("only loaded it" in text for text in done.manifest.warnings)


def test_without_a_holdout_metrics_are_of_the_training_and_say_so():
    class NoHoldout(Typed):
        def train(self, training, holdout):
            assert holdout is None
            return super().train(training, holdout)

    done = perform(NoHoldout, CHARGES, holdout=None)
    assert done.metrics.holdout == {}
    assert "auc" in done.metrics.train
    assert any("no holdout" in text for text in done.manifest.warnings)


def test_model_and_eval_frame_and_train_result_are_welcome():
    class Pair(Typed):
        def train(self, training, holdout):
            return super().train(training, holdout), holdout.head(10)

    class Result(Typed):
        def train(self, training, holdout):
            model = super().train(training, holdout)
            return railyard.TrainResult(
                model=model, metrics={"trees": np.int64(2), "auc": 0.5}, extra={"note": ["é", 2**53 + 1]}
            )

    assert perform(Pair, CHARGES).metrics.holdout["n"] == 10
    done = perform(Result, CHARGES)
    assert (done.metrics.holdout["trees"], done.metrics.holdout["auc"]) == (2.0, 0.5)
    assert done.manifest.extra == {"note": ["é", 2**53 + 1]}
    assert any("auc is the workflow's own" in text for text in done.manifest.warnings)


def test_a_workflows_own_format_is_written_and_read_by_the_workflow():
    class Own(railyard.Workflow):
        label = "is_fraud"
        features = ("amount",)

        def train(self, training, holdout):
            return {"cut": float(training["amount"].median())}

        def score(self, model, df):
            return (df["amount"] > model["cut"]).astype(float)

        def serialize(self, model, folder):
            (folder / "parts").mkdir()
            (folder / "parts" / "cut.json").write_text(json.dumps(model))

        def deserialize(self, folder):
            return json.loads((folder / "parts" / "cut.json").read_text())

    done = perform(Own, CHARGES)
    assert (done.manifest.model.format, done.manifest.model.pickled) == ("custom", False)
    assert {one.path for one in done.manifest.artifacts if one.kind == "model"} == {
        "model/manifest.json",
        "model/parts/cut.json",
    }


def test_slices_and_thresholds_of_the_request_reach_the_report():
    request = {"evaluation": {"slices": ["country"], "thresholds": [0.3], "metrics": []}}

    class Drops(Typed):
        def preprocess(self, df):
            return df.drop(columns="country")

    done = perform(Drops, CHARGES, request=request)
    assert "precision@0.3" in done.metrics.holdout
    assert {entry["value"] for entry in report(done)["holdout"]["slices"]["country"]["values"]} == {
        "US",
        "CA",
        "FR",
        None,
    }


def test_a_column_of_the_data_called_score_is_kept_beside_ours():
    done = perform(Typed, CHARGES.assign(score=7.0))
    stored = pq.read_table(done.folder / "artifacts/evaluation/holdout.parquet").to_pandas()
    assert (stored["data.score"] == 7.0).all()
    assert (stored["score"] < 1.1).all()
    assert any("data.score" in text for text in done.manifest.warnings)


def test_the_manifest_lists_every_file_with_its_hash_and_the_steps_in_order():
    reporter = SilentReporter()
    done = perform(Typed, CHARGES, reporter=reporter)
    paths = {one.path for one in done.manifest.artifacts}
    assert paths == {"evaluation/holdout.parquet", "evaluation/report.json", "model/manifest.json", "model/model.ubj"}
    for one in done.manifest.artifacts:
        assert (done.folder / "artifacts" / one.path).stat().st_size == one.bytes
    assert [step.name for step in done.manifest.steps] == ["prepare", "fetch", "train", "evaluate", "save"]
    assert [name for name, seconds in reporter.steps if seconds is None] == [step.name for step in done.manifest.steps]
    assert bundles.check(done.folder / "artifacts/model").manifest.sha256 == done.manifest.model.manifest_sha256
    assert done.manifest.code.library_versions["numpy"] == np.__version__


def test_the_same_request_gives_the_same_model_bytes(tmp_path):
    class Random(Typed):
        def train(self, training, holdout):
            rows = training.sample(frac=0.5)  # numpy's global generator, which is seeded
            return super().train(rows, holdout)

    first, second = (perform(Random, CHARGES, folder=tmp_path / name).manifest for name in ("a", "b"))
    assert first.model.manifest_sha256 == second.model.manifest_sha256
    assert first.metrics == second.metrics


def test_a_path_of_a_parquet_file_is_read_in_place(tmp_path):
    CHARGES.to_parquet(tmp_path / "charges.parquet")
    assert perform(Typed, tmp_path / "charges.parquet", folder=tmp_path / "run").manifest.data.rows_read == 400


def test_the_request_of_a_test_is_checked_as_any_other():
    with pytest.raises(Invalid) as caught:
        perform(Typed, CHARGES, request={"data": {"filters": [{"feature_name": "amount", "predicate": "Over"}]}})
    assert caught.value.fields[0].path == "data.filters[0].predicate"


def test_something_that_is_no_frame_is_refused():
    with pytest.raises(ConfigurationError, match="got a dict"):
        perform(Typed, {"amount": [1]})
