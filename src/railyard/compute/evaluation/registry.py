"""Every metric by its name.

A new metric is one entry here, its function in the file of its task, and its name in spec/request.MetricName.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from railyard.compute.evaluation import binary, multiclass, regression
from railyard.compute.evaluation.scored import Scored, Task
from railyard.errors import Invalid, nearest
from railyard.spec.records import FieldProblem

Compute = Callable[[Scored], float | None]


@dataclass(frozen=True)
class Metric:
    """A named number, with one function for each task that it is defined for."""

    what: str
    binary: Compute | None = None
    multiclass: Compute | None = None
    regression: Compute | None = None
    default: bool = False
    """Computed without being asked for."""

    def of(self, task: Task) -> Compute | None:
        """The function for a task, None where the metric has no meaning."""
        by_task = {"binary": self.binary, "multiclass": self.multiclass, "regression": self.regression}
        return by_task.get(task)


def _at_half(name: str) -> Compute:
    return lambda scored: AT_THRESHOLD[name](binary.counts_at(scored, 0.5))


AT_THRESHOLD: dict[str, Callable[[binary.Counts], float | None]] = {
    "precision": lambda counts: counts.precision,
    "recall": lambda counts: counts.recall,
    "f1": lambda counts: counts.f1,
    "accuracy": lambda counts: counts.accuracy,
}
"""What `evaluation.thresholds` adds, as `precision@0.3` and so on; the plain names are at 0.5."""

METRICS: dict[str, Metric] = {
    "auc": Metric("area under the ROC curve", binary=binary.auc, default=True),
    "pr_auc": Metric(
        "area under the precision-recall curve (average precision)", binary=binary.average_precision, default=True
    ),
    "log_loss": Metric(
        "mean negative log likelihood, nats", binary=binary.log_loss, multiclass=multiclass.log_loss, default=True
    ),
    "brier": Metric("mean squared distance between score and label", binary=binary.brier, default=True),
    "precision": Metric(
        "share of the rows called positive that are, at 0.5", binary=_at_half("precision"), default=True
    ),
    "recall": Metric("share of the positives called positive, at 0.5", binary=_at_half("recall"), default=True),
    "f1": Metric("harmonic mean of precision and recall, at 0.5", binary=_at_half("f1"), default=True),
    "accuracy": Metric(
        "share of rows called right, at 0.5", binary=_at_half("accuracy"), multiclass=multiclass.accuracy, default=True
    ),
    "positive_rate": Metric("share of positives", binary=binary.positive_rate, default=True),
    "macro_f1": Metric("mean F1 of the classes", multiclass=multiclass.macro_f1, default=True),
    "macro_auc": Metric("mean AUC of each class against the rest", multiclass=multiclass.macro_auc, default=True),
    "rmse": Metric("root of the mean squared error", regression=regression.rmse, default=True),
    "mae": Metric("mean absolute error", regression=regression.mae, default=True),
    "r2": Metric("share of the variance explained", regression=regression.r2, default=True),
    "mape": Metric("mean absolute error over the label, a fraction", regression=regression.mape, default=True),
    "gini": Metric("2 AUC - 1", binary=binary.gini),
    "ks": Metric("largest distance between the two score distributions", binary=binary.ks),
    "best_f1": Metric("F1 at the threshold best for it", binary=binary.best_f1),
    "mcc": Metric("Matthews correlation, at 0.5", binary=lambda scored: binary.counts_at(scored, 0.5).mcc),
    "specificity": Metric(
        "share of the negatives called negative, at 0.5",
        binary=lambda scored: binary.counts_at(scored, 0.5).specificity,
    ),
    "balanced_accuracy": Metric(
        "mean recall of the classes",
        binary=lambda scored: binary.counts_at(scored, 0.5).balanced_accuracy,
        multiclass=multiclass.balanced_accuracy,
    ),
    "calibration_error": Metric("expected calibration error, ten bins", binary=binary.calibration_error),
    "lift_10": Metric("lift in the tenth of rows with the highest scores", binary=binary.lift_at_tenth),
    "macro_precision": Metric("mean precision of the classes", multiclass=multiclass.macro_precision),
    "macro_recall": Metric("mean recall of the classes", multiclass=multiclass.macro_recall),
    "weighted_f1": Metric("mean F1 of the classes by their rows", multiclass=multiclass.weighted_f1),
    "top_3_accuracy": Metric(
        "share of rows whose class is among the three highest scores", multiclass=multiclass.top_3_accuracy
    ),
    "median_absolute_error": Metric("median absolute error", regression=regression.median_absolute_error),
    "max_error": Metric("largest absolute error", regression=regression.max_error),
    "bias": Metric("mean of score minus label", regression=regression.bias),
    "explained_variance": Metric("as r2, but a constant bias is free", regression=regression.explained_variance),
    "wape": Metric("sum of absolute errors over sum of labels", regression=regression.wape),
    "rmsle": Metric("RMSE of log(1 + x)", regression=regression.rmsle),
}


def check_metrics(names: Iterable[str]) -> None:
    """Raises Invalid `unknown_metric`, with the nearest, for names that no metric has: call it before training."""
    unknown = [(place, name) for place, name in enumerate(names) if name not in METRICS]
    if unknown:
        raise Invalid(
            f"no metric is called {', '.join(name for _, name in unknown)}",
            code="unknown_metric",
            fields=[
                FieldProblem(
                    path=f"evaluation.metrics[{place}]",
                    expected=f"one of {', '.join(sorted(METRICS))}",
                    got=f'"{name}"',
                    nearest=nearest(name, METRICS),
                )
                for place, name in unknown
            ],
            mend="take the name out of evaluation.metrics, or report the number yourself from evaluate(df, scores)",
        )
