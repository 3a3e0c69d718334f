"""The evaluation of a split: metrics by the kind of label (binary, multiclass, regression), curves and slices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from railyard.compute.evaluation import curves
from railyard.compute.evaluation.binary import counts_at
from railyard.compute.evaluation.prepare import prepare
from railyard.compute.evaluation.registry import AT_THRESHOLD, METRICS, check_metrics
from railyard.compute.evaluation.scored import Scored, Task
from railyard.compute.evaluation.slices import by_slice


@dataclass(frozen=True)
class Evaluated:
    """What the scores of one split are worth."""

    task: Task
    metrics: dict[str, float | None]
    """Finite numbers by name, with `n`, the rows that have a label; None where a metric is not defined on them."""
    report: dict[str, Any]
    """JSON: `task`, `n`, `warnings`, `classes`, the curves of the task, `slices`; empty without a label."""


def evaluate(
    label: Any,
    score: Any,
    *,
    thresholds: Sequence[float] = (),
    metrics: Sequence[str] = (),
    slices: Mapping[str, Any] | None = None,
    classes: Sequence[Any] | None = None,
    task: Task | None = None,
) -> Evaluated:
    """Computes the default metrics of the label's task, the named extra ones, the curves, and the metrics by slice.

    label: a column of n values; None means that there is no label, and nothing to compute.
    score: n scores (binary: high means positive, that is the second of the sorted classes; regression: the value), or
        a matrix (n, k) by class, or n predicted classes where the model has no scores.
    thresholds: add precision, recall, f1 and accuracy as `precision@0.3`; a row is positive where score >= threshold.
    slices: columns of n values by name.
    classes: what the columns of the matrix stand for, as a fitted model's `classes_`; else the label's sorted values.
    task: settles what the label alone may leave open: hand over the training split's when evaluating the holdout.

    Rows without a label are left out, with a warning. Raises Invalid: `bad_scores` (NaN, infinite, wrong shape),
    `bad_label`, `bad_slice`, `unknown_metric`.
    """
    check_metrics(metrics)
    if label is None or task == "none":
        return Evaluated("none", {}, {})
    scored, labelled, warnings = prepare(label, score, classes=classes, task=task)
    if scored.task == "none":
        return Evaluated("none", {}, {"task": "none", "n": scored.n, "warnings": warnings})
    wanted = _wanted(scored.task, metrics)
    found = _measure(scored, wanted, thresholds)
    report: dict[str, Any] = {
        "task": scored.task,
        "n": scored.n,
        "warnings": warnings + _warnings(scored, metrics, thresholds),
        "classes": list(scored.classes),
        **_pictures(scored),
    }
    if slices:
        report["slices"] = by_slice(scored, slices, labelled, lambda part: _measure(part, wanted, thresholds))
    return Evaluated(scored.task, found, report)


def _wanted(task: Task, extra: Sequence[str]) -> list[str]:
    defaults = [name for name, metric in METRICS.items() if metric.default and metric.of(task)]
    return list(dict.fromkeys([*defaults, *extra]))


def _measure(scored: Scored, names: Sequence[str], thresholds: Sequence[float]) -> dict[str, float | None]:
    found: dict[str, float | None] = {"n": float(scored.n)}
    with np.errstate(over="ignore", invalid="ignore"):
        for name in names:
            compute = METRICS[name].of(scored.task)
            found[name] = _finite(compute(scored)) if compute else None
    if scored.task == "binary":
        for threshold in thresholds:
            counts = counts_at(scored, threshold)
            found.update({f"{name}@{threshold:g}": _finite(value(counts)) for name, value in AT_THRESHOLD.items()})
    return found


def _finite(value: float | None) -> float | None:
    return value if value is None or math.isfinite(value) else None


def _pictures(scored: Scored) -> dict[str, Any]:
    if scored.task == "binary":
        return {
            "positives": scored.ranking.positives,
            "roc": curves.roc(scored),
            "pr": curves.pr(scored),
            "calibration": curves.calibration(scored.label, scored.score),
            "thresholds": curves.threshold_table(scored),
            "confusion": curves.confusion(scored),
            "scores": curves.score_histogram(scored),
        }
    if scored.task == "multiclass":
        return {"confusion": curves.confusion(scored), "by_class": curves.class_table(scored)}
    with np.errstate(over="ignore", invalid="ignore"):
        return {
            "residuals": curves.residual_report(scored),
            "calibration": curves.calibration(scored.label, scored.score),
        }


def _warnings(scored: Scored, extra: Sequence[str], thresholds: Sequence[float]) -> list[str]:
    notes = []
    if scored.task != "regression" and len(np.unique(scored.label)) == 1:
        only = scored.classes[int(scored.label[0])]
        notes.append(f"every row has the label {only}: metrics that compare classes are null")
    if scored.task == "binary" and not scored.probabilities:
        low, high = float(scored.score.min()), float(scored.score.max())
        notes.append(
            f"scores reach from {low:.6g} to {high:.6g}, outside [0, 1], so they are no probabilities: "
            "log_loss is null; precision, recall, f1 and accuracy still cut at 0.5"
        )
    if scored.task == "multiclass" and not scored.probabilities:
        kind = "are no probabilities" if scored.score.shape[1] else "are classes, not probabilities"
        notes.append(f"the scores {kind}: log_loss is null")
    if scored.task == "regression" and (scored.label == 0).any():
        notes.append("some labels are 0: mape is null (wape is defined)")
    foreign = [name for name in extra if METRICS[name].of(scored.task) is None]
    if foreign:
        notes.append(f"{', '.join(foreign)} has no meaning for a {scored.task} label: null")
    if thresholds and scored.task != "binary":
        notes.append(f"thresholds have no meaning for a {scored.task} label: they add nothing")
    return notes
