"""The first step: the workflow's class becomes an instance that knows its features, label, parameters and context."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from railyard.compute.training.usercode import user_code
from railyard.compute.workflows.context import Context
from railyard.compute.workflows.defaults import resolve_request
from railyard.compute.workflows.params import convert
from railyard.compute.workflows.reporter import Reporter
from railyard.compute.workflows.workflow import Workflow, overrides, params_class
from railyard.errors import AttemptError, Invalid, describe
from railyard.spec.request import TrainingRequest


@dataclass(frozen=True)
class Prepared:
    """A workflow that is ready for its hooks."""

    workflow: Workflow[Any]
    request: TrainingRequest
    """With features and label as the workflow sees them: its own defaults where the request names none."""
    project: Path


def prepare(
    kind: type[Workflow[Any]],
    request: TrainingRequest,
    project: Path,
    *,
    job_id: str,
    seed: int,
    scratch: Path,
    reporter: Reporter,
) -> Prepared:
    """Makes the instance. Raises AttemptError `user_code`: parameters that do not fit, or a constructor that raises."""
    if overrides(kind, "serialize") != overrides(kind, "deserialize"):
        there, missing = ("serialize", "deserialize") if overrides(kind, "serialize") else ("deserialize", "serialize")
        raise AttemptError(
            "user_code", f"{kind.__name__} defines {there} without {missing}", mend=f"define {missing} too, or neither"
        )
    request = resolve_request(kind, request)
    with user_code("the parameter dataclass", project):
        params = _params(kind, request)
    with user_code("the constructor", project):
        workflow = kind()
    workflow.features = list(request.train.classifier_features)
    workflow.label = request.train.label
    workflow.params = params
    scratch.mkdir(parents=True, exist_ok=True)
    workflow.context = Context(job_id=job_id, scratch=scratch, seed=seed, reporter=reporter)
    return Prepared(workflow, request, project)


def set_seeds(seed: int) -> None:
    """Seeds the global generators that libraries fall back on, so that the same request gives the same model."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _params(kind: type[Workflow[Any]], request: TrainingRequest) -> Any:
    try:
        return convert(params_class(kind), request.train.custom_params)
    except Invalid as error:
        raise AttemptError(
            "user_code",
            f"{error.message}: {'; '.join(describe(problem) for problem in error.fields)}",
            mend=error.mend,
            evidence={"fields": [problem.model_dump() for problem in error.fields]},
        ) from None
