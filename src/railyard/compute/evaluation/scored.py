"""The form in which every metric sees labels and scores."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from railyard.compute.evaluation.ranking import Ranking, rank

Task = Literal["binary", "multiclass", "regression", "none"]
ClassName = str | int | float | bool
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """The n rows that have a label, with their scores. A code is a place in `classes`."""

    task: Task
    label: NDArray[Any]
    """binary: bool (n,), true for the second class · multiclass: int64 (n,), codes · regression: float64 (n,)."""
    score: Floats
    """binary, regression: (n,) · multiclass: (n, k) by class, or (n, 0) where the model only names a class."""
    predicted: NDArray[np.int64]
    """multiclass: (n,), codes · else empty."""
    classes: tuple[ClassName, ...]
    probabilities: bool
    """Whether the scores of the whole split are probabilities: in [0, 1], and with several classes summing to 1."""

    @property
    def n(self) -> int:
        """Rows with a label."""
        return len(self.label)

    @cached_property
    def ranking(self) -> Ranking:
        """Binary only: the counts behind every ranking metric and curve, sorted once."""
        return rank(self.label, self.score)

    def take(self, rows: NDArray[np.bool_]) -> Scored:
        """The rows where the mask is true."""
        predicted = self.predicted[rows] if self.task == "multiclass" else self.predicted
        return dataclasses.replace(self, label=self.label[rows], score=self.score[rows], predicted=predicted)
