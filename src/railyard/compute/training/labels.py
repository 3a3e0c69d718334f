"""Looks at the label before anything is fitted: a model of a broken label costs hours and says nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from railyard.compute.evaluation.columns import column
from railyard.compute.training.splits import MOST_TRAINING_ROWS_SCORED, chunks, sample
from railyard.compute.workflows.batches import Batches
from railyard.compute.workflows.frames import column_of, columns_of, kind_of
from railyard.errors import AttemptError, nearest


def label_of(split: Any, label: str, what: str) -> NDArray[Any]:
    """The label of every row of a split, as its library has it.

    Raises AttemptError `user_code` where the split has no such column.
    """
    parts = []
    for frame in chunks(split):
        there = columns_of(frame)
        if label not in there:
            raise _no_label(frame, label, there, what)
        parts.append(column_of(frame, label))
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def first_labels(training: Any, label: str) -> NDArray[Any]:
    """The labels to look at before a training: all of a frame's, the first ones of a stream's."""
    return label_of(
        sample(training, MOST_TRAINING_ROWS_SCORED, 0) if isinstance(training, Batches) else training,
        label,
        "the training split",
    )


def check_training_label(values: NDArray[Any], label: str, *, whole: bool = True) -> None:
    """Refuses missing or infinite labels, and a label with one value only.

    Raises AttemptError `bad_label` with the counts.

    With `whole=False` the values are the beginning of a stream, which may be sorted: one value says nothing then.
    """
    if values.dtype.kind in "mM":
        raise AttemptError(
            "bad_label",
            f"the label {label} holds dates or durations; expected numbers, booleans or texts",
            mend="derive a number from it in preprocess, and name that column in derives",
            evidence={"label": label, "type": str(values.dtype)},
        )
    array, missing = column(values)
    infinite = ~missing & np.isinf(array) if array.dtype.kind == "f" else np.zeros(len(array), dtype=bool)
    bad = int(missing.sum() + infinite.sum())
    if bad:
        counts = {"missing": int(missing.sum()), "infinite": int(infinite.sum())}
        named = " and ".join(f"{count} {word}" for word, count in counts.items() if count)
        raise AttemptError(
            "bad_label",
            f"the label {label} has {named} values in {len(array)} training rows; expected a value in every row",
            mend=f"filter them out ({label} IsNotNull), or drop the rows in preprocess",
            evidence={"label": label, "rows": len(array), **counts},
        )
    distinct = np.unique(array)
    if whole and len(distinct) == 1:
        only = distinct[0].item()
        raise AttemptError(
            "bad_label",
            f"the label {label} is {only!r} in all {len(array)} training rows; there is nothing to learn",
            mend="widen the filters or the dates so that every class is in the training split",
            evidence={"label": label, "rows": len(array), "values": {str(only): len(array)}},
        )


def _no_label(frame: Any, label: str, there: list[str], what: str) -> AttemptError:
    if kind_of(frame) == "other":
        return AttemptError(
            "user_code",
            f"the label {label} cannot be read out of {what}, a {type(frame).__module__}.{type(frame).__name__}",
            mend="let fetch and preprocess return pandas, Polars or Arrow; or name no label and define evaluate",
        )
    guess = nearest(label, there)
    return AttemptError(
        "user_code",
        f"{what} has no label column {label} after preprocess; it holds {', '.join(there)}",
        mend=f"did you mean {guess}?" if guess else "let preprocess keep or add the label column",
    )
