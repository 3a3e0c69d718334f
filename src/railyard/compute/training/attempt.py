"""One attempt from request to result: prepare, fetch, train, evaluate, save.

Reads top to bottom; each step's work is next door.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from railyard.compute.training.clock import StepClock
from railyard.compute.training.evaluating import assess
from railyard.compute.training.fitted import fit
from railyard.compute.training.labels import check_training_label, first_labels, label_of
from railyard.compute.training.prepare import prepare, set_seeds
from railyard.compute.training.results import code_info, keep_snapshots, list_artifacts
from railyard.compute.training.saving import model_info, save_model, take_sample, write_bundle
from railyard.compute.training.splits import MOST_TRAINING_ROWS_SCORED, fetch_splits, first_chunk, sample
from railyard.compute.training.verify import MOST_ROWS, store_sample
from railyard.compute.workflows.batches import Batches
from railyard.compute.workflows.discovery import load
from railyard.compute.workflows.reporter import Reporter
from railyard.compute.workflows.workflow import Workflow
from railyard.spec.attempt import AttemptSpec
from railyard.spec.result import ResultManifest


def train(
    spec: AttemptSpec,
    folder: Path,
    reporter: Reporter,
    verify: Callable[[Path], None],
    *,
    workflow: type[Workflow[Any]] | None = None,
) -> ResultManifest:
    """Carries out an attempt in `folder`, which must hold no `artifacts` yet.

    Writes `artifacts/model/` (the bundle) and `artifacts/evaluation/` (`report.json`, `holdout.parquet`), and what
    `verify` reads: it is called with `folder` and must raise unless a second process makes the same scores. `workflow`
    spares the loading where the caller has the class. Raises AttemptError with the step it happened in.
    """
    clock = StepClock(reporter)
    scratch, artifacts = folder / "scratch", folder / "artifacts"
    with clock.step("prepare"):
        project = Path(spec.code.folder)
        kind = workflow or load(project, spec.request.train.workflow_name)
        prepared = prepare(
            kind, spec.request, project, job_id=spec.job_id, seed=spec.seed, scratch=scratch, reporter=reporter
        )
        set_seeds(spec.seed)
    with clock.step("fetch"):
        splits = fetch_splits(prepared, spec.data, scratch)
        label = prepared.workflow.label
        if label is not None:
            check_training_label(
                first_labels(splits.training, label), label, whole=not isinstance(splits.training, Batches)
            )
    with clock.step("train"):
        fitted = fit(prepared, splits)
    with clock.step("evaluate"):
        if fitted.eval_frame is not None:
            splits = dataclasses.replace(splits, holdout=fitted.eval_frame, slices={})
        scored = sample(splits.training, MOST_TRAINING_ROWS_SCORED, spec.seed)
        values = None if label is None else label_of(scored, label, "the training split")
        assessment = assess(prepared, fitted, splits, scored, values, artifacts / "evaluation")
    with clock.step("save"):
        rows = first_chunk(scored if splits.holdout is None else splits.holdout, MOST_ROWS)
        checked = take_sample(prepared, fitted.model, rows)
        saved, notes = save_model(prepared, fitted.model, checked, artifacts / "model")
        bundle = write_bundle(prepared, fitted.model, saved, checked, assessment, spec, artifacts / "model")
        notes += store_sample(spec, prepared, checked, folder)
        verify(folder)
        keep_snapshots(splits.snapshots, artifacts / "data")
        listed = list_artifacts(artifacts)
    return ResultManifest(
        attempt=spec.name,
        workflow_name=spec.request.train.workflow_name,
        task=assessment.task,
        data=splits.summary,
        metrics=assessment.metrics,
        steps=clock.steps,
        artifacts=listed,
        model=model_info(bundle, prepared),
        code=code_info(spec.code),
        seed=spec.seed,
        extra=fitted.extra,
        warnings=splits.warnings + assessment.warnings + tuple(notes),
    )
