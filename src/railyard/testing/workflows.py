"""Tests of workflows in three lines, on the very code that carries out a job.

def test_fraud_learns():
    done = perform(Fraud, frame, label="is_fraud", features=["amount", "country"])
    assert done.metrics.holdout["auc"] > 0.8
"""

from __future__ import annotations

import getpass
import inspect
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from railyard.bundles.read import check
from railyard.compute.training import train, verify_saved
from railyard.compute.training.prepare import prepare
from railyard.compute.training.saving import load_model
from railyard.compute.workflows.frames import kind_of, to_table
from railyard.compute.workflows.reporter import Reporter, SilentReporter
from railyard.compute.workflows.workflow import Workflow
from railyard.errors import ConfigurationError
from railyard.spec.attempt import AttemptSpec, CodeRef, DataAccess, Limits
from railyard.spec.jsonc import merge_patch
from railyard.spec.request import TrainingRequest
from railyard.spec.result import Metrics, ResultManifest
from railyard.validation import check_request


@dataclass(frozen=True)
class Performed:
    """What one training made."""

    model: Any
    """As it comes back from the saved bundle: what a server would load."""
    metrics: Metrics
    manifest: ResultManifest
    folder: Path
    """Holds `artifacts/model` and `artifacts/evaluation`, as long as this object lives."""


def perform(
    workflow: type[Workflow[Any]],
    frame: Any,
    *,
    request: Mapping[str, Any] | None = None,
    label: str | None = None,
    features: Sequence[str] | None = None,
    custom_params: Mapping[str, Any] | None = None,
    holdout: float | None = 0.25,
    seed: int = 0,
    folder: Path | None = None,
    reporter: Reporter | None = None,
) -> Performed:
    """Trains a workflow class on a frame (pandas, Polars, Arrow) or the path of a Parquet file, as a job would.

    `holdout` is the random share held out; None for none. `request` is merged over the request that is made of the
    other arguments (RFC 7396), so that a test may set filters or a DATE_RANGE. The saved model is loaded again and must
    reproduce its scores, in this process. Everything is written below `folder`; by default below a temporary one that
    goes with the answer. Raises AttemptError as the job would fail, and Invalid where the request does not hold.
    """
    if folder is not None:
        return _perform(workflow, frame, Path(folder), request, label, features, custom_params, holdout, seed, reporter)
    place = Path(tempfile.mkdtemp(prefix="railyard-perform-"))
    try:
        done = _perform(workflow, frame, place, request, label, features, custom_params, holdout, seed, reporter)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    weakref.finalize(done, shutil.rmtree, place, ignore_errors=True)
    return done


def _perform(
    workflow: type[Workflow[Any]],
    frame: Any,
    place: Path,
    request: Mapping[str, Any] | None,
    label: str | None,
    features: Sequence[str] | None,
    custom_params: Mapping[str, Any] | None,
    holdout: float | None,
    seed: int,
    reporter: Reporter | None,
) -> Performed:
    place.mkdir(parents=True, exist_ok=True)
    source = _parquet(frame, place)
    given = _request(workflow, source, label, features, custom_params, holdout, seed)
    spec = _spec(workflow, check_request(merge_patch(given, dict(request or {}))))
    manifest = train(
        spec, place, reporter or SilentReporter(), partial(verify_saved, workflow=workflow), workflow=workflow
    )
    prepared = prepare(
        workflow,
        spec.request,
        Path(spec.code.folder),
        job_id=spec.job_id,
        seed=spec.seed,
        scratch=place / "scratch",
        reporter=SilentReporter(),
    )
    bundle = check(place / "artifacts" / "model")
    return Performed(load_model(prepared, bundle.manifest, bundle.folder), manifest.metrics, manifest, place)


def _parquet(frame: Any, place: Path) -> Path:
    if isinstance(frame, str | Path):
        return Path(frame).absolute()
    if kind_of(frame) == "other":
        raise ConfigurationError(
            f"expected a pandas, Polars or Arrow frame, or the path of a Parquet file; got a {type(frame).__name__}"
        )
    import pyarrow.parquet as pq

    path = place / "data.parquet"
    pq.write_table(to_table(frame), path)
    return path


def _request(
    workflow: type[Workflow[Any]],
    source: Path,
    label: str | None,
    features: Sequence[str] | None,
    custom_params: Mapping[str, Any] | None,
    holdout: float | None,
    seed: int,
) -> dict[str, Any]:
    import pyarrow.parquet as pq

    names = pq.read_schema(source).names if source.is_file() else []
    sampling = {"sampling_function": "RANDOM", "random_sampling": {"fraction": holdout, "seed": seed}}
    return {
        "model_description": f"{workflow.__name__} under test",
        "model_name": "under-test",
        "owner": "tests",
        "project": "tests",
        "trainer": _user(),
        "data": {
            "features": [{"names": names, "source": "file", "path": str(source)}],
            **({} if holdout is None else {"holdout_sampling": sampling}),
        },
        "train": {
            "workflow_name": workflow.__name__,
            "custom_params": dict(custom_params or {}),
            **({} if label is None else {"label": label}),
            **({} if features is None else {"classifier_features": list(features)}),
        },
        "seed": seed,
    }


def _spec(workflow: type[Workflow[Any]], request: TrainingRequest) -> AttemptSpec:
    return AttemptSpec(
        name="test-1",
        job_id="test",
        number=1,
        request=request,
        seed=request.seed,
        code=CodeRef(folder=str(_home(workflow))),
        data=DataAccess(),
        limits=Limits(cpu=1, memory_bytes=2**32),
    )


def _home(workflow: type[Workflow[Any]]) -> Path:
    """The folder of the class's file, whose frames count as the user's; the current one for a class of a notebook."""
    try:
        file = inspect.getsourcefile(workflow)
    except (OSError, TypeError):
        file = None
    return Path(file).parent if file else Path.cwd()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name
        return "tests"


__all__ = ["Performed", "perform"]
