"""A native file gives back the fitted object, not merely its trees."""

from __future__ import annotations

import threading
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.datasets import load_breast_cancer, load_iris

from railyard.compute.training.formats import Loader, NotNative, load_native, save_native
from railyard.compute.training.libraries import framework_of

CANCER = load_breast_cancer(as_frame=True)
IRIS = load_iris(as_frame=True)


def round_trip(model: Any, folder: Any) -> Any:
    saved = save_native(model, folder)
    assert Loader.model_validate_json(saved.loader.model_dump_json()) == saved.loader
    return load_native(saved.format, saved.loader, folder)


def same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))


@pytest.mark.parametrize("data", [CANCER, IRIS], ids=["binary", "multiclass"])
def test_lightgbms_classifier_keeps_what_it_learned(tmp_path, data):
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1).fit(data.data, data.target)
    back = round_trip(model, tmp_path)
    for name in (
        "classes_",
        "n_classes_",
        "n_features_",
        "n_features_in_",
        "feature_name_",
        "feature_names_in_",
        "objective_",
    ):
        assert same(getattr(back, name), getattr(model, name)), name
    assert same(back.predict_proba(data.data), model.predict_proba(data.data))
    assert same(back.predict(data.data), model.predict(data.data))
    assert same(back.feature_importances_, model.feature_importances_)


@pytest.mark.parametrize("kind", [str, bool, np.int8, float])
def test_lightgbms_classes_keep_their_type(tmp_path, kind):
    label = CANCER.target.astype(kind)
    model = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(CANCER.data, label)
    back = round_trip(model, tmp_path)
    assert back.classes_.dtype == model.classes_.dtype
    assert same(back.predict(CANCER.data), model.predict(CANCER.data))


def test_lightgbm_stops_where_it_stopped(tmp_path):
    model = lightgbm.LGBMClassifier(n_estimators=300, verbose=-1)
    stop = lightgbm.early_stopping(2, verbose=False)
    model.fit(
        CANCER.data[:300], CANCER.target[:300], eval_X=CANCER.data[300:], eval_y=CANCER.target[300:], callbacks=[stop]
    )
    back = round_trip(model, tmp_path)
    assert 0 < model.best_iteration_ < 300
    assert back.best_iteration_ == model.best_iteration_
    assert same(back.predict_proba(CANCER.data), model.predict_proba(CANCER.data))


@pytest.mark.parametrize("data", [CANCER, IRIS], ids=["binary", "multiclass"])
def test_xgboosts_classifier_keeps_what_it_learned(tmp_path, data):
    model = xgboost.XGBClassifier(n_estimators=5, n_jobs=1, learning_rate=0.05).fit(data.data, data.target)
    back = round_trip(model, tmp_path)
    for name in ("classes_", "n_classes_", "n_features_in_", "feature_names_in_", "learning_rate", "n_estimators"):
        assert same(getattr(back, name), getattr(model, name)), name
    assert same(back.predict_proba(data.data), model.predict_proba(data.data))
    assert same(back.feature_importances_, model.feature_importances_)


def test_a_ranker_and_a_linear_booster_come_back(tmp_path):
    ranker = xgboost.XGBRanker(n_estimators=3).fit(CANCER.data, CANCER.target, qid=np.sort(np.arange(569) % 20))
    assert same(round_trip(ranker, tmp_path).predict(CANCER.data), ranker.predict(CANCER.data))


@pytest.mark.parametrize("library", [xgboost.XGBClassifier, lightgbm.LGBMClassifier])
def test_numpy_scalars_among_the_parameters_are_plain_numbers_in_the_manifest(tmp_path, library):
    model = library(n_estimators=np.int64(3), learning_rate=np.float64(0.1)).fit(CANCER.data, CANCER.target)
    assert save_native(model, tmp_path).loader.params["n_estimators"] == 3


def test_parameters_that_no_score_depends_on_do_not_stand_in_the_way(tmp_path):
    random = np.random.RandomState(0)
    model = xgboost.XGBClassifier(n_estimators=2, random_state=random, callbacks=[], eval_metric=lambda y, p: 0.0)
    assert save_native(model.fit(CANCER.data, CANCER.target), tmp_path).format == "xgboost_ubj"


class Mine(xgboost.XGBClassifier):
    pass


@pytest.mark.parametrize("model", [object(), Mine(), threading.Lock(), pd.DataFrame()])
def test_anything_else_has_no_native_format(tmp_path, model):
    with pytest.raises(NotNative, match="has no native format"):
        save_native(model, tmp_path)


@pytest.mark.parametrize("name", ["os.system", "xgboost.sklearn.os", "lightgbm.Booster", "subprocess.Popen"])
def test_a_loader_can_name_nothing_but_the_known_wrappers(tmp_path, name):
    with pytest.raises(NotNative, match="is no wrapper"):
        load_native("xgboost_ubj", Loader(kind="sklearn", file="model.ubj", class_name=name), tmp_path)


def test_a_framework_is_called_as_people_call_it():
    assert framework_of(xgboost.XGBClassifier())[0] == "xgboost"
    assert framework_of(Mine()) == ("xgboost", xgboost.__version__)
    assert framework_of(type("Own", (), {})())[0] == "python"
