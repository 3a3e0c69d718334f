"""What `train` handed back, in one form."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from railyard.compute.training.prepare import Prepared
from railyard.compute.training.splits import Splits
from railyard.compute.training.usercode import user_code, wrong_return
from railyard.compute.workflows.frames import own_copy
from railyard.compute.workflows.outcome import TrainResult
from railyard.errors import AttemptError
from railyard.spec.base import JsonObject

MOST_EXTRA_BYTES = 2**20


@dataclass(frozen=True)
class Fitted:
    model: Any
    eval_frame: Any
    """None unless the training brought an evaluation frame of its own."""
    metrics: dict[str, Any]
    extra: JsonObject


def fit(prepared: Prepared, splits: Splits) -> Fitted:
    """Runs the user's `train`. Raises AttemptError `user_code`: it raised, or returned what is no model."""
    with user_code("train", prepared.project):
        returned = prepared.workflow.train(own_copy(splits.training), own_copy(splits.holdout))
    result = _result(returned)
    if result.model is None:
        raise wrong_return("train", "the fitted model, (model, eval_frame) or a TrainResult", returned)
    if isinstance(result.model, type):
        raise AttemptError(
            "user_code",
            f"train must return a fitted model; it returned the class {result.model.__name__}",
            mend=f"return an instance: {result.model.__name__}(…)",
        )
    return Fitted(result.model, result.eval_frame, dict(result.metrics), _extra(result.extra))


def _result(returned: Any) -> TrainResult:
    if isinstance(returned, TrainResult):
        return returned
    if type(returned) is tuple:
        if len(returned) != 2:
            raise AttemptError("user_code", f"train returned a tuple of {len(returned)}; expected (model, eval_frame)")
        return TrainResult(model=returned[0], eval_frame=returned[1])
    return TrainResult(model=returned)


def _extra(given: Any) -> JsonObject:
    try:
        text = json.dumps(dict(given), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise AttemptError(
            "user_code",
            f"TrainResult.extra must hold JSON values by name: {error}",
            mend="convert arrays with .tolist()",
        ) from None
    if len(text) > MOST_EXTRA_BYTES:
        raise AttemptError(
            "user_code", f"TrainResult.extra has {len(text)} bytes of JSON; at most {MOST_EXTRA_BYTES} are kept"
        )
    kept: JsonObject = json.loads(text)
    return kept
