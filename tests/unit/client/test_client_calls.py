"""`railyard.Client` against a server in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fake_server import JOB_ID, URL, FakeServer, failed, job, line, problem, succeeded

from railyard.client.html import sparkline
from railyard.errors import Conflict, Invalid, JobCancelled, JobFailed, NotFound, Refused, Timeout, Unreachable
from railyard.spec.records import Plan

REQUEST: dict[str, Any] = {
    "model_name": "fraud",
    "train": {"workflow_name": "FraudModel", "custom_params": {"depth": 6}},
}
CODE = {
    "code_id": "c3fa9c1d20b7e", "project": "fraud", "sha256": "3f", "bytes": 10, "state": "ready", "created_at": "2026-11-21T09:11:00Z",
    "created_by": "me", "runtime": "server",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "fraud.py").write_text("class FraudModel: ...\n")
    (tmp_path / "request.json5").write_text("// a request\n" + json.dumps(REQUEST))
    return tmp_path


def test_a_dict_is_submitted_with_a_key_that_makes_it_safe_to_send_again() -> None:
    server = FakeServer({"POST /v1/jobs": [problem(503, "unavailable", "later"), httpx2.Response(202, json=job())]})
    made = server.client().train(REQUEST, custom_params={"depth": 8, "x": None}, compute_resource="GPU")
    assert (made.job_id, made.state, made.url) == (JOB_ID, "running", f"{URL}/jobs/{JOB_ID}")
    assert server.sent("POST /v1/jobs")["train"]["custom_params"] == {"depth": 8, "x": None}
    assert server.sent("POST /v1/jobs")["compute_resource"] == "GPU"
    first, second = server.asked("POST /v1/jobs")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert REQUEST["train"]["custom_params"] == {"depth": 6}


def test_the_project_of_the_requests_file_is_sent_along_once(project: Path) -> None:
    server = FakeServer(
        {"POST /v1/jobs": httpx2.Response(202, json=job()), "POST /v1/code": httpx2.Response(201, json=CODE)}
    )
    server.client().train(project / "request.json5")
    assert server.sent("POST /v1/jobs")["code"] == CODE["code_id"]
    assert server.asked("POST /v1/code")[0].headers["content-type"] == "application/zip"
    known = FakeServer({"POST /v1/jobs": httpx2.Response(202, json=job()), "GET /v1/code/.*": CODE})
    known.client().train(project / "request.json5")
    assert known.asked("POST /v1/code") == []


def test_a_request_outside_a_project_or_naming_its_code_sends_none(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lonely = tmp_path_factory.mktemp("lonely") / "request.json"
    lonely.write_text(json.dumps(REQUEST))
    pinned = project / "pinned.json"
    pinned.write_text(json.dumps({**REQUEST, "code": "fraud@1"}))
    server = FakeServer({"POST /v1/jobs": httpx2.Response(202, json=job())})
    server.client().train(lonely)
    assert "code" not in server.sent("POST /v1/jobs")
    server.client().train(pinned)
    assert server.sent("POST /v1/jobs")["code"] == "fraud@1"
    server.client().train(REQUEST, code="fraud@2")
    assert server.sent("POST /v1/jobs")["code"] == "fraud@2"
    assert {request.url.path for request in server.requests} == {"/v1/jobs"}


def test_a_folder_that_is_no_project_is_refused_when_it_was_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        FakeServer().client().train(REQUEST, code=tmp_path)


def test_a_dry_run_gives_a_plan_and_submits_nothing() -> None:
    plan: dict[str, Any] = {
        "resolved_request": {}, "code": None, "compute_resource": "CPU", "cpu": 1, "memory_bytes": 1, "columns": {}, "rows_total": 1,
        "rows_estimated": None, "bytes_estimated": None, "seconds_estimated": None, "jobs_seen": 0, "cost": {}, "queue_position": 0,
    }  # fmt: skip
    server = FakeServer({"POST /v1/jobs": plan})
    assert isinstance(server.client().train(REQUEST, dry_run=True), Plan)
    assert server.asked("POST /v1/jobs")[0].url.params["dry_run"] == "1"


def test_a_bad_request_comes_back_field_by_field() -> None:
    field = {"path": "train.label", "expected": "text", "got": "7"}
    server = FakeServer({"POST /v1/jobs": problem(422, "invalid_request", "the request does not hold", fields=[field])})
    with pytest.raises(Invalid) as caught:
        server.client().train(REQUEST)
    assert caught.value.fields[0].path == "train.label"


def test_waiting_returns_the_same_job_brought_up_to_date() -> None:
    server = FakeServer({f"GET /v1/jobs/{JOB_ID}": [job(state="queued"), job(), job(), succeeded()]})
    made = server.client().jobs.get(JOB_ID)
    assert made.wait(timeout="2h") is made
    assert made.final
    assert made.metrics.holdout["auc"] == 0.912


def test_a_failed_job_is_raised_with_its_cause_and_last_lines() -> None:
    page = {"lines": [line(9, "boom")], "next": 9, "complete": True}
    server = FakeServer({f"GET /v1/jobs/{JOB_ID}": failed(), f"GET /v1/jobs/{JOB_ID}/logs": page})
    with pytest.raises(JobFailed) as caught:
        server.client().jobs.get(JOB_ID).wait()
    error = caught.value
    assert error.exit_code == 10
    assert error.message == f"{JOB_ID} failed: the worker needed more than its 4.0 GiB"
    assert error.why == "out_of_memory in step train"
    assert error.mend == f"railyard job rerun {JOB_ID} --compute HIGH_MEMORY"
    assert error.detail["last_lines"] == ["boom"]
    assert server.client().jobs.get(JOB_ID).wait(check=False).state == "failed"


def test_a_cancelled_job_is_raised_and_a_slow_one_times_out() -> None:
    server = FakeServer({f"GET /v1/jobs/{JOB_ID}": job(state="cancelled", finished_at="2026-11-21T09:12:13Z")})
    with pytest.raises(JobCancelled):
        server.client().jobs.get(JOB_ID).wait()
    slow = FakeServer({f"GET /v1/jobs/{JOB_ID}": job()})
    with pytest.raises(Timeout) as caught:
        slow.client().jobs.get(JOB_ID).wait(timeout=0)
    assert caught.value.exit_code == 8


def test_lists_are_read_page_by_page_only_as_far_as_somebody_looks() -> None:
    def page(request: httpx2.Request) -> dict[str, Any]:
        start = int(request.url.params.get("after", "0"))
        size = int(request.url.params["limit"])
        items = [job(job_id=f"j{number:09d}") for number in range(start, min(start + size, 250))]
        return {"items": items, "next": str(start + size) if start + size < 250 else None}

    server = FakeServer({"GET /v1/jobs": page})
    client = server.client()
    found = client.jobs.list(state=("failed", "cancelled"), since="1d", labels={"team": "a"})
    assert server.requests == []
    first = found.first()
    assert first is not None
    assert first.job_id == "j000000000"
    assert len(server.requests) == 1
    assert server.requests[0].url.params.get_list("state") == ["failed", "cancelled"]
    assert server.requests[0].url.params["label"] == "team=a"
    assert len(list(found)) == 250
    assert len(list(client.jobs.list(limit=120))) == 120
    assert len(found.page(limit=7).items) == 7
    assert "j000000003" in found._repr_html_()


def test_logs_are_read_to_the_end_and_then_followed_without_a_line_twice() -> None:
    stream = httpx2.Response(
        200,
        headers={"content-type": "text/event-stream"},
        text=f"id: 3\nevent: line\ndata: {json.dumps(line(3, 'c'))}\n\nevent: end\ndata: {{}}\n\n",
    )
    server = FakeServer(
        {
            f"GET /v1/jobs/{JOB_ID}/logs": [
                {"lines": [line(1, "a")], "next": 1, "complete": False},
                {"lines": [line(2, "b")], "next": 2, "complete": False},
                {"lines": [], "next": 2, "complete": False},
            ],
            f"GET /v1/jobs/{JOB_ID}/logs/stream": stream,
        }
    )
    found = list(server.client().jobs.logs(JOB_ID, follow=True, source="stdout"))
    assert [one.text for one in found] == ["a", "b", "c"]
    assert server.asked(f"GET /v1/jobs/{JOB_ID}/logs/stream")[0].headers["last-event-id"] == "1-2"


def test_a_download_leaves_a_whole_file_or_none(tmp_path: Path) -> None:
    def broken(_: httpx2.Request) -> httpx2.Response:
        class Stream(httpx2.SyncByteStream):
            def __iter__(self) -> Any:
                yield b"half"
                raise httpx2.ReadError("gone")

        return httpx2.Response(200, stream=Stream())

    server = FakeServer(
        {"GET .*/artifacts/model/a%20b.bin": httpx2.Response(200, content=b"whole"), "GET .*/artifacts/x": broken}
    )
    server.routes["GET .*/artifacts/model/a b.bin"] = httpx2.Response(200, content=b"whole")
    assert server.client().jobs.download(JOB_ID, "model/a b.bin", tmp_path).read_bytes() == b"whole"
    with pytest.raises(Unreachable):
        server.client().jobs.download(JOB_ID, "x", tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["a b.bin"]


def test_a_rerun_sends_a_merge_patch() -> None:
    server = FakeServer({f"POST /v1/jobs/{JOB_ID}/rerun": httpx2.Response(202, json=job(rerun_of=JOB_ID))})
    server.client().jobs.rerun(JOB_ID, {"seed": 3}, latest=True)
    assert server.sent(f"POST /v1/jobs/{JOB_ID}/rerun") == {"overrides": {"seed": 3}, "latest": True}


def test_a_deploy_waits_for_the_runtime_and_tells_uvs_words_when_it_breaks(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    building = CODE | {"state": "building"}
    sent = {"POST /v1/code": httpx2.Response(201, json=building)}
    # The server refuses to deploy what it is still building, so the wait must come first.
    good = FakeServer(
        {
            **sent,
            "GET /v1/code/c3fa9c1d20b7e": [building, CODE],
            "POST /v1/code/c3fa9c1d20b7e/deploy": CODE | {"version": "1"},
        }
    )
    seen: list[str] = []
    found = good.client().code.deploy(project, version="1", progress=lambda code: seen.append(code.state))
    assert (found.state, found.version) == ("ready", "1")
    assert seen == ["building", "building", "ready"]
    assert good.sent("POST /v1/code/c3fa9c1d20b7e/deploy") == {"version": "1"}
    bad = FakeServer({**sent, "GET /v1/code/c3fa9c1d20b7e": CODE | {"state": "broken", "message": "No solution found"}})
    with pytest.raises(Refused) as caught:
        bad.client().code.deploy(project)
    assert caught.value.why == "No solution found"


def test_a_workflow_that_belongs_to_another_project_is_a_conflict(project: Path) -> None:
    routes = {
        "POST /v1/code": httpx2.Response(201, json=CODE),
        "POST .*/deploy": problem(409, "workflow_taken", "fraud has it"),
    }
    with pytest.raises(Conflict, match="fraud has it"):
        FakeServer(routes).client().code.deploy(project)


def test_a_job_reads_well_as_text_and_as_html_without_script() -> None:
    points = [
        {"name": "loss", "value": 1 / (step + 1), "step": step, "at": "2026-11-21T09:12:03Z"} for step in range(5)
    ]
    routes = {
        f"GET /v1/jobs/{JOB_ID}": succeeded(model_name="<script>x"),
        f"GET /v1/jobs/{JOB_ID}/metrics": {"items": points},
    }
    found = FakeServer(routes).client().jobs.get(JOB_ID)
    html = found._repr_html_()
    assert "✓ succeeded" in html
    assert "0.0031 USD" in html
    assert "<svg" in html
    assert "&lt;script&gt;x" in html
    assert "<script" not in html
    assert "src=" not in html
    text = repr(found)
    assert text.startswith(f"✓ succeeded  {JOB_ID}")
    assert "auc 0.912  log_loss –" in text


def test_a_card_without_its_curves_is_still_a_card() -> None:
    routes = {f"GET /v1/jobs/{JOB_ID}": failed(), f"GET /v1/jobs/{JOB_ID}/metrics": problem(500, "internal", "boom")}
    assert "out_of_memory" in FakeServer(routes).client().jobs.get(JOB_ID)._repr_html_()


def test_a_sparkline_has_gaps_where_values_are_missing_and_none_for_too_few() -> None:
    assert sparkline([1.0]) == ""
    assert sparkline([None, None, 1.0]) == ""
    assert sparkline([1, 2, None, 3, 4]).count("<polyline") == 2
    assert "nan" not in sparkline([5.0, 5.0, 5.0])


def test_rooms_read_their_records() -> None:
    token = {"token_id": "t1", "user": "ci", "teams": [], "scopes": ["submit"], "created_at": "2026-11-21T09:12:03Z"}
    server = FakeServer(
        {
            "GET /v1/whoami": {"user": "admin", "teams": [], "scopes": ["admin"], "server": URL, "version": "0.1.0"},
            "GET /v1/tokens": {"items": [token]},
            "POST /v1/tokens": httpx2.Response(201, json={"token": "ry_new", "info": token}),
            "DELETE /v1/tokens/t1": token,
            "GET /v1/config": {"settings": [{"name": "port", "value": 8787, "origin": "default"}]},
            "GET /healthz": {"status": "ok", "version": "0.1.0"},
        }
    )
    client = server.client()
    assert client.whoami().user == "admin"
    assert client.tokens.list()[0].token_id == "t1"
    assert client.tokens.create("ci", scopes=["read"]).token == "ry_new"
    assert client.tokens.revoke("t1").user == "ci"
    assert client.server.config()[0].value == 8787
    assert client.server.alive() == "0.1.0"
    assert "secret" not in repr(client)
