"""Every operation of the API has a command and a method of the client, shown by running them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fake_server import JOB_ID, URL, FakeServer, job, result, succeeded

from railyard.client.client import Client

app = pytest.importorskip("railyard.control.api.app", reason="the extra `server` is not installed")

EXEMPT = dict(
    line.split(None, 1)
    for line in (Path(__file__).parent / "cli_exempt.txt").read_text().splitlines()
    if line and not line.startswith("#")
)
NO_SDK = set(EXEMPT) - {"get_server_metrics"}

CODE = {
    "code_id": "c3fa9c1d20b7e", "project": "fraud", "sha256": "3f", "bytes": 10, "state": "ready",
    "created_at": "2026-11-21T09:11:00Z", "created_by": "me",
}  # fmt: skip
TOKEN = {"token_id": "t1", "user": "ci", "teams": [], "scopes": ["submit"], "created_at": "2026-11-21T09:12:03Z"}
EMPTY = {"items": [], "next": None}
MODEL = {
    "model_id": "fraud:3fa9c1d20b7e", "name": "fraud", "manifest_sha256": "3f", "owner": "o", "project": "p", "description": "d",
    "job_id": JOB_ID, "attempt": 1, "workflow_name": "W", "code": None, "git_sha": None, "dirty": False, "experimental": False,
    "uri": "u", "metrics": {}, "data_sha256": None, "created_at": "2026-11-21T09:11:00Z", "seq": 1,
    "info": {"manifest_sha256": "3f", "format": "f", "pickled": False, "bytes": 1, "framework": "x", "framework_version": "1",
             "features": [], "label": None},
}  # fmt: skip
WORKFLOW = {"name": "W", "project": "p", "code": "c1", "deployed": True, "info": {"name": "W", "file": "w.py"}}
STREAM = httpx2.Response(200, headers={"content-type": "text/event-stream"}, text="event: end\ndata: {}\n\n")
ROUTES: dict[str, Any] = {
    "POST /v1/jobs": httpx2.Response(202, json=job()),
    "GET /v1/jobs": EMPTY,
    "GET /v1/jobs/compare": {"jobs": [job(), job()], "metrics": {}, "params": {}, "request": {}, "data": {}},
    "GET .*/stream": STREAM,
    "GET .*/logs": {"lines": [], "next": 0, "complete": False},
    "GET .*/request": httpx2.Response(200, text="{}"),
    "GET .*/evaluation": {},
    "GET .*/result": result(),
    "GET .*/artifacts/m.json": httpx2.Response(200, content=b"x"),
    "GET /v1/jobs/[^/]+/(attempts|events|metrics|artifacts)": EMPTY,
    "GET /v1/jobs/[^/]+": succeeded(),
    "POST .*/(cancel|rerun)": httpx2.Response(202, json=job()),
    "GET /v1/(workflows|code|models|compute|tokens)": EMPTY,
    "GET /v1/workflows/W": WORKFLOW,
    "GET /v1/models/fraud:3fa9c1d20b7e": MODEL,
    "GET /v1/code/c3fa9c1d20b7e": CODE,
    "POST /v1/code(/.*/deploy)?": httpx2.Response(201, json=CODE),
    "POST /v1/tokens": httpx2.Response(201, json={"token": "ry_x", "info": TOKEN}),
    "DELETE /v1/tokens/t1": TOKEN,
    "GET /v1/config": {"settings": []},
    "GET /v1/whoami": {"user": "admin", "teams": [], "scopes": [], "server": URL, "version": "0.1.0"},
    "POST /v1/login-links": httpx2.Response(201, json={"url": f"{URL}/login?code=x", "expires_in_seconds": 600}),
    "GET /healthz": {"status": "ok", "version": "0.1.0"},
    "GET /readyz": {"ready": True, "database": True, "duties": {}},
    "GET /metrics": httpx2.Response(200, text="railyard_jobs 1"),
}

COMMANDS: dict[str, str] = {
    "check_alive": "doctor",
    "check_ready": "doctor",
    "submit_job": "train {request}",
    "list_jobs": "job list",
    "get_job": f"job show {JOB_ID}",
    "get_result": f"job show {JOB_ID} --result",
    "get_request": f"job show {JOB_ID} --request",
    "list_attempts": f"job show {JOB_ID} --attempts",
    "list_events": f"job show {JOB_ID} --events",
    "stream_events": f"job show {JOB_ID} --events --follow",
    "list_metric_points": f"job metrics {JOB_ID} --series",
    "get_evaluation": f"job show {JOB_ID} --evaluation",
    "list_log_lines": f"job logs {JOB_ID}",
    "stream_log_lines": f"job logs {JOB_ID} -f",
    "list_artifacts": f"job artifacts ls {JOB_ID}",
    "get_artifact": f"job artifacts get {JOB_ID} m.json --out {{folder}}",
    "compare_jobs": f"job compare {JOB_ID} {JOB_ID}",
    "cancel_job": f"job cancel {JOB_ID}",
    "rerun_job": f"job rerun {JOB_ID}",
    "list_workflows": "workflow list",
    "get_workflow": "workflow show W",
    "register_code": "deploy {project}",
    "list_code": "code list",
    "get_code": "code show c3fa9c1d20b7e",
    "deploy_code": "deploy {project}",
    "list_models": "model list",
    "get_model": "model show fraud:3fa9c1d20b7e",
    "list_compute": "compute list",
    "get_config": "config",
    "get_whoami": "whoami",
    "list_tokens": "token list",
    "create_token": "token create ci",
    "revoke_token": "token revoke t1",
    "create_login_link": "open",
}

METHODS: dict[str, Callable[[Client, Path], Any]] = {
    "check_alive": lambda client, _: client.server.alive(),
    "check_ready": lambda client, _: client.server.ready(),
    "get_server_metrics": lambda client, _: client.server.measures(),
    "submit_job": lambda client, _: client.train({}),
    "list_jobs": lambda client, _: list(client.jobs.list()),
    "get_job": lambda client, _: client.jobs.get(JOB_ID),
    "get_result": lambda client, _: client.jobs.result(JOB_ID),
    "get_request": lambda client, _: client.jobs.request(JOB_ID),
    "list_attempts": lambda client, _: client.jobs.attempts(JOB_ID),
    "list_events": lambda client, _: list(client.jobs.events(JOB_ID)),
    "stream_events": lambda client, _: list(client.jobs.events(JOB_ID, follow=True)),
    "list_metric_points": lambda client, _: list(client.jobs.metrics(JOB_ID)),
    "get_evaluation": lambda client, _: client.jobs.evaluation(JOB_ID),
    "list_log_lines": lambda client, _: list(client.jobs.logs(JOB_ID)),
    "stream_log_lines": lambda client, _: list(client.jobs.logs(JOB_ID, follow=True)),
    "list_artifacts": lambda client, _: client.jobs.artifacts(JOB_ID),
    "get_artifact": lambda client, folder: client.jobs.download(JOB_ID, "m.json", folder),
    "compare_jobs": lambda client, _: client.jobs.compare(JOB_ID, JOB_ID),
    "cancel_job": lambda client, _: client.jobs.cancel(JOB_ID),
    "rerun_job": lambda client, _: client.jobs.rerun(JOB_ID),
    "list_workflows": lambda client, _: client.workflows.list(),
    "get_workflow": lambda client, _: client.workflows.get("W"),
    "register_code": lambda client, folder: client.code.upload(folder),
    "list_code": lambda client, _: list(client.code.list()),
    "get_code": lambda client, _: client.code.get("c3fa9c1d20b7e"),
    "deploy_code": lambda client, folder: client.code.deploy(folder),
    "list_models": lambda client, _: list(client.models.list()),
    "get_model": lambda client, _: client.models.get("fraud:3fa9c1d20b7e"),
    "list_compute": lambda client, _: client.compute.list(),
    "get_config": lambda client, _: client.server.config(),
    "get_whoami": lambda client, _: client.whoami(),
    "list_tokens": lambda client, _: client.tokens.list(),
    "create_token": lambda client, _: client.tokens.create("ci"),
    "revoke_token": lambda client, _: client.tokens.revoke("t1"),
    "create_login_link": lambda client, _: client.server.login_link(),
}


def operations() -> dict[str, tuple[str, str]]:
    """Operation id to method and path, without the runner's own."""
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in app.openapi_document()["paths"].items()
        for method, operation in methods.items()
        if not path.startswith("/v1/attempts")
    }


OPERATIONS = operations()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "w.py").write_text("class W: ...\n")
    return tmp_path


def requested(server: FakeServer, operation: str) -> bool:
    method, template = OPERATIONS[operation]
    pattern = re.sub(r"\\\{[^}]*\\\}", "[^ ]+", re.escape(f"{method} {template}"))
    return any(re.fullmatch(pattern, f"{request.method} {request.url.path}") for request in server.requests)


def test_every_operation_has_a_command_or_a_stated_reason() -> None:
    assert set(OPERATIONS) - set(COMMANDS) - set(EXEMPT) == set()
    assert set(COMMANDS) & set(EXEMPT) == set()


def test_every_operation_has_a_method_of_the_client() -> None:
    assert set(OPERATIONS) - set(METHODS) - NO_SDK == set()


def test_nothing_is_listed_that_the_api_has_not() -> None:
    assert (set(COMMANDS) | set(METHODS) | set(EXEMPT)) - set(OPERATIONS) == set()


@pytest.mark.parametrize("operation", sorted(set(COMMANDS) & set(OPERATIONS)))
def test_the_command_calls_its_operation(
    operation: str, railyard: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    request = project.parent / f"{project.name}.json"
    request.write_text("{}")
    routes = dict(ROUTES)
    if operation == "register_code":
        routes.pop("GET /v1/code/c3fa9c1d20b7e")
    words = COMMANDS[operation].format(request=request, project=project, folder=project)
    ran = railyard(*words.split(), routes=routes)
    assert requested(ran.server, operation), ran.err


@pytest.mark.parametrize("operation", sorted(set(METHODS) & set(OPERATIONS)))
def test_the_method_calls_its_operation(operation: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    server = FakeServer(ROUTES)
    METHODS[operation](server.client(), project)
    assert requested(server, operation)
