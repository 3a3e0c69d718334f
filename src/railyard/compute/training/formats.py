"""Native model files: XGBoost's .ubj and LightGBM's .txt, and the way back from them to the fitted object."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from railyard.bundles.manifest import Engine, Loader, ModelFormat

_XGBOOST_FILE = "model.ubj"
_LIGHTGBM_FILE = "model.txt"
_XGBOOST_WRAPPERS = frozenset({"XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor"})
_LIGHTGBM_WRAPPERS = frozenset({"LGBMClassifier", "LGBMRegressor", "LGBMRanker"})

_NOT_FOR_SCORES = frozenset(
    {"callbacks", "eval_metric", "random_state", "importance_type", "verbosity", "early_stopping_rounds"}
)
"""Parameters of a wrapper that never change a score; they are often objects that JSON cannot hold."""

_LIGHTGBM_DERIVED = frozenset(
    {"_Booster", "_le", "_classes", "_class_map", "_class_weight", "_evals_result", "_best_score"}
)
"""Fitted attributes of LightGBM's wrappers that are made again from Booster and classes, or that no score needs."""


class NotNative(Exception):
    """The model has no native format that would hold all of it; the message says what would be lost."""


@dataclass(frozen=True)
class Saved:
    """How a model was written."""

    format: ModelFormat
    loader: Loader
    engines: tuple[Engine, ...]
    objective: str | None = None

    @property
    def pickled(self) -> bool:
        return self.format == "cloudpickle"


def save_native(model: Any, folder: Path) -> Saved:
    """Writes the model's native file into `folder`. Raises NotNative, and whatever the library raises."""
    kind = type(model)
    library, name = kind.__module__.split(".")[0], kind.__name__
    if library == "xgboost" and name == "Booster":
        model.save_model(folder / _XGBOOST_FILE)
        return Saved(
            "xgboost_ubj", Loader(kind="booster", file=_XGBOOST_FILE), ("xgboost_ubj",), _objective_of_xgboost(model)
        )
    if library == "xgboost" and name in _XGBOOST_WRAPPERS:
        return _save_xgboost_wrapper(model, folder)
    if library == "lightgbm" and name == "Booster":
        model.save_model(folder / _LIGHTGBM_FILE)
        return Saved("lightgbm_txt", Loader(kind="booster", file=_LIGHTGBM_FILE), ("lightgbm_txt",))
    if library == "lightgbm" and name in _LIGHTGBM_WRAPPERS:
        return _save_lightgbm_wrapper(model, folder)
    raise NotNative(f"{kind.__module__}.{name} has no native format")


def load_native(saved_as: ModelFormat, loader: Loader, folder: Path) -> Any:
    """The fitted object of a native file. Raises whatever the library raises."""
    path = folder / str(loader.file)
    if saved_as == "xgboost_ubj":
        import xgboost

        if loader.kind == "booster":
            return xgboost.Booster(model_file=path)
        model = _wrapper(loader)
        model.load_model(path)
        return model
    import lightgbm

    booster = lightgbm.Booster(model_file=path)
    return booster if loader.kind == "booster" else _load_lightgbm_wrapper(loader, booster)


def _wrapper(loader: Loader) -> Any:
    module, _, name = str(loader.class_name).rpartition(".")
    if module.split(".")[0] not in ("xgboost", "lightgbm") or name not in _XGBOOST_WRAPPERS | _LIGHTGBM_WRAPPERS:
        raise NotNative(f"{loader.class_name} is no wrapper that a native file can be loaded into")
    return getattr(importlib.import_module(module), name)(**loader.params)


def _save_xgboost_wrapper(model: Any, folder: Path) -> Saved:
    # XGBoost keeps `missing` outside the file; NaN, its default, has no JSON form and needs none.
    params = _plain_params(
        model, lambda name, value: name == "missing" and isinstance(value, float) and math.isnan(value)
    )
    model.save_model(folder / _XGBOOST_FILE)
    loader = Loader(kind="sklearn", file=_XGBOOST_FILE, class_name=_class_name(model), params=params)
    return Saved("xgboost_ubj", loader, ("xgboost_ubj",), _objective_of_xgboost(model.get_booster()))


def _save_lightgbm_wrapper(model: Any, folder: Path) -> Saved:
    params = _plain_params(model, lambda name, value: False)
    model.booster_.save_model(folder / _LIGHTGBM_FILE)
    chosen = model.get_params()
    state = {
        name: value
        for name, value in vars(model).items()
        if name not in _LIGHTGBM_DERIVED and name not in chosen and value is not None and _is_plain(value)
    }
    if getattr(model, "_classes", None) is not None:
        classes = np.asarray(model._classes)
        if classes.dtype.kind not in "biufU" and not all(isinstance(value, str) for value in classes.tolist()):
            raise NotNative(f"its classes are {classes.dtype} objects")
        state |= {"classes": classes.tolist(), "classes_dtype": classes.dtype.str}
    loader = Loader(kind="sklearn", file=_LIGHTGBM_FILE, class_name=_class_name(model), params=params, state=state)
    return Saved(
        "lightgbm_txt", loader, ("lightgbm_txt",), model.objective_ if isinstance(model.objective_, str) else None
    )


def _load_lightgbm_wrapper(loader: Loader, booster: Any) -> Any:
    from sklearn.preprocessing import LabelEncoder

    model = _wrapper(loader)
    state = dict(loader.state)
    classes, dtype = state.pop("classes", None), state.pop("classes_dtype", None)
    vars(model).update(state)
    model._Booster = booster
    model.fitted_ = True
    if classes is not None:
        model._le = LabelEncoder().fit(np.asarray(classes, dtype=np.dtype(str(dtype))))
        model._classes = model._le.classes_
        model._class_map = {name: place for place, name in enumerate(model._classes)}
    return model


def _plain_params(model: Any, may_go: Callable[[str, Any], bool]) -> dict[str, Any]:
    """The wrapper's set parameters as JSON. Raises NotNative where one that scores may depend on has no JSON form."""
    found = {}
    for name, value in model.get_params().items():
        if value is None or name in _NOT_FOR_SCORES or may_go(name, value):
            continue
        own = value.item() if isinstance(value, np.generic) else value
        if not _is_plain(own):
            raise NotNative(f"its parameter {name} is {type(value).__name__}, which a native file cannot hold")
        found[name] = own
    return found


def _is_plain(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError, RecursionError):
        return False


def _class_name(model: Any) -> str:
    return f"{type(model).__module__}.{type(model).__name__}"


def _objective_of_xgboost(booster: Any) -> str | None:
    try:
        name = json.loads(booster.save_config())["learner"]["objective"]["name"]
    except (KeyError, TypeError, ValueError):
        return None
    return str(name)
