"""Brings a label and its scores into one form, or says what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from railyard.compute.evaluation.columns import column, plain
from railyard.compute.evaluation.scored import ClassName, Floats, Scored, Task
from railyard.compute.evaluation.tasks import refine
from railyard.errors import Invalid

NO_CODES = np.zeros(0, np.int64)
SUM_TOLERANCE = 1e-3
"""How far the probabilities of a row may be from summing to 1: float32 models are."""


def prepare(
    label: Any, score: Any, *, classes: Sequence[Any] | None, task: Task | None
) -> tuple[Scored, NDArray[np.bool_], list[str]]:
    """The rows that have a label, the mask (n,) of them, and warnings. See `evaluate` for the arguments.

    Raises Invalid `bad_scores` for scores that are NaN, infinite or of another shape than the label asks for, and
    `bad_label` for labels that do not fit the task.
    """
    values, missing = column(label)
    scores = _scores(score, len(values))
    labelled = ~missing
    values, scores = values[labelled], scores[labelled]
    warnings = [f"{missing.sum()} of {len(missing)} rows have no label and were left out"] if missing.any() else []
    known = None if classes is None else [plain(name) for name in classes]
    task = task or refine(values, scores, known)
    if not len(values):
        scored = _nothing(values)
        warnings.append("no row has a label: nothing was evaluated")
    elif task == "binary" and known is None and len(_two_classes(values)) == 1:
        scored = _nothing(values)
        only = plain(values[0])
        warnings.append(f"every row has the label {only}, and the other class is not known: nothing was evaluated")
    elif task == "regression":
        scored = Scored("regression", _finite_label(values), _one_column(scores), NO_CODES, (), False)
    elif task == "binary":
        scored = _binary(values, scores, known)
    elif task == "multiclass":
        scored, found = _multiclass(values, scores, known)
        warnings += found
    else:
        scored = _nothing(values)
    return scored, labelled, warnings


def _nothing(values: NDArray[Any]) -> Scored:
    return Scored("none", values, np.zeros(len(values)), NO_CODES, (), False)


def _scores(score: Any, rows: int) -> NDArray[Any]:
    array = np.asarray(score)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or len(array) != rows:
        raise Invalid(
            f"expected one score (or one row of scores by class) for each of {rows} rows, got shape {array.shape}",
            code="bad_scores",
            mend="return an array with as many rows as the frame that score(model, df) was given",
        )
    if array.dtype.kind == "O":
        array = _from_objects(array)
    if array.dtype.kind == "f":
        finite = np.isfinite(array)
        _refuse(~(finite.all(axis=1) if array.ndim == 2 else finite), array)
        return array.astype(np.float64)
    if array.dtype.kind not in "biuU":
        raise Invalid(f"expected numbers or names of classes as scores, got {array.dtype}", code="bad_scores")
    return array


def _from_objects(array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim == 2:
        parts = [column(array[:, place]) for place in range(array.shape[1])]
        _refuse(np.any([missing for _, missing in parts], axis=0), array)
        return np.stack([_numbers(values, "scores") for values, _ in parts], axis=1)
    values, missing = column(array)
    _refuse(missing, array)
    return values


def _refuse(bad: NDArray[np.bool_], array: NDArray[Any]) -> None:
    if not bad.any():
        return
    first = int(np.flatnonzero(bad)[0])
    raise Invalid(
        f"{bad.sum()} of {len(bad)} scores are not finite numbers; the first is in row {first}: {array[first]}",
        code="bad_scores",
        mend="look for missing features in that row, or for a training that diverged",
        detail={"count": int(bad.sum()), "first_row": first, "rows": len(bad)},
    )


def _numbers(values: NDArray[Any], what: str) -> Floats:
    if values.dtype.kind not in "biuf":
        code = "bad_label" if what == "label" else "bad_scores"
        raise Invalid(f"expected numbers as {what}, got text such as {str(values[0])!r}", code=code)
    return values.astype(np.float64)


def _one_column(scores: NDArray[Any]) -> Floats:
    if scores.ndim != 1:
        raise Invalid(f"expected one score a row for a regression, got shape {scores.shape}", code="bad_scores")
    return _numbers(scores, "scores")


def _finite_label(values: NDArray[Any]) -> Floats:
    numbers = _numbers(values, "label")
    infinite = int(np.isinf(numbers).sum())
    if infinite:
        raise Invalid(f"{infinite} of {len(numbers)} labels are infinite", code="bad_label")
    return numbers


def _binary(values: NDArray[Any], scores: NDArray[Any], known: Sequence[ClassName] | None) -> Scored:
    classes = known or _two_classes(values)
    if len(classes) != 2:
        raise Invalid(f"expected two classes in a binary label, got {_listed(classes)}", code="bad_label")
    label = _codes(values, classes)
    if (label < 0).any():
        other = plain(values[label < 0][0])
        raise Invalid(f"expected a label of {classes[0]!r} or {classes[1]!r}, got {other!r}", code="bad_label")
    numbers = _binary_scores(scores, classes)
    inside = bool((numbers >= 0).all() and (numbers <= 1).all())
    return Scored("binary", label == 1, numbers, NO_CODES, tuple(classes), inside)


def _binary_scores(scores: NDArray[Any], classes: Sequence[ClassName]) -> Floats:
    if scores.ndim == 2:
        if scores.shape[1] != 2:
            raise Invalid(
                f"expected one or two scores a row for a binary label, got {scores.shape[1]}", code="bad_scores"
            )
        return _numbers(scores, "scores")[:, 1]
    # A model without probabilities answers with the class itself. A few rows tell that most do not, at no cost.
    if (_codes(scores[:100], classes) >= 0).all():
        named = _codes(scores, classes)
        if (named >= 0).all():
            return named.astype(np.float64)
    return _numbers(scores, "scores")


def _two_classes(values: NDArray[Any]) -> list[ClassName]:
    if values.dtype.kind == "b":
        return [False, True]
    distinct = [plain(name) for name in np.unique(values)]
    return [0, 1] if set(distinct) <= {0, 1} else distinct


def _multiclass(
    values: NDArray[Any], scores: NDArray[Any], known: Sequence[ClassName] | None
) -> tuple[Scored, list[str]]:
    distinct = [plain(name) for name in np.unique(values)]
    classes = list(distinct if known is None else known)
    if scores.ndim == 2 and scores.shape[1] != len(classes):
        raise Invalid(
            f"expected one score for each of {len(classes)} classes, got {scores.shape[1]} columns",
            code="bad_scores",
            mend="say which class each column stands for: give the model an attribute classes_",
        )
    unseen = _beyond(distinct, classes)
    warnings = [f"the model does not know {len(unseen)} classes of the label: {_listed(unseen)}"] if unseen else []
    classes += unseen
    if scores.ndim == 2:
        matrix = np.pad(_numbers(scores, "scores"), ((0, 0), (0, len(unseen))))
        predicted = matrix.argmax(axis=1).astype(np.int64)
        sums = np.abs(matrix.sum(axis=1) - 1) <= SUM_TOLERANCE
        probabilities = bool(sums.all() and (matrix >= 0).all() and (matrix <= 1).all())
    else:
        classes += _beyond([plain(name) for name in np.unique(scores)], classes)
        matrix, probabilities = np.zeros((len(scores), 0)), False
        predicted = _codes(scores, classes)
    return Scored("multiclass", _codes(values, classes), matrix, predicted, tuple(classes), probabilities), warnings


def _codes(values: NDArray[Any], classes: Sequence[ClassName]) -> NDArray[np.int64]:
    """The place of each value in classes, -1 where it has none."""
    distinct, places = np.unique(values, return_inverse=True)
    where = {name: place for place, name in enumerate(classes)}
    table = np.asarray([where.get(plain(name), -1) for name in distinct], dtype=np.int64)
    return table[places]


def _beyond(names: Sequence[ClassName], classes: Sequence[ClassName]) -> list[ClassName]:
    known = set(classes)
    return [name for name in names if name not in known]


def _listed(names: Sequence[ClassName]) -> str:
    return ", ".join(str(name) for name in names[:5]) + (", …" if len(names) > 5 else "")
