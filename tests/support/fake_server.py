"""A server in memory that answers like the API, for tests of the client and the command line."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2

from railyard.client.client import Client

URL = "http://127.0.0.1:8787"
JOB_ID = "j81f3k2abq"
Answer = Any
"""A JSON value, an httpx2.Response, an exception, or a function of the request that gives one of these."""


def job(**changes: Any) -> dict[str, Any]:
    """A job resource, running."""
    return {
        "job_id": JOB_ID, "seq": 7, "state": "running", "reason": None, "message": None, "model_name": "fraud",
        "model_description": "A model to predict fraud", "owner": "risk", "project": "charges", "trainer": "robstory",
        "submitted_by": "admin", "workflow_name": "FraudModel", "code": "c3fa9c1d20b7e", "compute_resource": "CPU",
        "attempt": 1, "step": "train", "created_at": "2026-11-21T09:12:00Z", "started_at": "2026-11-21T09:12:01Z",
        "steps": [{"name": "fetch", "started_at": "2026-11-21T09:12:01Z", "finished_at": "2026-11-21T09:12:02Z", "seconds": 1.2},
                  {"name": "train", "started_at": "2026-11-21T09:12:02Z"}],
        "cost": {"amount": None, "core_hours": 0.5, "basis": "unpriced"},
    } | changes  # fmt: skip


def succeeded(**changes: Any) -> dict[str, Any]:
    """A job that succeeded."""
    data = {
        "fingerprint": {"sha256": "ab", "files": [], "schema": {}, "rows": 9}, "rows_read": 20000, "rows_after_filters": 9320,
        "rows_train": 7012, "rows_holdout": 2308, "columns": ["a"], "columns_available": 5, "bytes_read": 10, "bytes_total": 20,
    }  # fmt: skip
    return job(
        state="succeeded",
        step=None,
        finished_at="2026-11-21T09:12:13Z",
        steps=[{"name": "fetch", "started_at": "2026-11-21T09:12:01Z", "finished_at": "2026-11-21T09:12:02Z", "seconds": 1.2}],
        model_id="fraud:3fa9c1d20b7e",
        metrics={"train": {"auc": 0.94}, "holdout": {"auc": 0.912, "log_loss": None}},
        data=data,
        cost={"amount": "0.0031", "currency": "USD", "basis": "metered", "core_hours": 0.003, "formula": "1 cpu × 12 s"},
    ) | changes  # fmt: skip


def failed(**changes: Any) -> dict[str, Any]:
    """A job that failed for want of memory."""
    report = {
        "code": "out_of_memory",
        "message": "the worker needed more than its 4.0 GiB",
        "mend": f"railyard job rerun {JOB_ID} --compute HIGH_MEMORY",
        "step": "train",
        "traceback": 'Traceback:\n  File "workflows/fraud.py", line 31, in train\n    model.fit(x, y)\nMemoryError: no room\n',
        "evidence": {"peak_memory": 4403241779, "memory_limit": 4294967296, "signal": 9},
    }
    return job(
        state="failed", reason="out_of_memory", finished_at="2026-11-21T09:12:13Z", error=report, steps=[], **changes
    )


def result(**changes: Any) -> dict[str, Any]:
    """What a job delivered."""
    return {
        "job_id": JOB_ID, "state": "succeeded", "reason": None, "attempt": 1, "model_id": "fraud:3fa9c1d20b7e", "task": "binary",
        "workflow_name": "FraudModel", "request": "{}", "resolved_request": {}, "code": {}, "data": None, "artifacts": [],
        "metrics": {}, "steps": [], "node": None, "compute_resource": "CPU", "cost": {}, "error": None, "seed": 0,
    } | changes  # fmt: skip


def line(number: int, text: str, source: str = "stdout", attempt: int = 1) -> dict[str, Any]:
    """A log line."""
    return {"line": number, "attempt": attempt, "at": "2026-11-21T09:12:03Z", "source": source, "text": text}


def problem(status: int, code: str, message: str, **more: Any) -> httpx2.Response:
    """An error answer."""
    return httpx2.Response(status, json={"error": {"code": code, "message": message, **more}})


class FakeServer:
    """Answers by method and path; a list of answers is worked off, its last one stays."""

    def __init__(self, routes: dict[str, Answer] | None = None) -> None:
        self.routes: dict[str, Answer] = dict(routes or {})
        self.requests: list[httpx2.Request] = []

    def client(self) -> Client:
        return Client(URL, "ry_secret", http=httpx2.MockTransport(self._answer))

    def asked(self, what: str) -> list[httpx2.Request]:
        """The requests of this `METHOD path`."""
        return [request for request in self.requests if f"{request.method} {request.url.path}" == what]

    def sent(self, what: str) -> Any:
        """The JSON body of the last request of this `METHOD path`."""
        return json.loads(self.asked(what)[-1].content)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        what = f"{request.method} {request.url.path}"
        found = next((answer for route, answer in self.routes.items() if re.fullmatch(route, what)), None)
        if found is None:
            return problem(404, "not_found", f"there is nothing at {request.url.path}")
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if callable(found):
            found = found(request)
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, httpx2.Response) else httpx2.Response(200, json=found)
