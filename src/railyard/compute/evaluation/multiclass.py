"""Metrics of a label with several classes. Macro means: each class weighs the same, however rare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from railyard.compute.evaluation.ranking import auc, rank
from railyard.compute.evaluation.scored import Floats, Scored


@dataclass(frozen=True)
class ByClass:
    """Counts of each class, arrays of length k: rows that are it, rows called it, and rows where both hold."""

    actual: NDArray[np.int64]
    called: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Classes that occur at all, as label or as prediction."""
        return (self.actual + self.called) > 0

    @property
    def precision(self) -> Floats:
        return self.right / np.maximum(self.called, 1)

    @property
    def recall(self) -> Floats:
        return self.right / np.maximum(self.actual, 1)

    @property
    def f1(self) -> Floats:
        shared: Floats = 2 * self.right / np.maximum(self.actual + self.called, 1)
        return shared


def by_class(scored: Scored) -> ByClass:
    size = len(scored.classes)
    right = scored.label == scored.predicted
    return ByClass(
        np.bincount(scored.label, minlength=size),
        np.bincount(scored.predicted, minlength=size),
        np.bincount(scored.label[right], minlength=size),
    )


def accuracy(scored: Scored) -> float | None:
    return float(np.mean(scored.label == scored.predicted)) if scored.n else None


def balanced_accuracy(scored: Scored) -> float | None:
    """Mean recall of the classes that occur as label."""
    counts = by_class(scored)
    return float(np.mean(counts.recall[counts.actual > 0])) if scored.n else None


def macro_f1(scored: Scored) -> float | None:
    counts = by_class(scored)
    return float(np.mean(counts.f1[counts.present])) if scored.n else None


def weighted_f1(scored: Scored) -> float | None:
    """Mean F1 of the classes, each weighing as many rows as it has."""
    counts = by_class(scored)
    return float(np.sum(counts.f1 * counts.actual) / scored.n) if scored.n else None


def macro_precision(scored: Scored) -> float | None:
    counts = by_class(scored)
    return float(np.mean(counts.precision[counts.present])) if scored.n else None


def macro_recall(scored: Scored) -> float | None:
    counts = by_class(scored)
    return float(np.mean(counts.recall[counts.present])) if scored.n else None


def log_loss(scored: Scored) -> float | None:
    """Mean negative log likelihood in nats, as the binary one; None where the scores are no probabilities."""
    if not scored.n or not scored.probabilities:
        return None
    smallest = np.finfo(np.float64).eps
    share = scored.score[np.arange(scored.n), scored.label]
    return float(-np.mean(np.log(np.clip(share, smallest, 1 - smallest))))


def macro_auc(scored: Scored) -> float | None:
    """Mean AUC of each class against the rest, over the classes that occur as label but are not all of it."""
    if not scored.score.shape[1]:
        return None
    areas = [auc(rank(scored.label == code, scored.score[:, code])) for code in np.unique(scored.label)]
    found = [area for area in areas if area is not None]
    return float(np.mean(found)) if found else None


def top_3_accuracy(scored: Scored) -> float | None:
    """Share of rows whose class is among the three highest scores; a tie counts against the row."""
    if not scored.n or scored.score.shape[1] < 4:
        return None
    own = scored.score[np.arange(scored.n), scored.label]
    ahead = (scored.score >= own[:, None]).sum(axis=1) - 1
    return float(np.mean(ahead < 3))
