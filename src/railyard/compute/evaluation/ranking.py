"""Counts by threshold for a binary label: the one sort that AUC, PR-AUC and the curves share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ranking:
    """The m distinct scores from high to low, and how many positives and negatives score at least that much.

    Tied rows share one entry, so no metric depends on the order of the rows.
    """

    threshold: NDArray[np.float64]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]

    @property
    def positives(self) -> int:
        return int(self.tp[-1]) if len(self.tp) else 0

    @property
    def negatives(self) -> int:
        return int(self.fp[-1]) if len(self.fp) else 0


def rank(positive: NDArray[Any], score: NDArray[np.float64]) -> Ranking:
    """Sorts n rows once. O(n log n)."""
    if not len(score):
        return Ranking(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64))
    order = np.argsort(-score, kind="stable")
    score, positive = score[order], positive[order].astype(bool)
    ends = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
    tp = np.cumsum(positive, dtype=np.int64)[ends]
    return Ranking(score[ends], tp, ends + 1 - tp)


def auc(ranking: Ranking) -> float | None:
    """Area under the ROC curve: the chance that a positive outranks a negative; ties count half. Exact integers."""
    if not ranking.positives or not ranking.negatives:
        return None
    widths = np.diff(ranking.fp, prepend=0)
    heights = ranking.tp + np.concatenate(([0], ranking.tp[:-1]))
    return int((widths * heights).sum()) / (2 * ranking.positives * ranking.negatives)


def average_precision(ranking: Ranking) -> float | None:
    """Area under the precision-recall curve by steps (no interpolation, which would flatter)."""
    if not ranking.positives or not ranking.negatives:
        return None
    gained = np.diff(ranking.tp, prepend=0)
    return float((gained * (ranking.tp / (ranking.tp + ranking.fp))).sum() / ranking.positives)
