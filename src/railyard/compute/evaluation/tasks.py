"""What kind of problem a label poses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from railyard.compute.evaluation.columns import column
from railyard.compute.evaluation.scored import ClassName, Task

MOST_INTEGER_CLASSES = 50
"""An integer label with more distinct values than this is a quantity, not a set of classes."""


def task_of(label: Any) -> Task:
    """The task of a label column: `binary`, `multiclass`, `regression`, or `none` without a single label.

    Booleans, and numbers that are only 0 and 1, are binary; so are two distinct integers or texts (the greater is
    the positive one). More distinct texts are multiclass, more distinct integers up to 50 too; the rest is regression.
    Missing labels do not count.
    """
    if label is None:
        return "none"
    values, missing = column(label)
    return _of_values(values[~missing])


def refine(values: NDArray[Any], scores: NDArray[Any], classes: Sequence[ClassName] | None) -> Task:
    """The label's own task, corrected by what the shape of the scores and the model's classes say.

    `values` holds labels without missing ones. Whole numbers scored with fractions are a quantity after all.
    """
    if not len(values):
        return "none"
    if scores.ndim == 2 and scores.shape[1] > 2:
        return "multiclass"
    if classes is not None:
        return "binary" if len(classes) == 2 else "multiclass"
    task = _of_values(values)
    if task == "multiclass" and values.dtype.kind in "iu" and scores.ndim == 1 and scores.dtype.kind == "f":
        return "regression" if (scores != np.round(scores)).any() else task
    return task


def _of_values(values: NDArray[Any]) -> Task:
    kind = values.dtype.kind
    if not len(values):
        return "none"
    if kind == "b":
        return "binary"
    distinct = np.unique(values)
    if kind in "iuf" and np.isin(distinct, (0, 1)).all():
        return "binary"
    if kind == "f":
        return "regression"
    if len(distinct) == 2:
        return "binary"
    return "regression" if kind in "iu" and len(distinct) > MOST_INTEGER_CLASSES else "multiclass"
