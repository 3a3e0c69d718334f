"""The evaluate step: scores of both splits, metrics, curves, and the holdout stored row by row."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from railyard.compute.evaluation import Evaluated, Task, evaluate, task_of
from railyard.compute.evaluation.columns import plain
from railyard.compute.training.fitted import Fitted
from railyard.compute.training.holdoutfile import HoldoutFile
from railyard.compute.training.labels import label_of
from railyard.compute.training.prepare import Prepared
from railyard.compute.training.scoring import score_frame
from railyard.compute.training.splits import Splits, chunks
from railyard.compute.training.usercode import user_code, wrong_return
from railyard.compute.workflows.batches import Batches
from railyard.compute.workflows.frames import column_of, columns_of, own_copy, rows_of
from railyard.errors import AttemptError, Invalid
from railyard.spec.reasons import EndReason
from railyard.spec.result import Metrics


@dataclass(frozen=True)
class Assessment:
    """What the evaluate step found."""

    task: Task
    metrics: Metrics
    classes: tuple[Any, ...] | None
    """Behind the columns of scores with several."""
    score_dtype: str | None
    """None where the model does not score."""
    score_columns: int
    warnings: tuple[str, ...] = ()


@dataclass
class _Split:
    """One scored split."""

    name: str
    frame: Any
    scores: NDArray[Any] | None
    label: NDArray[Any] | None
    slices: dict[str, Any] = field(default_factory=dict)


def assess(
    prepared: Prepared, fitted: Fitted, splits: Splits, training_sample: Any, label: Any, folder: Path
) -> Assessment:
    """Scores `training_sample` and the holdout, writes `holdout.parquet` and `report.json` into `folder`.

    `label` is the label of the sample (None without one). The task is the training's, so that a small holdout cannot
    change it. Raises AttemptError `user_code` (score, evaluate) and `bad_label`.
    """
    warnings = _leaks(prepared)
    train = _Split("train", training_sample, _scores_of(prepared, fitted.model, training_sample), label)
    classes = _classes(fitted.model, train.scores, label)
    on_train = _evaluated(prepared, train, classes, None)
    found = {"train": _metrics(prepared, train, on_train, warnings)}
    reports: dict[str, Any] = {"train": on_train.report}
    if splits.holdout is not None:
        held = _score_holdout(prepared, fitted.model, splits, classes, folder, warnings)
        on_holdout = _evaluated(prepared, held, classes, on_train.task)
        found["holdout"] = _metrics(prepared, held, on_holdout, warnings)
        reports["holdout"] = on_holdout.report
    else:
        warnings.append("there is no holdout: every metric is of rows the model has seen")
    last = "holdout" if "holdout" in found else "train"
    _merge(found[last], _numbers(fitted.metrics, "TrainResult.metrics", warnings), "TrainResult", warnings)
    rows = _rows(training_sample)
    report = {
        "format": 1,
        "task": on_train.task,
        "label": prepared.workflow.label,
        "train_rows_scored": rows,
        **reports,
    }
    _write_report(folder / "report.json", report)
    for name in ("holdout", "train"):
        warnings += [f"{name}: {text}" for text in reports.get(name, {}).get("warnings", ())]
    return Assessment(
        task=on_train.task,
        metrics=Metrics(train=found["train"], holdout=found.get("holdout", {})),
        classes=classes if train.scores is not None and train.scores.ndim == 2 else None,
        score_dtype=None if train.scores is None else str(train.scores.dtype),
        score_columns=1 if train.scores is None or train.scores.ndim == 1 else train.scores.shape[1],
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _leaks(prepared: Prepared) -> list[str]:
    label = prepared.workflow.label
    if label is None or label not in prepared.workflow.features:
        return []
    return [f"the label {label} is among the features: the model may copy it, and its metrics say nothing"]


def _scores_of(prepared: Prepared, model: Any, split: Any) -> NDArray[Any] | None:
    parts = [score_frame(prepared, model, frame) for frame in chunks(split)]
    return _joined(parts)


def _joined(parts: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    there = [part for part in parts if part is not None]
    return None if len(there) != len(parts) or not there else np.concatenate(there) if len(there) > 1 else there[0]


def _score_holdout(
    prepared: Prepared, model: Any, splits: Splits, classes: tuple[Any, ...] | None, folder: Path, warnings: list[str]
) -> _Split:
    """Scores the holdout frame by frame and stores every row beside its score."""
    scores: list[NDArray[Any] | None] = []
    slices: dict[str, list[Any]] = {name: [] for name in prepared.request.evaluation.slices}
    with HoldoutFile(folder / "holdout.parquet", classes) as file:
        for frame in chunks(splits.holdout):
            scores.append(score_frame(prepared, model, frame))
            file.add(frame, scores[-1])
            for name, parts in slices.items():
                if name in columns_of(frame):
                    parts.append(column_of(frame, name))
    if not scores:
        raise AttemptError(
            "empty_holdout", "the holdout has no rows after fetch and preprocess", mend="move the holdout's bounds"
        )
    warnings += [f"the holdout's own column {name} is stored as data.{name}" for name in file.renamed]
    kept = {name: np.concatenate(parts) for name, parts in slices.items() if parts} | splits.slices
    warnings += [
        f"the slice column {name} is not in the holdout after preprocess" for name in slices if name not in kept
    ]
    label = prepared.workflow.label
    return _Split(
        "holdout",
        splits.holdout,
        _joined(scores),
        None if label is None else label_of(splits.holdout, label, "the holdout"),
        kept,
    )


def _classes(model: Any, scores: NDArray[Any] | None, label: Any) -> tuple[Any, ...] | None:
    """The model's own classes where the label's are among them, else the label's where their number fits the scores."""
    if scores is None or label is None:
        return None
    present = {plain(value) for value in np.unique(np.asarray(label)).tolist()}
    own = _own_classes(model)
    if own is not None and present <= set(own) and (scores.ndim == 1 or scores.shape[1] == len(own)):
        return own
    if task_of(label) == "binary" if scores.ndim == 1 else len(present) == scores.shape[1]:
        return tuple(sorted(present))
    return None


def _own_classes(model: Any) -> tuple[Any, ...] | None:
    try:
        classes = np.asarray(model.classes_)
    except Exception:  # no such attribute, or a property that needs more than there is
        return None
    return tuple(plain(value) for value in classes.tolist()) if classes.ndim == 1 and len(classes) > 1 else None


def _evaluated(prepared: Prepared, split: _Split, classes: tuple[Any, ...] | None, task: Task | None) -> Evaluated:
    if split.label is None or split.scores is None:
        return evaluate(None, None)
    wanted = prepared.request.evaluation
    try:
        return evaluate(
            split.label,
            split.scores,
            thresholds=wanted.thresholds,
            metrics=wanted.metrics,
            slices=split.slices or None,
            classes=classes,
            task=task,
        )
    except Invalid as error:
        reason: EndReason = "bad_label" if error.code == "bad_label" else "user_code"
        raise AttemptError(reason, f"{split.name}: {error.message}", mend=error.mend, evidence=error.detail) from None


def _metrics(prepared: Prepared, split: _Split, evaluated: Evaluated, warnings: list[str]) -> dict[str, float | None]:
    """The platform's metrics and those of the workflow's own `evaluate`, whose names win."""
    found = dict(evaluated.metrics)
    with user_code("evaluate", prepared.project):
        own = prepared.workflow.evaluate(own_copy(split.frame), split.scores)
    if not isinstance(own, Mapping):
        raise wrong_return("evaluate", "a dict of numbers by name", own)
    _merge(found, _numbers(own, "evaluate", warnings), "evaluate", warnings)
    return found


def _numbers(given: Mapping[str, Any], source: str, warnings: list[str]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, value in given.items():
        number = value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value
        if not isinstance(name, str) or isinstance(number, bool) or not isinstance(number, numbers.Real):
            raise AttemptError(
                "user_code",
                f"{source} must hold numbers by name; {name!r} is {_shown(value)}",
                mend="return float(value) for each metric; anything else belongs into TrainResult(extra=…)",
            )
        found[name] = float(number) if math.isfinite(number) else None
        if found[name] is None:
            warnings.append(f"the metric {name} is {number}: null")
    return found


def _merge(found: dict[str, float | None], own: dict[str, float | None], source: str, warnings: list[str]) -> None:
    warnings += [
        f"the metric {name} is the workflow's own ({source}), not the platform's" for name in own if name in found
    ]
    found.update(own)


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{text[:77]}…" if len(text) > 78 else f"{text} ({type(value).__name__})"


def _rows(split: Any) -> int | None:
    if isinstance(split, Batches):
        return sum(rows_of(frame) or 0 for frame in split)
    return rows_of(split)


def _write_report(path: Path, report: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, ensure_ascii=False, allow_nan=False, separators=(",", ":")), encoding="utf-8")
