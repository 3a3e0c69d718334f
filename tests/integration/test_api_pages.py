"""The plain pages: for who is signed in, everything escaped, no script, refreshed until the job is final."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from api_bench import URL, ApiBench
from job_bench import Bench

from railyard.control.api import sessions
from railyard.control.db.engine import Database
from railyard.control.jobs import attempts
from railyard.spec.attempt import LogChunk, LogLine, MetricBatch, MetricPoint
from railyard.spec.base import dump

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}"


@pytest.fixture
def api(database: Database) -> ApiBench:
    return ApiBench(Bench(database))


@pytest.fixture
async def browser(api: ApiBench) -> AsyncIterator[httpx2.AsyncClient]:
    async with api.client("submit") as client:
        link = (await client.post("/v1/login-links")).json()
        del client.headers["authorization"]
        await client.get("/login", params={"code": link["code"]})
        yield client


async def test_without_a_session_there_is_a_way_in_and_nothing_else(api: ApiBench) -> None:
    job = await api.bench.submit()
    async with api.client() as client:
        for path in ("/", f"/jobs/{job.job_id}", f"/jobs/{job.job_id}/log"):
            answer = await client.get(path)
            assert answer.status_code == 401
            assert "railyard open" in answer.text
            assert job.model_name not in answer.text
        assert (await client.post(f"/jobs/{job.job_id}/cancel")).status_code == 401


async def test_the_list_pages_filters_and_refreshes_only_while_something_goes_on(
    api: ApiBench, browser: httpx2.AsyncClient
) -> None:
    empty = await browser.get("/")
    assert "railyard init demo" in empty.text
    await api.bench.commit(await api.bench.running())
    done = await browser.get("/")
    assert "auc 0.8" in done.text
    assert 'http-equiv="refresh"' not in done.text
    for _ in range(51):
        await api.bench.submit()
    first = await browser.get("/")
    assert 'http-equiv="refresh"' in first.text
    assert first.text.count('<tr>\n<td class="state') == 50
    older = await browser.get("/", params={"after": first.text.split('href="/?after=')[1].split('"')[0]})
    assert older.text.count('<tr>\n<td class="state') == 2
    assert (await browser.get("/?state=succeeded")).text.count('<tr>\n<td class="state') == 1
    assert (await browser.get("/?state=nonsense")).status_code == 422


async def test_a_users_words_are_shown_as_words(api: ApiBench, browser: httpx2.AsyncClient) -> None:
    name = await api.bench.running(
        model_description=HOSTILE, owner=HOSTILE, project=HOSTILE, trainer=HOSTILE, labels={"x": HOSTILE}
    )
    job_id, token = name[:-2], api.bench.token(name)
    line = LogLine(at="2026-11-21T12:00:00Z", source="stdout", text=HOSTILE)  # type: ignore[arg-type]
    await attempts.logs(api.bench.database, name, token, LogChunk(first_line=1, lines=(line,)))
    point = MetricPoint(name=HOSTILE, value=1.0, step=1, at="2026-11-21T12:00:00Z")  # type: ignore[arg-type]
    await attempts.metrics(api.bench.database, name, token, MetricBatch(first=1, points=(point,)))
    async with api.client() as runner:
        failure = {
            "error": {
                "code": "user_code",
                "message": HOSTILE,
                "mend": HOSTILE,
                "traceback": HOSTILE,
                "evidence": {HOSTILE: HOSTILE},
            }
        }
        headers = {"Authorization": f"Bearer {token}"}
        assert (await runner.post(f"/v1/attempts/{name}/fail", headers=headers, json=failure)).status_code == 204
    for path in ("/", f"/jobs/{job_id}"):
        page = await browser.get(path)
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "{{7*7}}" in page.text or path == "/"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    log = await browser.get(f"/jobs/{job_id}/log")
    assert log.text == HOSTILE + "\n"
    assert log.headers["content-type"].startswith("text/plain")
    assert log.headers["x-content-type-options"] == "nosniff"


async def test_a_job_shows_reason_steps_metrics_and_curves(api: ApiBench, browser: httpx2.AsyncClient) -> None:
    name = await api.bench.running()
    report = json.dumps({"holdout": {"roc": {"fpr": [0, 1], "tpr": [0, 1]}, "pr": None}}).encode()
    stored = api.bench.artifacts.put(f"jobs/{name[:-2]}/1/evaluation/report.json", report)
    manifest: dict[str, Any] = dump(api.bench.deliver(name))
    manifest["artifacts"].append(
        {
            "kind": "report",
            "path": "evaluation/report.json",
            "sha256": stored.sha256,
            "bytes": stored.bytes,
            "format": "json",
        }
    )
    async with api.client() as runner:
        headers = {"Authorization": f"Bearer {api.bench.token(name)}"}
        assert (await runner.post(f"/v1/attempts/{name}/commit", headers=headers, json=manifest)).status_code == 200
    page = (await browser.get(f"/jobs/{name[:-2]}")).text
    assert "ROC on the holdout" in page
    assert "12 read, 10 after filters, 7 train, 3 holdout" in page
    assert "Run again" in page
    assert 'http-equiv="refresh"' not in page


async def test_a_job_that_is_not_there_is_a_page_too(browser: httpx2.AsyncClient) -> None:
    answer = await browser.get("/jobs/jnothing")
    assert answer.status_code == 404
    assert "there is no job" in answer.text


async def test_the_buttons_work_from_the_page_and_from_nowhere_else(api: ApiBench, browser: httpx2.AsyncClient) -> None:
    job = await api.bench.submit()
    foreign = await browser.post(f"/jobs/{job.job_id}/cancel", headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    assert (await api.bench.job(job.job_id)).state == "queued"
    own = await browser.post(f"/jobs/{job.job_id}/cancel", headers={"Origin": URL})
    assert (own.status_code, own.headers["location"]) == (303, f"/jobs/{job.job_id}")
    assert (await api.bench.job(job.job_id)).state == "cancelled"
    again = await browser.post(f"/jobs/{job.job_id}/rerun", headers={"Origin": URL})
    assert (await api.bench.job(again.headers["location"].rsplit("/", 1)[1])).rerun_of == job.job_id


async def test_a_reader_sees_no_buttons(api: ApiBench) -> None:
    job = await api.bench.submit()
    async with api.client("read") as client:
        link = (await client.post("/v1/login-links")).json()
        del client.headers["authorization"]
        await client.get("/login", params={"code": link["code"]})
        assert sessions.COOKIE in client.cookies
        page = (await client.get(f"/jobs/{job.job_id}")).text
        assert "<button" not in page
        answer = await client.post(f"/jobs/{job.job_id}/cancel", headers={"Origin": URL})
        assert answer.json()["error"]["code"] == "scope_missing"
