"""An attempt from its spec to its result over HTTP, as a runner calls it; what it delivered; its streams."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from api_bench import CODE_ID, ApiBench
from job_bench import Bench, request_value

from railyard.control.db.engine import Database
from railyard.spec.attempt import LogChunk, LogLine, MetricBatch, MetricPoint
from railyard.spec.base import dump

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def api(database: Database) -> ApiBench:
    return ApiBench(Bench(database))


@pytest.fixture
async def client(api: ApiBench) -> AsyncIterator[httpx2.AsyncClient]:
    async with api.client("submit") as found:
        yield found


def _runner(api: ApiBench, name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.bench.token(name)}"}


def _job(name: str) -> str:
    return name.rpartition("-")[0]


def _lines(first: int, *texts: str, source: str = "stdout") -> dict[str, Any]:
    lines = tuple(LogLine(at=NOW, source=source, text=text) for text in texts)  # type: ignore[arg-type]
    return dump(LogChunk(first_line=first, lines=lines))


async def _events(stream: httpx2.Response) -> list[tuple[str, str, Any]]:
    """Kind, id and data of every event until the stream ends; the last one has no id of its own."""
    found = []
    async for event in httpx2.EventSource(stream):
        place = "" if event.event == "end" else event.id or ""
        found.append((event.event, place, json.loads(event.data) if event.data else None))
    return found


async def test_a_whole_attempt_by_http(api: ApiBench, client: httpx2.AsyncClient) -> None:
    name = await api.bench.starting(resources={"cpu": 1.0})
    auth, path = _runner(api, name), f"/v1/attempts/{name}"
    spec = (await client.get(f"{path}/spec", headers=auth)).json()
    assert (spec["name"], spec["number"], spec["code"]["folder"]) == (name, 1, "/code")
    assert (spec["limits"]["memory_bytes"], spec["data"]["connections"]) == (2**30, {})
    started = {"node": "n1", "pid": 7, "clock": datetime.now(UTC).isoformat()}
    assert (await client.post(f"{path}/started", headers=auth, json=started)).status_code == 204
    beat = await client.post(f"{path}/heartbeat", headers=auth, json={"step": "fetch", "progress": 0.5})
    assert beat.json() == {"cancel_requested": False, "stale": False}
    assert (await client.get(f"/v1/jobs/{_job(name)}")).json()["step"] == "fetch"
    content = os.urandom(3 * 2**20)
    put = await client.put(f"{path}/artifacts/model/big.bin", headers=auth, content=content)
    digest = hashlib.sha256(content).hexdigest()
    assert put.json() == {"path": "model/big.bin", "sha256": digest, "bytes": len(content)}
    assert put.headers["etag"] == f'"{digest}"'
    manifest = dump(api.bench.deliver(name))
    manifest["artifacts"].append(
        {"kind": "data", "path": "model/big.bin", "sha256": digest, "bytes": len(content), "format": "bin"}
    )
    assert (await client.get(f"/v1/jobs/{_job(name)}/result")).json()["error"]["code"] == "job_not_final"
    committed = await client.post(f"{path}/commit", headers=auth, json=manifest)
    assert (committed.status_code, committed.json()["state"]) == (200, "succeeded")
    result = (await client.get(f"/v1/jobs/{_job(name)}/result")).json()
    assert result["model_id"] == committed.json()["model_id"]
    listed = (await client.get(f"/v1/jobs/{_job(name)}/artifacts")).json()["items"]
    assert [item["path"] for item in listed] == [item["path"] for item in result["artifacts"]]
    file = await client.get(f"/v1/jobs/{_job(name)}/artifacts/model/big.bin")
    assert file.content == content
    assert file.headers["etag"] == f'"{digest}"'
    assert file.headers["content-disposition"].startswith("attachment")
    again = {"If-None-Match": f'"{digest}"'}
    assert (await client.get(f"/v1/jobs/{_job(name)}/artifacts/model/big.bin", headers=again)).status_code == 304
    model = (await client.get(f"/v1/models/{result['model_id']}")).json()
    assert model["job_id"] == _job(name)
    assert (await client.get("/v1/models/fraud")).json()["items"] == [model]
    assert (await client.get("/v1/models")).json()["items"][0]["latest"] == result["model_id"]


async def test_only_the_attempts_own_token_opens_its_endpoints(api: ApiBench, client: httpx2.AsyncClient) -> None:
    name, other = await api.bench.running(), await api.bench.running()
    path = f"/v1/attempts/{name}/spec"
    assert (await client.get(path)).status_code == 401  # a user's token
    assert (await client.get(path, headers=_runner(api, other))).status_code == 401
    assert (await client.get(path, headers={"Authorization": ""})).status_code == 401
    assert (await client.get("/v1/attempts/nonsense/spec", headers=_runner(api, name))).status_code == 401
    assert (await client.get("/v1/jobs", headers=_runner(api, name))).status_code == 403


async def test_an_attempt_that_is_over_delivers_nothing_more(api: ApiBench, client: httpx2.AsyncClient) -> None:
    name = await api.bench.running()
    auth, path = _runner(api, name), f"/v1/attempts/{name}"
    failure = {"error": {"code": "user_code", "message": "it raised"}, "log_lines": 0}
    assert (await client.post(f"{path}/fail", headers=auth, json=failure)).status_code == 204
    put = await client.put(f"{path}/artifacts/model/x", headers=auth, content=b"x")
    assert (put.status_code, put.json()["error"]["code"]) == (409, "stale_attempt")
    assert (await client.post(f"{path}/heartbeat", headers=auth, json={})).json()["stale"] is True
    job = (await client.get(f"/v1/jobs/{_job(name)}")).json()
    assert (job["state"], job["reason"]) == ("failed", "user_code")
    result = (await client.get(f"/v1/jobs/{_job(name)}/result")).json()
    assert (result["error"]["message"], result["artifacts"]) == ("it raised", [])


async def test_an_artifact_never_changes_and_the_same_bytes_are_welcome(
    api: ApiBench, client: httpx2.AsyncClient
) -> None:
    name = await api.bench.running()
    auth, path = _runner(api, name), f"/v1/attempts/{name}/artifacts/model/x"
    assert (await client.put(path, headers=auth, content=b"one")).status_code == 200
    assert (await client.put(path, headers=auth, content=b"one")).status_code == 200
    changed = await client.put(path, headers=auth, content=b"two")
    assert (changed.status_code, changed.json()["error"]["code"]) == (409, "artifact_exists")


@pytest.mark.parametrize("path", ["../other/1/model", "%2e%2e/x", "a//b", "a%5Cb", "a%00b", "%2Fetc/passwd", ""])
async def test_an_artifacts_path_cannot_leave_its_attempt(api: ApiBench, client: httpx2.AsyncClient, path: str) -> None:
    name = await api.bench.running()
    answer = await client.put(f"/v1/attempts/{name}/artifacts/{path}", headers=_runner(api, name), content=b"x")
    assert answer.status_code in (404, 405, 422)
    stored = [entry.key for entry in api.bench.artifacts.list()]
    assert [key for key in stored if not key.startswith(f"jobs/{_job(name)}/1/")] == []


async def test_a_body_that_breaks_off_leaves_no_artifact(api: ApiBench) -> None:
    name = await api.bench.running()
    async with api.serve() as url:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        writer.write(
            f"PUT /v1/attempts/{name}/artifacts/model/half HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
            f"Authorization: Bearer {api.bench.token(name)}\r\n\r\nonly this".encode()
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with httpx2.AsyncClient(base_url=url) as client:
            assert (await client.get("/healthz")).status_code == 200
    assert api.bench.artifacts.list() == []


async def test_an_artifact_that_no_result_lists_cannot_be_read(api: ApiBench, client: httpx2.AsyncClient) -> None:
    name = await api.bench.running()
    api.bench.artifacts.put(f"jobs/{_job(name)}/1/secret", b"x")
    await api.bench.commit(name)
    for path in ("secret", "../1/secret", "..%2F..%2Fx", "model"):
        answer = await client.get(f"/v1/jobs/{_job(name)}/artifacts/{path}")
        assert answer.status_code == 404, path


async def test_a_report_with_fields_that_do_not_hold_is_refused(api: ApiBench, client: httpx2.AsyncClient) -> None:
    name = await api.bench.starting()
    for rest, body in (
        ("started", {}),
        ("heartbeat", {"step": "dance"}),
        ("logs", {"first_line": 1, "lines": [{"at": "x", "source": "stdout", "text": ""}]}),
        ("metrics", {"first": "x", "points": []}),
        ("fail", {"error": {"code": "because", "message": ""}}),
        ("commit", {}),
    ):
        answer = await client.post(f"/v1/attempts/{name}/{rest}", headers=_runner(api, name), json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_call"), rest


async def test_log_lines_are_read_by_number_by_filter_and_from_the_end(
    api: ApiBench, client: httpx2.AsyncClient
) -> None:
    name = await api.bench.running()
    auth = _runner(api, name)
    texts = [f"line {number}{' Error' if number % 10 == 0 else ''}" for number in range(1, 41)]
    await client.post(f"/v1/attempts/{name}/logs", headers=auth, json=_lines(1, *texts))
    await client.post(f"/v1/attempts/{name}/logs", headers=auth, json=_lines(41, "late", source="stderr"))
    logs = f"/v1/jobs/{_job(name)}/logs"

    async def numbers(**query: Any) -> list[int]:
        page = (await client.get(logs, params=query)).json()
        return [line["line"] for line in page["lines"]]

    assert await numbers(after=38) == [39, 40, 41]
    assert await numbers(limit=2) == [1, 2]
    assert await numbers(tail=2) == [40, 41]
    assert await numbers(search="ERROR") == [10, 20, 30, 40]
    assert await numbers(search="error", tail=1) == [40]
    assert await numbers(search="error", limit=2, after=10) == [20, 30]
    assert await numbers(source="stderr") == [41]
    assert await numbers(since="2026-11-21T12:00:01Z") == []
    page = (await client.get(logs, params={"search": "nothing"})).json()
    assert (page["lines"], page["next"], page["complete"]) == ([], 41, False)
    assert (await client.get(logs, params={"attempt": 2})).status_code == 404
    assert (await client.get(logs, params={"limit": 0})).status_code == 422


async def test_metric_points_come_in_order_and_by_page(api: ApiBench, client: httpx2.AsyncClient) -> None:
    name = await api.bench.running()
    points = tuple(
        MetricPoint(name="auc" if step % 2 else "loss", value=step / 10, step=step, at=NOW) for step in range(5)
    )
    batch = dump(MetricBatch(first=1, points=points))
    path = f"/v1/attempts/{name}/metrics"
    assert (await client.post(path, headers=_runner(api, name), json=batch)).status_code == 204
    metrics = f"/v1/jobs/{_job(name)}/metrics"
    first = (await client.get(metrics, params={"limit": 3})).json()
    rest = (await client.get(metrics, params={"limit": 3, "after": first["next"]})).json()
    assert [point["step"] for point in first["items"] + rest["items"]] == [0, 1, 2, 3, 4]
    assert rest["next"] is None
    assert [point["step"] for point in (await client.get(metrics, params={"name": "auc"})).json()["items"]] == [1, 3]


async def test_events_arrive_while_they_happen_and_the_stream_ends_with_the_job(api: ApiBench) -> None:
    token = await api.token("read")
    name = await api.bench.running()
    async with (
        api.serve() as url,
        httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client,
    ):
        path = f"/v1/jobs/{_job(name)}/events/stream"
        async with client.stream("GET", path) as stream:
            following = asyncio.create_task(_events(stream))
            await api.bench.commit(name)
            found = await following
        assert [data["kind"] for kind, _, data in found if kind == "event"] == await api.bench.kinds(_job(name))
        assert found[-1][0] == "end"
        seen = found[1][1]
        async with client.stream("GET", path, headers={"Last-Event-ID": seen}) as stream:
            assert await _events(stream) == found[2:]
        async with client.stream("GET", f"{path}?after={found[-2][1]}") as stream:
            assert await _events(stream) == found[-1:]


async def test_the_log_stream_goes_on_into_the_next_attempt_with_the_same_numbers(api: ApiBench) -> None:
    token = await api.token("read")
    bench = api.bench
    name = await bench.running(retry={"user_code": 1})
    second = f"{_job(name)}-2"
    async with (
        api.serve() as url,
        httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client,
    ):

        async def say(attempt: str, *texts: str) -> None:
            await client.post(f"/v1/attempts/{attempt}/logs", headers=_runner(api, attempt), json=_lines(1, *texts))

        path = f"/v1/jobs/{_job(name)}/logs/stream"
        async with client.stream("GET", path) as stream:
            following = asyncio.create_task(_events(stream))
            await say(name, "one", "two")
            await bench.fail(name, log_lines=2)
            await bench.sql("UPDATE attempts SET log_sealed_at = now() WHERE number = 1")
            await bench.schedule.run_once()
            await bench.report_started(second)
            await say(second, "three")
            await bench.commit(second)
            await bench.sql("UPDATE attempts SET log_sealed_at = now()")
            found = await following
        assert [(place, data["text"]) for kind, place, data in found if kind == "line"] == [
            ("1-1", "one"),
            ("1-2", "two"),
            ("2-1", "three"),
        ]
        assert found[-1][0] == "end"
        async with client.stream("GET", path, headers={"Last-Event-ID": "1-1"}) as stream:
            assert await _events(stream) == found[1:]
        async with client.stream("GET", f"{path}?attempt=1&search=TWO") as stream:
            assert [place for _, place, _ in await _events(stream)] == ["1-2", ""]


async def test_a_stream_of_a_job_that_never_started_ends(api: ApiBench) -> None:
    token = await api.token("submit")
    job = await api.bench.submit()
    async with (
        api.serve() as url,
        httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client,
        client.stream("GET", f"/v1/jobs/{job.job_id}/logs/stream") as stream,
    ):
        following = asyncio.create_task(_events(stream))
        await client.post(f"/v1/jobs/{job.job_id}/cancel")
        assert await following == [("end", "", {})]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("events/stream?after=x", {}, 422),
        ("events/stream", {"Last-Event-ID": "-1"}, 422),
        ("logs/stream?after=1-", {}, 422),
        ("logs/stream?after=a-1", {}, 422),
        ("logs/stream?source=stdin", {}, 422),
        ("logs/stream", {"Authorization": ""}, 401),
    ],
)
async def test_a_stream_that_cannot_begin_says_so_with_a_status(
    api: ApiBench, client: httpx2.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    job = await api.bench.submit()
    assert (await client.get(f"/v1/jobs/{job.job_id}/{path}", headers=headers)).status_code == status
    assert (await client.get(f"/v1/jobs/jnothing/{path.split('?')[0]}")).status_code in (401, 404)


async def test_jobs_are_compared_side_by_side(api: ApiBench, client: httpx2.AsyncClient) -> None:
    first, second = await api.bench.running(), await api.bench.running(seed=4)
    await api.bench.commit(first)
    await api.bench.commit(second)
    found = (await client.get("/v1/jobs/compare", params={"job": [_job(first), _job(second)]})).json()
    assert found["metrics"]["holdout.auc"] == [0.8, 0.8]
    assert found["request"]["/seed"] == [0, 4]
    assert (await client.get("/v1/jobs/compare", params={"job": _job(first)})).status_code == 422


async def test_the_evaluation_is_the_report_that_the_attempt_delivered(
    api: ApiBench, client: httpx2.AsyncClient
) -> None:
    name = await api.bench.running()
    assert (await client.get(f"/v1/jobs/{_job(name)}/evaluation")).status_code == 404
    report = json.dumps({"task": "binary", "holdout": {"roc": {"fpr": [0, 1], "tpr": [0, 1]}}}).encode()
    stored = api.bench.artifacts.put(f"jobs/{_job(name)}/1/evaluation/report.json", report)
    manifest = dump(api.bench.deliver(name))
    manifest["artifacts"].append(
        {
            "kind": "report",
            "path": "evaluation/report.json",
            "sha256": stored.sha256,
            "bytes": stored.bytes,
            "format": "json",
        }
    )
    await client.post(f"/v1/attempts/{name}/commit", headers=_runner(api, name), json=manifest)
    assert (await client.get(f"/v1/jobs/{_job(name)}/evaluation")).json()["task"] == "binary"


async def test_the_code_of_the_attempt_is_the_one_that_was_pinned(api: ApiBench, client: httpx2.AsyncClient) -> None:
    job = (await client.post("/v1/jobs", content=json.dumps(request_value()))).json()
    await api.bench.schedule.run_once()
    name = f"{job['job_id']}-1"
    spec = (await client.get(f"/v1/attempts/{name}/spec", headers=_runner(api, name))).json()
    assert spec["code"]["code_id"] == CODE_ID
    assert spec["request"]["resources"] == {"cpu": 1.0, "memory": "1Gi", "gpu": 0}
