"""How a fitted model is asked for its scores, unless the workflow says otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from railyard.compute.workflows.frames import columns_of, for_model, kind_of, select


class CannotScore(Exception):
    """The model has none of the methods that the default score asks for, or they answer in an unknown form."""


def default_score(model: Any, df: Any, features: list[str], label: str | None) -> NDArray[Any]:
    """Scores of n rows: (n,), or (n, k) by class.

    Asks for `predict_proba` (the positive class of two), then `decision_function`, then `predict`; XGBoost's and
    LightGBM's Booster by `predict`. Sees the columns in `features`, or all but the label where none are named. Raises
    CannotScore.
    """
    inputs = for_model(_inputs(df, features, label))
    library, name = type(model).__module__.split(".")[0], type(model).__name__
    if library == "xgboost" and name == "Booster":
        return _xgboost(model, inputs)
    if library == "lightgbm" and name in ("Booster", "CVBooster"):
        return np.asarray(model.predict(inputs))
    if hasattr(model, "predict_proba"):
        return _positive(model.predict_proba(inputs))
    for method in ("decision_function", "predict"):
        if hasattr(model, method):
            return np.asarray(getattr(model, method)(inputs))
    raise CannotScore(
        f"a {type(model).__module__}.{name} has no predict_proba, decision_function or predict; "
        "define score(self, model, df) in the workflow"
    )


def _inputs(df: Any, features: list[str], label: str | None) -> Any:
    if kind_of(df) == "other":
        return df
    there = columns_of(df)
    wanted = features or [name for name in there if name != label]
    missing = [name for name in wanted if name not in there]
    if missing:
        raise CannotScore(
            f"the frame has no column {', '.join(missing)} (it holds {', '.join(there)}); "
            "where preprocess replaces features, define score(self, model, df) in the workflow"
        )
    return select(df, wanted) if wanted != there else df


def _positive(scores: Any) -> NDArray[Any]:
    if isinstance(scores, list):
        raise CannotScore("the model predicts several labels at once; define score(self, model, df) to choose one")
    array = np.asarray(scores)
    return array[:, 1] if array.ndim == 2 and array.shape[1] == 2 else array


def _xgboost(model: Any, inputs: Any) -> NDArray[Any]:
    import xgboost

    names = model.feature_names
    if names and kind_of(inputs) != "other" and set(names) <= set(columns_of(inputs)):
        inputs = select(inputs, list(names))
    return np.asarray(model.predict(xgboost.DMatrix(inputs, feature_names=names, enable_categorical=True)))
