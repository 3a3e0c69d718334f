"""Questions that the control plane asks because it carries no data library and runs no user code: plan and discover.

Answered in a process that ends afterwards: forked from a warm interpreter, or started with the question on stdin.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from railyard.compute.data import plan
from railyard.compute.runner.failures import report_of
from railyard.compute.runner.landlock import write_only_below
from railyard.compute.workflows.defaults import resolve_request
from railyard.compute.workflows.discovery import describe, discover, load
from railyard.spec.attempt import PlanAnswer, PlanQuestion
from railyard.spec.base import JsonObject, dump


def answer_to(question: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """{"answer": …}, or {"error": sentence} where there is none. What user code prints goes to stderr."""
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    write_only_below([Path("/tmp"), Path("/var/tmp"), Path("/dev")])  # noqa: S108
    handler = QUESTIONS.get(question)
    if handler is None:
        return {"error": f"expected a question of {', '.join(QUESTIONS)}; got {question}"}
    try:
        return {"answer": handler(body)}
    except Exception as error:
        return {"error": f"{question}: {type(error).__name__}: {error}"}


def answer_plan(body: Mapping[str, Any]) -> dict[str, Any]:
    """A PlanQuestion's PlanAnswer; what is wrong with data or workflow stands in its `error`."""
    question = PlanQuestion.model_validate(body)
    request = question.request
    schema: JsonObject | None = None
    try:
        derived: tuple[str, ...] = ()
        if question.code.folder:
            name = request.train.workflow_name
            workflow = load(Path(question.code.folder), name)
            derived = tuple(workflow.derives)
            schema = describe(workflow, name).param_schema
            request = resolve_request(workflow, request)
        found = plan(request, question.data, derived)
    except Exception as error:
        folder = Path(question.code.folder) if question.code.folder else None
        report = report_of(error, step="prepare", code_folder=folder)
        nothing = PlanAnswer(columns={}, rows_total=None, rows_estimated=None, bytes_estimated=None, files=0)
        return dump(nothing.model_copy(update={"param_schema": schema, "error": report}))
    return dump(
        PlanAnswer(
            columns=dict(found.columns),
            rows_total=found.rows_total,
            rows_estimated=found.rows_estimated,
            bytes_estimated=found.bytes_estimated,
            files=found.files,
            param_schema=schema,
        )
    )


def answer_discover(body: Mapping[str, Any]) -> dict[str, Any]:
    """{"workflows": [WorkflowInfo, …]} of {"folder": …}."""
    return {"workflows": [dump(info) for info in discover(Path(str(body["folder"])))]}


QUESTIONS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "plan": answer_plan,
    "discover": answer_discover,
}
