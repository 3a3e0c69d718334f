"""The OpenAPI document is the contract: complete, with examples and errors; every code has a page."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

import railyard
from railyard import errors
from railyard.control.api import examples
from railyard.control.api.app import openapi_document
from railyard.control.api.help_pages import PAGES
from railyard.spec.reasons import EndReason, WaitReason
from railyard.spec.records import Attempt, Event, Job, JobResult, Model, NumberedLine, Plan
from railyard.spec.request import TrainingRequest
from railyard.spec.result import Artifact

SOURCE = Path(railyard.__file__).parent
DOCUMENT = openapi_document()
OPERATIONS = [
    pytest.param(method, path, operation, id=f"{method} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
NO_ERRORS = {"check_alive", "get_style"}


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_every_operation_is_named_summarised_and_tells_its_errors(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    name = operation["operationId"]
    assert name == name.lower()
    assert "_" in name
    assert operation["summary"]
    assert not operation["summary"].endswith(".")
    failures = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
    assert failures or name in NO_ERRORS
    for status, answer in failures.items():
        if "text/html" in answer.get("content", {}):
            continue
        schema = answer["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}, f"{status} of {name} has another shape"
    if path.startswith("/v1/"):
        assert "401" in failures
        assert operation["security"]


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_every_answer_with_a_body_has_an_example(method: str, path: str, operation: dict[str, Any]) -> None:
    if path.startswith("/v1/attempts/"):
        return  # the runner's protocol stands in spec/attempt.py
    for status, answer in operation["responses"].items():
        for media in answer.get("content", {}).values():
            assert "example" in media or "examples" in media, f"{status} of {operation['operationId']}"


def test_operation_ids_are_unique() -> None:
    names = [parameter.values[2]["operationId"] for parameter in OPERATIONS]  # type: ignore[index, call-overload]
    assert len(names) == len(set(names))


def test_the_body_of_a_submit_is_the_training_request() -> None:
    body = DOCUMENT["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/TrainingRequest"}
    assert "workflow_name" in DOCUMENT["components"]["schemas"]["Train"]["properties"]


@pytest.mark.parametrize(
    ("kind", "example"),
    [
        (TrainingRequest, examples.REQUEST),
        (Job, examples.JOB),
        (Plan, examples.PLAN),
        (Attempt, examples.ATTEMPT),
        (Event, examples.EVENT),
        (NumberedLine, examples.LINE),
        (Artifact, examples.ARTIFACT),
        (JobResult, examples.RESULT),
        (Model, examples.MODEL),
    ],
)
def test_an_example_is_what_it_shows(kind: type, example: dict[str, Any]) -> None:
    found = TypeAdapter(kind).validate_python(example)
    assert set(example) <= set(found.model_dump(mode="json"))


def _raised() -> dict[str, str]:
    """Every code that a line of the tree can raise, with the file."""
    kinds = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.RailyardError)
    }
    found: dict[str, str] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                if called in kinds and given and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str):
                    found[given[0].value] = str(file.relative_to(SOURCE))
            elif isinstance(node, ast.ClassDef) and {getattr(base, "id", "") for base in node.bases} & kinds:
                for line in node.body:
                    if isinstance(line, ast.Assign):
                        found.update(_assigned(line, str(file.relative_to(SOURCE))))
    return found


def _assigned(line: ast.Assign, file: str) -> dict[str, str]:
    target, value = line.targets[0], line.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = list(zip(target.elts, value.elts, strict=True))
    else:
        pairs = [(target, value)]
    return {
        str(value.value): file
        for name, value in pairs
        if getattr(name, "id", "") == "code" and isinstance(value, ast.Constant)
    }


def test_every_code_that_can_be_raised_has_a_page() -> None:
    assert {code: file for code, file in _raised().items() if code not in PAGES} == {}


def test_every_reason_of_a_job_has_a_page() -> None:
    assert {*get_args(EndReason), *get_args(WaitReason)} - set(PAGES) == set()


def test_no_page_explains_what_nobody_raises() -> None:
    reasons = {*get_args(EndReason), *get_args(WaitReason)}
    assert set(PAGES) - set(_raised()) - reasons == set()


@pytest.mark.parametrize("code", sorted(PAGES))
def test_a_page_says_what_it_means_and_what_to_do(code: str) -> None:
    page = PAGES[code]
    assert page.title
    assert page.means.endswith((".", ";"))
    assert page.do.endswith(".")
    assert page.text.count("`") % 2 == 0
