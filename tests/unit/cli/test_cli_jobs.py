"""Training, following and looking at jobs."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fake_server import JOB_ID, URL, failed, job, line, problem, result, succeeded

from railyard.cli import follow

REQUEST = '{"model_name": "fraud", "train": {"workflow_name": "FraudModel", "custom_params": {"depth": 6}}}'
JOB = f"/v1/jobs/{JOB_ID}"


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(follow, "LAST_LINES_SECONDS", 0.0)


@pytest.fixture
def request_file(tmp_path: Path) -> str:
    (tmp_path / "request.json5").write_text("// hello\n" + REQUEST)
    return str(tmp_path / "request.json5")


def submitted(*looks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "POST /v1/jobs": httpx2.Response(202, json=job(state="queued", attempt=0, steps=[])),
        f"GET {JOB}": list(looks) or [succeeded()],
        f"GET {JOB}/attempts": {"items": []},
        f"GET {JOB}/result": result(warnings=["log_loss is null"]),
        f"GET {JOB}/logs": {"lines": [], "next": 0, "complete": True},
        **more,
    }


def test_train_prints_the_id_as_data_and_what_to_do_next_as_talk(railyard: Any, request_file: str) -> None:
    ran = railyard("train", request_file, "-p", "depth=8", "-p", "name=x", "--compute", "GPU", "--set", "data.date_column=day",
                   "--idempotency-key", "k1", routes=submitted())  # fmt: skip
    assert (ran.code, ran.out) == (0, f"{JOB_ID}\n")
    assert f"railyard job watch {JOB_ID}" in ran.err
    sent = ran.server.sent("POST /v1/jobs")
    assert sent["train"]["custom_params"] == {"depth": 8, "name": "x"}
    assert (sent["compute_resource"], sent["data"]) == ("GPU", {"date_column": "day"})
    assert ran.server.asked("POST /v1/jobs")[0].headers["idempotency-key"] == "k1"


def test_train_reads_stdin(railyard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(REQUEST))
    assert railyard("train", "-", "--json=state", routes=submitted()).out == '{"state": "queued"}\n'


def test_following_in_a_pipe_prints_each_change_once_and_ends_with_the_result(railyard: Any, request_file: str) -> None:
    logs = {"lines": [line(1, "epoch 1")], "next": 1, "complete": False}
    after = {"lines": [], "next": 1, "complete": True}
    waiting = job(state="queued", reason="waiting_capacity", message="all cores are taken", attempt=0, steps=[])
    ran = railyard(
        "train",
        request_file,
        "--follow",
        routes=submitted(waiting, job(), job(), succeeded(), **{f"GET {JOB}/logs": [logs, after]}),
    )
    assert ran.code == 0
    assert ran.err.splitlines() == [
        f"{JOB_ID} submitted · {URL}/jobs/{JOB_ID}",
        "queued",
        "queued · waiting_capacity: all cores are taken",
        "running",
        "✓ fetch 1.2 s",
        "▶ train",
        "epoch 1",
    ]
    assert ran.out.splitlines() == [
        f"✓ succeeded  {JOB_ID}  fraud  in 12.0 s",
        "  rows      20,000 read · 9,320 after filters · 7,012 train · 2,308 holdout",
        "  holdout   auc 0.912  log_loss –",
        "  train     auc 0.94",
        "  model     fraud:3fa9c1d20b7e",
        "  warning   log_loss is null",
        "  cost      0.0031 USD  = 1 cpu × 12 s",
        f"  url       {URL}/jobs/{JOB_ID}",
    ]


def test_following_on_a_terminal_ticks_in_place_and_keeps_the_log(railyard: Any, request_file: str) -> None:
    logs = {"lines": [line(1, "epoch 1")], "next": 1, "complete": True}
    ran = railyard(
        "train", request_file, "-f", routes=submitted(job(), succeeded(), **{f"GET {JOB}/logs": logs}), tty=True
    )
    assert "\r\x1b[K" in ran.err
    assert "▶ train" in ran.err
    assert "epoch 1\n" in ran.err
    assert ran.out.startswith("✓ succeeded")


def test_following_with_json_is_one_object_a_line(railyard: Any, request_file: str) -> None:
    ran = railyard("train", request_file, "-f", "--json", "state,step", routes=submitted(job(), job(), succeeded()))
    assert [json.loads(text)["state"] for text in ran.out.splitlines()] == ["queued", "running", "succeeded"]
    assert ran.err == ""


def test_a_failed_job_shows_its_cause_and_ends_with_its_own_code(railyard: Any, request_file: str) -> None:
    ran = railyard("train", request_file, "--follow", routes=submitted(failed()))
    assert ran.code == 10
    assert ran.out.splitlines()[:8] == [
        f"✕ failed  {JOB_ID}  fraud  in 12.0 s",
        "  reason    out_of_memory in step train",
        "  why       the worker needed more than its 4.0 GiB",
        "  evidence  peak_memory 4.1 GiB · memory_limit 4.0 GiB · signal 9",
        "  at        workflows/fraud.py:31 in train",
        "              model.fit(x, y)",
        "            MemoryError: no room",
        f"  mend      railyard job rerun {JOB_ID} --compute HIGH_MEMORY",
    ]


def test_a_cancelled_job_ends_with_11_and_a_slow_one_with_8(railyard: Any) -> None:
    cancelled = {f"GET {JOB}": job(state="cancelled", finished_at="2026-11-21T09:12:13Z")}
    assert railyard("job", "watch", JOB_ID, routes=cancelled).code == 11
    assert railyard("job", "watch", JOB_ID, "--no-exit-status", routes=cancelled).code == 0
    slow = railyard("job", "watch", JOB_ID, "--timeout", "0s", routes={f"GET {JOB}": job()})
    assert slow.code == 8
    assert "is still running" in slow.err


def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(railyard: Any, request_file: str) -> None:
    before = signal.getsignal(signal.SIGINT)

    def interrupted(_: httpx2.Request) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return job()

    try:
        ran = railyard("train", request_file, "--follow", routes=submitted() | {f"GET {JOB}": interrupted})
    finally:
        signal.signal(signal.SIGINT, before)
    assert ran.code == 130
    assert f"{JOB_ID} keeps running" in ran.err
    for command in (f"railyard job watch {JOB_ID}", f"railyard job logs {JOB_ID} -f", f"railyard job cancel {JOB_ID}"):
        assert command in ran.err
    assert ran.server.asked(f"POST {JOB}/cancel") == []


PLAN = {
    "resolved_request": {}, "code": "c1", "compute_resource": "CPU", "cpu": 1, "memory_bytes": 2**32, "columns": {"a": "Int64"},
    "rows_total": 1000, "rows_estimated": 10, "bytes_estimated": 2048, "seconds_estimated": 12.0, "jobs_seen": 3,
    "cost": {"amount": "0.01", "currency": "USD", "basis": "estimated"}, "queue_position": 1, "warnings": ["careful"],
}  # fmt: skip


def test_a_dry_run_shows_the_plan(railyard: Any, request_file: str) -> None:
    ran = railyard("train", request_file, "--dry-run", routes={"POST /v1/jobs": PLAN})
    assert ran.out.splitlines() == [
        "runs     c1 on CPU (1 cpu, 4.0 GiB)",
        "reads    1,000 rows, at most 10 after the filters",
        "bytes    2.0 KiB",
        "takes    12.0 s (median of 3 jobs)",
        "costs    ≈0.0100 USD",
        "queue    number 1 in line",
        "columns  a Int64",
        "warning  careful",
    ]
    assert "nothing was submitted" in ran.err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-p", "depth"], "-p 'depth': expected NAME=VALUE"),
        (["--out", "x"], "--out belongs to --local"),
        (["--local", "--code", "fraud@1"], "fraud@1 is not a folder"),
    ],
)
def test_options_of_train_that_do_not_hold_are_refused_before_any_call(
    railyard: Any, request_file: str, args: list[str], message: str
) -> None:
    ran = railyard("train", request_file, *args, routes={})
    assert ran.code in (2, 3)
    assert message in ran.err
    assert ran.server.requests == []


def test_logs_print_lines_and_take_every_filter(railyard: Any) -> None:
    page = {"lines": [line(1, "one"), line(2, "two", "system")], "next": 2, "complete": True}
    routes = {f"GET {JOB}": job(), f"GET {JOB}/logs": page}
    ran = railyard(
        "job", "logs", JOB_ID, "-n", "5", "--search", "o", "--source", "stdout", "--attempt", "1", routes=routes
    )
    assert ran.out == "one\ntwo\n"
    query = dict(ran.server.asked(f"GET {JOB}/logs")[0].url.params)
    assert (query["tail"], query["search"], query["source"], query["attempt"]) == ("5", "o", "stdout", "1")
    assert railyard("job", "logs", JOB_ID, "--timestamps", routes=routes).out.startswith("2026-11-21T09:12:03Z one")
    assert json.loads(railyard("job", "logs", JOB_ID, "--json", routes=routes).out.splitlines()[0])["line"] == 1
    assert railyard("job", "logs", JOB_ID, "--raw", "--timestamps", routes=routes).code == 2


def test_followed_logs_go_on_live_and_end_with_the_jobs_own_code(railyard: Any) -> None:
    page = {"lines": [line(1, "one")], "next": 1, "complete": True}
    text = f"id: 2-1\nevent: line\ndata: {json.dumps(line(1, 'again', attempt=2))}\n\nevent: end\ndata: {{}}\n\n"
    stream = httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=text)
    routes = {f"GET {JOB}": [job(), failed()], f"GET {JOB}/logs": page, f"GET {JOB}/logs/stream": stream}
    ran = railyard("job", "logs", JOB_ID, "-f", routes=routes)
    assert (ran.code, ran.out) == (10, "one\nagain\n")


@pytest.mark.parametrize("name", ["@last", "@mine", f"{URL}/jobs/{JOB_ID}", f"{URL}/jobs/{JOB_ID}?tab=log#x"])
def test_a_job_may_be_named_in_many_ways(railyard: Any, name: str) -> None:
    other = job(job_id="j000000000", submitted_by="other")
    items = [job()] if name == "@last" else [other, job()]
    me = {"user": "admin", "teams": [], "scopes": [], "server": URL, "version": "1"}
    routes = submitted() | {"GET /v1/jobs": {"items": items}, "GET /v1/whoami": me}
    assert JOB_ID in railyard("job", "show", name, routes=routes).out


def test_last_of_nothing_says_how_to_begin(railyard: Any) -> None:
    ran = railyard("job", "show", "@last", routes={"GET /v1/jobs": {"items": []}})
    assert ran.code == 3
    assert "railyard train request.json5" in ran.err


def test_show_tells_everything_about_a_job(railyard: Any) -> None:
    out = railyard("job", "show", JOB_ID, routes=submitted(succeeded(rerun_of="j0000000aa", dirty=True))).out
    for words in (
        "fraud:3fa9c1d20b7e",
        "FraudModel",
        "c3fa9c1d20b7e · dirty",
        "risk · charges · by admin for robstory",
        "j0000000aa",
    ):
        assert words in out


def test_show_prints_request_result_events_and_attempts(railyard: Any) -> None:
    event = {"seq": 1, "job_id": JOB_ID, "at": "2026-11-21T09:12:03Z", "kind": "submitted", "by": "admin"}
    attempt = {
        "name": f"{JOB_ID}-1", "job_id": JOB_ID, "number": 1, "state": "failed", "reason": "lost", "executor": "local",
        "compute_resource": "CPU", "cpu": 1, "memory_bytes": 1, "claimed_at": "2026-11-21T09:12:03Z",
    }  # fmt: skip
    routes = {
        f"GET {JOB}/request": httpx2.Response(200, text='{"x": 10.00}'),
        f"GET {JOB}/events": {"items": [event]},
        f"GET {JOB}/attempts": {"items": [attempt]},
        f"GET {JOB}/evaluation": {"task": "binary"},
    }
    assert railyard("job", "show", JOB_ID, "--request", routes=routes).out == '{"x": 10.00}\n'
    assert railyard("job", "show", JOB_ID, "--events", routes=routes).out.startswith(
        "2026-11-21T09:12:03Z\tsubmitted\tadmin"
    )
    assert "lost" in railyard("job", "show", JOB_ID, "--attempts", routes=routes).out
    assert json.loads(railyard("job", "show", JOB_ID, "--evaluation", routes=routes).out) == {"task": "binary"}


def test_metrics_and_cost(railyard: Any) -> None:
    point = {"name": "loss", "value": None, "step": 3, "at": "2026-11-21T09:12:03Z"}
    routes = {f"GET {JOB}": succeeded(), f"GET {JOB}/metrics": {"items": [point]}, f"GET {JOB}/attempts": {"items": []}}
    assert railyard("job", "metrics", JOB_ID, routes=routes).out == "auc\t0.912\t0.94\nlog_loss\t\t\n"
    assert railyard("job", "metrics", JOB_ID, "--series", routes=routes).out == "loss\t3\t\t2026-11-21T09:12:03Z\n"
    assert railyard("job", "cost", JOB_ID, routes=routes).out == "0.0031 USD  (metered)\n1 cpu × 12 s\n"
    unpriced = railyard("job", "cost", JOB_ID, routes=routes | {f"GET {JOB}": job()}).out
    assert unpriced.startswith("0.500 core-hours, unpriced")


def test_artifacts_are_listed_and_downloaded_inside_the_folder(railyard: Any, tmp_path: Path) -> None:
    def item(path: str) -> dict[str, Any]:
        return {"kind": "model", "path": path, "sha256": "ab", "bytes": 5, "format": "json"}

    routes = {
        f"GET {JOB}": succeeded(),
        f"GET {JOB}/artifacts": {"items": [item("model/m.json")]},
        f"GET {JOB}/artifacts/model/m.json": httpx2.Response(200, content=b"whole"),
    }
    assert railyard("job", "artifacts", "ls", JOB_ID, routes=routes).out == "model/m.json\tmodel\t5\tab\n"
    assert railyard("job", "artifacts", "get", JOB_ID, "--out", str(tmp_path), routes=routes).code == 0
    assert (tmp_path / JOB_ID / "model" / "m.json").read_bytes() == b"whole"
    evil = routes | {f"GET {JOB}/artifacts": {"items": [item("../../evil")]}}
    ran = railyard("job", "artifacts", "get", JOB_ID, "--out", str(tmp_path), routes=evil)
    assert ran.code == 6
    assert "outside its job" in ran.err


def test_compare_shows_what_differs(railyard: Any) -> None:
    found = {
        "jobs": [succeeded(), failed(job_id="j000000000")],
        "metrics": {"holdout.auc": [0.912, None]},
        "params": {"depth": [6, None]},
        "request": {"/seed": [1, 2]},
        "data": {},
    }
    ran = railyard("job", "compare", JOB_ID, "j000000000", routes={"GET /v1/jobs/compare": found})
    assert "metric holdout.auc\t0.912\t–" in ran.out
    assert "param depth\t6\t–" in ran.out
    assert ran.server.requests[0].url.params.get_list("job") == [JOB_ID, "j000000000"]
    assert railyard("job", "compare", JOB_ID, routes={}).code == 2


def test_cancel_asks_and_may_wait(railyard: Any) -> None:
    asked = {f"POST {JOB}/cancel": job(cancel_requested_at="2026-11-21T09:12:13Z")}
    assert "cancel requested" in railyard("job", "cancel", JOB_ID, routes=asked).out
    ended = asked | {f"GET {JOB}": job(state="cancelled", finished_at="2026-11-21T09:12:13Z")}
    assert railyard("job", "cancel", JOB_ID, "--wait", routes=ended).out == f"⊘ cancelled  {JOB_ID}\n"


def test_rerun_sends_the_changes_as_a_merge_patch(railyard: Any) -> None:
    routes = {f"POST {JOB}/rerun": httpx2.Response(202, json=job(job_id="j000000000", rerun_of=JOB_ID))}
    ran = railyard(
        "job",
        "rerun",
        JOB_ID,
        "-p",
        "depth=8",
        "--compute",
        "GPU",
        "--set",
        "data.filters=null",
        "--latest",
        routes=routes,
    )
    assert ran.out == "j000000000\n"
    assert ran.server.sent(f"POST {JOB}/rerun") == {
        "overrides": {"train": {"custom_params": {"depth": 8}}, "compute_resource": "GPU", "data": {"filters": None}},
        "latest": True,
    }


def test_a_dry_run_of_a_rerun_is_the_plan_of_the_changed_request(railyard: Any) -> None:
    sent = httpx2.Response(200, text='{"seed": 1, "train": {"label": "y"}}')
    routes = {f"GET {JOB}/request": sent, f"GET {JOB}": job(code="c1"), "POST /v1/jobs": PLAN}
    dry = railyard("job", "rerun", JOB_ID, "--set", "seed=3", "--dry-run", routes=routes)
    assert dry.server.sent("POST /v1/jobs") == {"seed": 3, "train": {"label": "y"}, "code": "c1"}
    assert dry.out.startswith("runs     c1 on CPU")
    assert dry.server.asked(f"POST {JOB}/rerun") == []


def test_a_server_that_is_away_names_the_command_that_starts_one(railyard: Any) -> None:
    ran = railyard("job", "show", JOB_ID, routes={"GET .*": httpx2.ConnectError("refused")})
    assert ran.code == 5
    assert ran.err.splitlines()[-1] == "mend:  railyard up"


def test_an_ambiguous_prefix_lists_its_candidates(railyard: Any) -> None:
    answer = problem(409, "ambiguous", "j8 fits 2 jobs", why="j81f3k2abq, j82f3k2abq")
    ran = railyard("job", "show", "j8", routes={"GET /v1/jobs/j8": answer})
    assert ran.code == 3
    assert "j82f3k2abq" in ran.err


def test_a_bad_field_is_shown_with_file_and_line(railyard: Any, request_file: str) -> None:
    field = {"path": "train.custom_params", "expected": "an object", "got": "7"}
    missing = {"path": "owner", "expected": "a value", "got": "nothing"}
    answer = problem(422, "invalid_request", "the request does not hold", fields=[field, missing])
    ran = railyard("train", request_file, routes={"POST /v1/jobs": answer})
    assert ran.code == 2
    assert f"why:   {request_file}:2 train.custom_params: expected an object, got 7" in ran.err
    assert "why:   owner: expected a value, got nothing" in ran.err
    as_json = railyard("train", request_file, "--json", routes={"POST /v1/jobs": answer})
    assert json.loads(as_json.err)["error"]["fields"][0]["path"] == "train.custom_params"


def test_without_a_token_the_mend_is_the_command_that_signs_in(railyard: Any) -> None:
    answer = problem(401, "unauthorized", "this needs a token", mend="send Authorization: Bearer <token>")
    ran = railyard("job", "list", routes={"GET /v1/jobs": answer})
    assert (ran.code, ran.err.splitlines()[-1]) == (4, "mend:  railyard login")
