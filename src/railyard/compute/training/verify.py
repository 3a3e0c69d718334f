"""A second process makes the scores again from the saved model: only then may a job succeed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from railyard.bundles.read import check
from railyard.compute.training.prepare import Prepared, prepare
from railyard.compute.training.saving import Sample, load_model
from railyard.compute.training.scoring import first_difference, one_thread, score_frame
from railyard.compute.workflows.discovery import load
from railyard.compute.workflows.reporter import SilentReporter
from railyard.compute.workflows.tracebacks import said, user_traceback
from railyard.compute.workflows.workflow import Workflow
from railyard.errors import AttemptError, RailyardError
from railyard.spec.attempt import AttemptSpec
from railyard.spec.base import Record
from railyard.spec.request import TrainingRequest

MOST_ROWS = 10_000
"""Rows that are scored again."""

_STATE = (
    "keep everything that score needs in the model: a new process has a new instance of the workflow, and new globals"
)


class _Wanted(Record):
    """verify.json: what it takes to load the workflow again. Holds no access to data: secrets are never written."""

    request: TrainingRequest
    project: str
    job_id: str
    seed: int
    scores: bool


def store_sample(spec: AttemptSpec, prepared: Prepared, sample: Sample, folder: Path) -> list[str]:
    """Writes verify.json, frame.pkl and scores.pkl into `folder`; answers warnings."""
    warnings = []
    scores = sample.scores
    if scores is not None:
        try:
            _dump(sample.frame, folder / "frame.pkl")
        except OSError:
            raise
        except Exception as error:
            warnings.append(
                f"the rows could not be handed to the check of the saved model ({said(error)}): it was only loaded"
            )
            scores = None
    else:
        warnings.append("the model does not score: the check of the saved model only loaded it")
    _dump(scores, folder / "scores.pkl")
    wanted = _Wanted(
        request=prepared.request,
        project=str(prepared.project),
        job_id=spec.job_id,
        seed=spec.seed,
        scores=scores is not None,
    )
    (folder / "verify.json").write_text(wanted.model_dump_json(by_alias=True, exclude_none=True), encoding="utf-8")
    return warnings


def verify_saved(folder: Path, *, workflow: type[Workflow[Any]] | None = None) -> None:
    """Loads workflow and model from an attempt's folder, scores the stored rows, compares bit for bit (NaN equals NaN).

    `workflow` spares the loading where the caller has the class (tests). Raises AttemptError `serialization` with the
    first row that differs and both values; `user_code` where the workflow itself does not load.
    """
    wanted = _Wanted.model_validate_json((folder / "verify.json").read_text(encoding="utf-8"))
    project = Path(wanted.project)
    kind = workflow or load(project, wanted.request.train.workflow_name)
    prepared = prepare(
        kind,
        wanted.request,
        project,
        job_id=wanted.job_id,
        seed=wanted.seed,
        scratch=folder / "scratch",
        reporter=SilentReporter(),
    )
    model = _load(prepared, folder / "artifacts" / "model")
    expected = _load_pickle(folder / "scores.pkl")
    if expected is None:
        return
    frame = _load_pickle(folder / "frame.pkl")
    try:
        with one_thread():
            got = score_frame(prepared, model, frame)
    except AttemptError as error:
        raise AttemptError(
            "serialization",
            f"the saved model cannot score in a new process: {error.message}",
            mend=_STATE,
            step="save",
            traceback=error.report.traceback,
        ) from error
    _compare(expected, got)


def _load(prepared: Prepared, folder: Path) -> Any:
    try:
        bundle = check(folder)
        model = load_model(prepared, bundle.manifest, folder)
    except Exception as error:
        traceback = (
            error.report.traceback if isinstance(error, AttemptError) else user_traceback(error, prepared.project)
        )
        message = error.message if isinstance(error, RailyardError) else said(error)
        raise AttemptError(
            "serialization",
            f"the saved model cannot be loaded in a new process: {message}",
            mend="define serialize and deserialize, or return a model of importable classes",
            step="save",
            traceback=traceback,
        ) from error
    if model is None:
        raise AttemptError("serialization", "deserialize must return the model; it returned None", step="save")
    return model


def _compare(expected: np.ndarray[Any, Any], got: Any) -> None:
    try:
        row = first_difference(expected, np.asarray(got))
    except ValueError as error:
        raise AttemptError(
            "serialization", f"the saved model scores in another form: {error}", mend=_STATE, step="save"
        ) from None
    if row is None:
        return
    before, after = expected[row].tolist(), got[row].tolist()
    raise AttemptError(
        "serialization",
        f"the saved model does not reproduce its scores: row {row} was {before!r} after training, "
        f"and is {after!r} in a new process",
        mend=f"{_STATE}; and score must not draw random numbers",
        step="save",
        evidence={"row": row, "rows": len(expected), "before": repr(before), "after": repr(after)},
    )


def _dump(value: Any, path: Path) -> None:
    # A pickle, because it alone keeps every dtype of every frame library (pandas categories, time zones, objects). It
    # is written and
    # read by one attempt, in a folder of its own, and never leaves it.
    with path.open("wb") as file:
        pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)


def _load_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301  see _dump
