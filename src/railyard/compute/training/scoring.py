"""Asks the workflow for scores and makes sure that they belong to the rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from railyard.compute.training.prepare import Prepared
from railyard.compute.training.usercode import user_code, wrong_return
from railyard.compute.workflows.frames import own_copy, rows_of
from railyard.compute.workflows.scoring import CannotScore
from railyard.compute.workflows.workflow import overrides
from railyard.errors import AttemptError


def score_frame(prepared: Prepared, model: Any, frame: Any) -> NDArray[Any] | None:
    """The scores of one frame of n rows: (n,) or (n, k).

    None where the model cannot score, the workflow has no score of its own and there is no label: a forecast or an
    embedding need not. Raises AttemptError `user_code`.
    """
    workflow = prepared.workflow
    with user_code("score", prepared.project):
        try:
            scores = workflow.score(model, own_copy(frame))
        except CannotScore as error:
            if workflow.label is None and not overrides(type(workflow), "score"):
                return None
            raise AttemptError("user_code", str(error)) from None
        if scores is None:
            raise wrong_return("score", "one score for each row", scores)
        array = np.asarray(scores)
    rows = rows_of(frame)
    if array.ndim not in (1, 2) or array.dtype.kind not in "biufUO":
        raise wrong_return("score", "an array of shape (rows,) or (rows, classes)", scores)
    if rows is not None and len(array) != rows:
        raise AttemptError(
            "user_code",
            f"score returned {len(array)} scores for {rows} rows; expected one score for each row, in their order",
            mend="score every row of the frame it is given, also those that training leaves out",
        )
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for BLAS, OpenMP and joblib: sums of floats have one order then, in every process."""
    from threadpoolctl import threadpool_limits

    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))
        if "joblib" in sys.modules:
            stack.enter_context(sys.modules["joblib"].parallel_config(backend="sequential"))
        yield


def first_difference(expected: NDArray[Any], got: NDArray[Any]) -> int | None:
    """The first row in which two score arrays differ in any bit (NaN equals NaN); None where they are the same.

    Raises ValueError where shape or dtype differ.
    """
    if expected.shape != got.shape or expected.dtype != got.dtype:
        raise ValueError(f"expected {expected.dtype}{expected.shape}, got {got.dtype}{got.shape}")
    if expected.dtype.kind == "O":
        same = np.asarray(
            [a == b or (a != a and b != b) for a, b in zip(expected.ravel(), got.ravel(), strict=True)], dtype=bool
        )
        same = same.reshape(expected.shape)
    else:
        same = expected == got
        if expected.dtype.kind == "f":
            # 0.0 and -0.0 are equal but not the same bits; NaN is the other way round.
            same = (same & (np.signbit(expected) == np.signbit(got))) | (np.isnan(expected) & np.isnan(got))
    rows = same.all(axis=1) if same.ndim == 2 else same
    different = np.flatnonzero(~rows)
    return int(different[0]) if len(different) else None
