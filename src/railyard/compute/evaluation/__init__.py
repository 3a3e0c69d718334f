"""Metrics, curves and slices of scores against labels. Needs numpy alone, so that it runs in every runtime."""

from railyard.compute.evaluation.evaluate import Evaluated, evaluate
from railyard.compute.evaluation.registry import METRICS, Metric, check_metrics
from railyard.compute.evaluation.scored import Scored, Task
from railyard.compute.evaluation.tasks import task_of

__all__ = ["METRICS", "Evaluated", "Metric", "Scored", "Task", "check_metrics", "evaluate", "task_of"]
