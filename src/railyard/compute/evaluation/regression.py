"""Metrics of a numeric label, in the label's own unit unless they say otherwise."""

from __future__ import annotations

import numpy as np

from railyard.compute.evaluation.scored import Floats, Scored


def residuals(scored: Scored) -> Floats:
    """Label minus score."""
    difference: Floats = scored.label - scored.score
    return difference


def rmse(scored: Scored) -> float | None:
    return float(np.sqrt(np.mean(residuals(scored) ** 2))) if scored.n else None


def mae(scored: Scored) -> float | None:
    return float(np.mean(np.abs(residuals(scored)))) if scored.n else None


def median_absolute_error(scored: Scored) -> float | None:
    return float(np.median(np.abs(residuals(scored)))) if scored.n else None


def max_error(scored: Scored) -> float | None:
    return float(np.max(np.abs(residuals(scored)))) if scored.n else None


def bias(scored: Scored) -> float | None:
    """Mean of score minus label: positive where the model says too much."""
    return float(-np.mean(residuals(scored))) if scored.n else None


def r2(scored: Scored) -> float | None:
    """Share of the label's variance explained; None where the label does not vary."""
    if scored.n < 2:
        return None
    spread = float(np.sum((scored.label - np.mean(scored.label)) ** 2))
    return 1 - float(np.sum(residuals(scored) ** 2)) / spread if spread and np.ptp(scored.label) else None


def explained_variance(scored: Scored) -> float | None:
    """As r2, but a constant bias costs nothing."""
    if scored.n < 2 or not np.ptp(scored.label):
        return None
    spread = float(np.var(scored.label))
    return 1 - float(np.var(residuals(scored))) / spread if spread else None


def mape(scored: Scored) -> float | None:
    """Mean of |label - score| / |label| as a fraction; None where any label is 0."""
    if not scored.n or (scored.label == 0).any():
        return None
    return float(np.mean(np.abs(residuals(scored) / scored.label)))


def wape(scored: Scored) -> float | None:
    """Sum of |label - score| over sum of |label|; stands in for mape where labels touch 0."""
    total = float(np.sum(np.abs(scored.label)))
    return float(np.sum(np.abs(residuals(scored)))) / total if total else None


def rmsle(scored: Scored) -> float | None:
    """RMSE of log(1 + x); None where a label or score is -1 or less."""
    if not scored.n or min(scored.label.min(), scored.score.min()) <= -1:
        return None
    return float(np.sqrt(np.mean((np.log1p(scored.label) - np.log1p(scored.score)) ** 2)))
