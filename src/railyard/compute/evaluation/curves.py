"""The pictures of an evaluation as plain JSON: curves and tables of at most 1,000 points, exact at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from railyard.compute.evaluation import binary, multiclass, regression
from railyard.compute.evaluation.scored import Floats, Scored

MOST_POINTS = 1000
MOST_CLASSES = 100
"""Classes of a confusion matrix; the rarer ones share the last row and column."""
QUANTILES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)

Json = dict[str, Any]


def roc(scored: Scored) -> Json | None:
    """`{fpr, tpr, threshold}` from (0, 0) to (1, 1); the first threshold is null, above every score.

    None where only one class occurs.
    """
    ranked = scored.ranking
    if not ranked.positives or not ranked.negatives:
        return None
    fpr = np.concatenate(([0.0], ranked.fp / ranked.negatives))
    tpr = np.concatenate(([0.0], ranked.tp / ranked.positives))
    kept = thin(fpr, tpr)
    threshold = [None, *ranked.threshold.tolist()]
    return {"fpr": fpr[kept].tolist(), "tpr": tpr[kept].tolist(), "threshold": [threshold[place] for place in kept]}


def pr(scored: Scored) -> Json | None:
    """`{precision, recall, threshold}` by falling threshold, so by rising recall. None without positives."""
    ranked = scored.ranking
    if not ranked.positives:
        return None
    recall = ranked.tp / ranked.positives
    precision = ranked.tp / (ranked.tp + ranked.fp)
    kept = thin(recall, precision)
    return {name: values[kept].tolist() for name, values in
            (("precision", precision), ("recall", recall), ("threshold", ranked.threshold))}  # fmt: skip


def calibration(label: NDArray[Any], score: Floats, bins: int = 10) -> Json:
    """`{low, high, n, score, label}` by quantile of the score: mean score against mean label.

    Ties stay together, so there may be fewer bins.
    """
    if not len(score):
        return {"low": [], "high": [], "n": [], "score": [], "label": []}
    last = [(len(score) * part + bins - 1) // bins - 1 for part in range(1, bins)]
    place = np.searchsorted(np.unique(np.sort(score)[last]), score, side="left")
    count = np.bincount(place)
    filled = np.flatnonzero(count)
    low = np.full(len(count), np.inf)
    high = np.full(len(count), -np.inf)
    np.minimum.at(low, place, score)
    np.maximum.at(high, place, score)
    return {
        "low": low[filled].tolist(),
        "high": high[filled].tolist(),
        "n": count[filled].tolist(),
        "score": _finite(np.bincount(place, score)[filled] / count[filled]),
        "label": _finite(np.bincount(place, label.astype(np.float64))[filled] / count[filled]),
    }


def threshold_table(scored: Scored, rows: int = 101) -> Json:
    """Counts, precision and recall at evenly spaced thresholds over [0, 1], or over the scores where they leave it."""
    low, high = (0.0, 1.0) if scored.probabilities else (float(scored.score.min()), float(scored.score.max()))
    thresholds = np.linspace(low, high, rows)
    counts = [binary.counts_at(scored, float(threshold)) for threshold in thresholds]
    names = ("tp", "fp", "tn", "fn", "precision", "recall")
    return {"threshold": thresholds.tolist(), **{name: [getattr(count, name) for count in counts] for name in names}}


def confusion(scored: Scored) -> Json:
    """`{classes, counts}` with counts[actual][called]; a binary one carries its threshold."""
    if scored.task == "binary":
        at = binary.counts_at(scored, 0.5)
        return {"classes": list(scored.classes), "threshold": 0.5, "counts": [[at.tn, at.fp], [at.fn, at.tp]]}
    size = len(scored.classes)
    place, names = np.arange(size), list(scored.classes)
    if size > MOST_CLASSES:
        common = np.sort(np.argsort(-multiclass.by_class(scored).actual, kind="stable")[: MOST_CLASSES - 1])
        place = np.full(size, MOST_CLASSES - 1)
        place[common] = np.arange(MOST_CLASSES - 1)
        names = [*(scored.classes[code] for code in common), "(other)"]
    flat = np.bincount(place[scored.label] * len(names) + place[scored.predicted], minlength=len(names) ** 2)
    return {"classes": names, "counts": flat.reshape(len(names), len(names)).tolist()}


def class_table(scored: Scored) -> Json:
    """`{class, n, precision, recall, f1}` for each class, the most frequent first, at most 1,000."""
    counts = multiclass.by_class(scored)
    order = np.argsort(-counts.actual, kind="stable")[:MOST_POINTS]
    return {
        "class": [scored.classes[code] for code in order],
        "n": counts.actual[order].tolist(),
        "precision": [_share(counts.right[code], counts.called[code]) for code in order],
        "recall": [_share(counts.right[code], counts.actual[code]) for code in order],
        "f1": [_share(2 * counts.right[code], counts.actual[code] + counts.called[code]) for code in order],
    }


def residual_report(scored: Scored) -> Json:
    """`{quantiles: {q, value}, histogram: {edges, n}}` of label minus score, and of residuals that are finite."""
    values = regression.residuals(scored)
    values = values[np.isfinite(values)]
    quantiles = _finite(np.quantile(values, QUANTILES)) if len(values) else []
    return {
        "quantiles": {"q": list(QUANTILES) if quantiles else [], "value": quantiles},
        "histogram": histogram(values),
    }


def score_histogram(scored: Scored) -> Json:
    """`{edges, positives, negatives}`: how the scores of the two classes lie; the two counts share their edges."""
    edges = histogram(scored.score)["edges"]
    split = [_counts(scored.score[scored.label == wanted], edges) for wanted in (True, False)]
    return {"edges": edges, "positives": split[0], "negatives": split[1]}


def histogram(values: Floats, bins: int = 50) -> Json:
    """`{edges, n}` with one more edge than counts; one bin where the values are too close together for more."""
    if not len(values):
        return {"edges": [], "n": []}
    low, high = float(values.min()), float(values.max())
    # Halves first: the distance of two large values of opposite sign would overflow.
    edges = (np.linspace(low / 2, high / 2, bins + 1) * 2).clip(low, high)
    if not (np.diff(edges) > 0).all():
        edges = np.asarray([low, high])
    return {"edges": edges.tolist(), "n": _counts(values, edges.tolist())}


def thin(x: Floats, y: Floats, most: int = MOST_POINTS) -> NDArray[np.int64]:
    """Places of at most `most` points, evenly along a curve's length; the first and the last always stay."""
    if len(x) <= most:
        return np.arange(len(x))
    walked = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
    wanted = np.searchsorted(walked, np.linspace(0, walked[-1], most), side="left")
    wanted[0], wanted[-1] = 0, len(x) - 1
    return np.unique(np.minimum(wanted, len(x) - 1))


def _counts(values: Floats, edges: Sequence[float]) -> list[int]:
    if len(edges) < 2:
        return []
    place = np.searchsorted(np.asarray(edges[1:-1]), values, side="right")
    counted: list[int] = np.bincount(place, minlength=len(edges) - 1).tolist()
    return counted


def _finite(values: Floats) -> list[float | None]:
    """As JSON, which has no infinity: null where a sum left the range of a double."""
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
