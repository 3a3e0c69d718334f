from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from railyard.client.attempt import AttemptClient
from railyard.client.transport import Transport
from railyard.errors import Conflict, Unauthorized, Unavailable
from railyard.spec.attempt import Failure, Heartbeat, LogChunk, LogLine, MetricBatch, MetricPoint, Started
from railyard.spec.result import ErrorReport

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def client(answer: Callable[[httpx2.Request], httpx2.Response]) -> AttemptClient:
    http = httpx2.MockTransport(answer)
    return AttemptClient(Transport("http://server:1", "ra_token", http=http, sleep=lambda _: None), "jabc-1")


def test_every_report_goes_to_its_place_with_the_attempt_s_token(tmp_path: Path) -> None:
    calls: list[tuple[str, str, object]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["authorization"] == "Bearer ra_token"
        body = request.read()
        sent = json.loads(body) if request.headers["content-type"] == "application/json" else body
        calls.append((request.method, request.url.raw_path.decode(), sent))
        return httpx2.Response(200, json={"cancel_requested": True, "new_key": 1})

    attempt = client(answer)
    file = tmp_path / "m.bin"
    file.write_bytes(b"bytes")
    attempt.started(Started(node="n", pid=1, clock=NOW))
    assert attempt.heartbeat(Heartbeat()).cancel_requested
    attempt.logs(LogChunk(first_line=1, lines=(LogLine(at=NOW, source="stdout", text="ü"),)))
    attempt.metrics(MetricBatch(first=1, points=(MetricPoint(name="loss", value=None, at=NOW),)))
    attempt.put_artifact("model/a b%.bin", file)
    attempt.fail(Failure(error=ErrorReport(code="lost", message="gone")))
    assert [(method, path) for method, path, _ in calls] == [
        ("POST", "/v1/attempts/jabc-1/started"),
        ("POST", "/v1/attempts/jabc-1/heartbeat"),
        ("POST", "/v1/attempts/jabc-1/logs"),
        ("POST", "/v1/attempts/jabc-1/metrics"),
        ("PUT", "/v1/attempts/jabc-1/artifacts/model/a%20b%25.bin"),
        ("POST", "/v1/attempts/jabc-1/fail"),
    ]
    assert calls[2][2]["lines"][0]["text"] == "ü"  # type: ignore[index]
    assert calls[4][2] == b"bytes"


@pytest.mark.parametrize(("status", "kind"), [(503, Unavailable), (401, Unauthorized), (409, Conflict)])
def test_a_call_is_sent_once_and_its_error_is_raised(status: int, kind: type[Exception]) -> None:
    calls = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        calls.append(request.url.path)
        return httpx2.Response(status, json={"error": {"code": "x", "message": "no"}})

    with pytest.raises(kind):
        client(answer).spec()
    assert len(calls) == 1


def test_an_answer_that_is_not_ours_is_a_value_error() -> None:
    with pytest.raises(ValueError):
        client(lambda _: httpx2.Response(200, text="<html>")).spec()
