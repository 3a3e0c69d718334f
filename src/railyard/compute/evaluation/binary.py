"""Metrics of a binary label. None stands where a metric is not defined, never a made-up 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from railyard.compute.evaluation import ranking
from railyard.compute.evaluation.scored import Scored


@dataclass(frozen=True)
class Counts:
    """The confusion at one threshold: a row is called positive where its score is at least the threshold."""

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def precision(self) -> float | None:
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None

    @property
    def specificity(self) -> float | None:
        return self.tn / (self.tn + self.fp) if self.tn + self.fp else None

    @property
    def f1(self) -> float | None:
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn) if self.tp + self.fp + self.fn else None

    @property
    def accuracy(self) -> float | None:
        rows = self.tp + self.fp + self.tn + self.fn
        return (self.tp + self.tn) / rows if rows else None

    @property
    def balanced_accuracy(self) -> float | None:
        return None if self.recall is None or self.specificity is None else (self.recall + self.specificity) / 2

    @property
    def mcc(self) -> float | None:
        """Matthews correlation; None where a row or column of the confusion is empty."""
        product = (self.tp + self.fp) * (self.tp + self.fn) * (self.tn + self.fp) * (self.tn + self.fn)
        return float((self.tp * self.tn - self.fp * self.fn) / product**0.5) if product else None


def counts_at(scored: Scored, threshold: float) -> Counts:
    """The confusion of a binary label at a threshold."""
    ranked = scored.ranking
    above = len(ranked.threshold) - int(np.searchsorted(ranked.threshold[::-1], threshold, side="left"))
    tp = int(ranked.tp[above - 1]) if above else 0
    fp = int(ranked.fp[above - 1]) if above else 0
    return Counts(tp, fp, ranked.negatives - fp, ranked.positives - tp)


def auc(scored: Scored) -> float | None:
    return ranking.auc(scored.ranking)


def gini(scored: Scored) -> float | None:
    area = auc(scored)
    return None if area is None else 2 * area - 1


def average_precision(scored: Scored) -> float | None:
    return ranking.average_precision(scored.ranking)


def log_loss(scored: Scored) -> float | None:
    """Mean negative log likelihood in nats; probabilities are kept 2.2e-16 away from 0 and 1.

    None where a score lies outside [0, 1]: such a score is no probability, and clipping it would invent one.
    """
    if not scored.probabilities or not scored.n:
        return None
    smallest = np.finfo(np.float64).eps
    probability = np.clip(scored.score, smallest, 1 - smallest)
    return float(-np.mean(np.where(scored.label, np.log(probability), np.log1p(-probability))))


def brier(scored: Scored) -> float | None:
    """Mean squared distance between score and label; defined for any score."""
    return float(np.mean((scored.score - scored.label) ** 2)) if scored.n else None


def ks(scored: Scored) -> float | None:
    """Largest distance between the score distributions of positives and negatives."""
    ranked = scored.ranking
    if not ranked.positives or not ranked.negatives:
        return None
    return float(np.max(np.abs(ranked.tp / ranked.positives - ranked.fp / ranked.negatives)))


def best_f1(scored: Scored) -> float | None:
    """F1 at the threshold that is best for it on these rows."""
    ranked = scored.ranking
    if not ranked.positives:
        return None
    return float(np.max(2 * ranked.tp / (ranked.positives + ranked.tp + ranked.fp)))


def calibration_error(scored: Scored) -> float | None:
    """Expected calibration error over ten equally wide bins of [0, 1]; None for scores outside it."""
    if not scored.probabilities or not scored.n:
        return None
    place = np.minimum((scored.score * 10).astype(np.int64), 9)
    distance = np.bincount(place, scored.score - scored.label, minlength=10)
    return float(np.abs(distance).sum() / scored.n)


def lift_at_tenth(scored: Scored) -> float | None:
    """Share of positives in the tenth of rows with the highest scores, over their share in all; ties count in part."""
    ranked = scored.ranking
    if not ranked.positives:
        return None
    wanted = scored.n / 10
    found = np.interp(wanted, np.concatenate(([0], ranked.tp + ranked.fp)), np.concatenate(([0], ranked.tp)))
    return float(found / wanted / (ranked.positives / scored.n))


def positive_rate(scored: Scored) -> float | None:
    return scored.ranking.positives / scored.n if scored.n else None
