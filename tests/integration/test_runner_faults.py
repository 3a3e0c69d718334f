"""What goes wrong around an attempt: the server is away or odd, memory runs out, processes are killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from runner_bench import TOKEN, Bench, alive, launch_of, limits, spec_of

LIMIT = 128 * 2**20


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("faults"))
    yield bench
    bench.close()


@pytest.fixture(autouse=True)
def _server_is_back(bench: Bench) -> Iterator[None]:
    yield
    bench.server.refuse.clear()
    bench.server.stop()
    bench.server.start()


def test_memory_over_the_limit_is_out_of_memory_with_peak_limit_and_mend(bench: Bench) -> None:
    heard = bench.begin("memory", limited=limits(memory_bytes=LIMIT))
    seen = bench.finish(heard)
    assert heard.failure is not None
    error = heard.failure["error"]
    assert error["code"] == "out_of_memory"
    assert error["evidence"]["memory_limit"] == LIMIT
    assert error["evidence"]["peak_memory"] >= 0.9 * LIMIT
    assert error["mend"] == f"railyard job rerun {heard.spec.job_id} --set resources.memory=192Mi"
    assert seen.evidence["out_of_memory"] is True


def test_memory_is_limited_without_control_groups_too(bench: Bench) -> None:
    spec = spec_of("memory", limited=limits(memory_bytes=LIMIT))
    heard = bench.server.add(spec, TOKEN)
    asyncio.run(bench.executor(control_groups=False).start(launch_of(spec, bench.server.url, bench.runtime)))
    bench.finish(heard)
    assert heard.failure is not None
    error = heard.failure["error"]
    assert error["code"] == "out_of_memory"
    assert error["evidence"]["peak_memory"] > LIMIT
    assert "resources.memory=" in error["mend"]


def test_daemons_are_ended_without_control_groups_too(bench: Bench) -> None:
    spec = spec_of("orphans")
    heard = bench.server.add(spec, TOKEN)
    asyncio.run(bench.executor(control_groups=False).start(launch_of(spec, bench.server.url, bench.runtime)))
    bench.finish(heard)
    assert heard.manifest is not None
    assert not any(alive(pid) for pid in bench.pids(heard))


def test_control_groups_are_cleared_away(bench: Bench) -> None:
    heard = bench.run("succeed")
    folders = json.loads((bench.folder(heard.spec.name) / "group.json").read_text())["folders"]
    assert not any(Path(folder).exists() for folder in folders)


def test_an_attempt_waits_for_a_server_that_is_away_at_its_start(bench: Bench) -> None:
    bench.server.stop()
    heard = bench.begin("succeed")
    assert alive(bench.supervisor(heard.spec.name))
    bench.server.start()
    bench.finish(heard)
    assert heard.manifest is not None


def test_a_training_goes_on_while_the_server_is_away_and_everything_is_told_later(bench: Bench) -> None:
    heard = bench.begin("hang")
    bench.pids(heard)
    bench.server.stop()
    folder = bench.folder(heard.spec.name)
    (folder / "scratch" / "release").touch()
    while not (folder / "outcome.json").exists():
        assert alive(bench.supervisor(heard.spec.name))
    assert not heard.final
    bench.server.start()
    bench.finish(heard)
    assert heard.manifest is not None
    assert heard.texts("system") == ["trained; delivering the result"]


def test_a_failure_waits_for_the_server_too(bench: Bench) -> None:
    heard = bench.begin("hang", limited=limits(timeout_seconds=1))
    bench.pids(heard)
    bench.server.stop()
    log = bench.folder(heard.spec.name) / "log.jsonl"
    while "failed: timeout" not in log.read_text():
        assert alive(bench.supervisor(heard.spec.name))
    bench.server.start()
    bench.finish(heard)
    assert heard.failure is not None
    assert heard.failure["error"]["code"] == "timeout"
    assert heard.failure["log_lines"] == len(heard.lines)


@pytest.mark.parametrize("what", ["spec", "started", "heartbeat", "logs", "metrics", "artifacts", "commit"])
@pytest.mark.parametrize("status", [500, 503])
def test_an_answer_that_is_the_server_s_trouble_is_tried_again(bench: Bench, what: str, status: int) -> None:
    bench.server.refuse[what] = (status, 2)
    heard = bench.run("measure", points=10)
    assert heard.manifest is not None
    assert heard.started is not None
    assert len(heard.points) == 11
    assert heard.texts("system") == ["trained; delivering the result"]


def test_telemetry_that_the_server_refuses_never_fails_a_training(bench: Bench) -> None:
    bench.server.refuse["metrics"] = (422, 1000)
    heard = bench.run("measure", points=10)
    assert heard.manifest is not None
    assert heard.points == {}


def test_one_odd_refusal_of_a_heartbeat_does_not_end_a_training(bench: Bench) -> None:
    heard = bench.begin("hang")
    bench.pids(heard)
    bench.server.refuse["heartbeat"] = (404, 2)
    beats = len(heard.beats)
    bench.server.wait(lambda: len(heard.beats) > beats)
    (bench.folder(heard.spec.name) / "scratch" / "release").touch()
    bench.finish(heard)
    assert heard.manifest is not None


def test_a_token_that_is_dead_ends_the_attempt(bench: Bench) -> None:
    heard = bench.begin("hang")
    (worker,) = bench.pids(heard)
    heard.token = "another"
    seen = bench.gone(heard.spec.name)
    assert not alive(worker)
    assert seen.evidence["end"] == "refused"


def test_a_result_that_the_server_does_not_accept_fails_the_attempt_with_its_words(bench: Bench) -> None:
    bench.server.refuse["commit"] = (422, 1)
    heard = bench.run("succeed")
    assert heard.failure is not None
    assert "commit is refused by the test" in heard.failure["error"]["message"]


def test_a_commit_that_comes_too_late_is_given_up(bench: Bench) -> None:
    bench.server.refuse["commit"] = (409, 1)
    heard = bench.begin("succeed")
    seen = bench.gone(heard.spec.name)
    assert seen.evidence["end"] == "refused"
    assert not heard.final


def test_an_artifact_over_the_server_s_limit_fails_the_attempt_for_good(bench: Bench) -> None:
    bench.server.refuse["artifacts"] = (413, 1)
    heard = bench.run("succeed")
    assert heard.failure is not None
    assert heard.failure["error"]["code"] == "serialization"


def test_the_last_lines_survive_a_worker_that_is_shot(bench: Bench) -> None:
    heard = bench.begin("hang")
    (worker,) = bench.pids(heard)
    os.kill(worker, signal.SIGKILL)
    bench.finish(heard)
    assert heard.texts("stdout") == [f"pids {worker}"]
    assert heard.failure is not None
    assert heard.failure["error"]["code"] == "lost"
    assert heard.failure["error"]["evidence"]["signal"] == "SIGKILL"


def test_a_stopped_worker_is_ended_by_its_timeout(bench: Bench) -> None:
    heard = bench.begin("hang", limited=limits(timeout_seconds=2))
    (worker,) = bench.pids(heard)
    os.kill(worker, signal.SIGSTOP)
    bench.finish(heard)
    assert heard.failure is not None
    assert heard.failure["error"]["code"] == "timeout"
    assert not alive(worker)


def test_a_cancel_before_the_spec_is_here_is_honoured(bench: Bench) -> None:
    bench.server.stop()
    heard = bench.begin("succeed")
    os.kill(bench.supervisor(heard.spec.name), signal.SIGTERM)
    bench.server.refuse["spec"] = (503, 10_000)
    bench.server.start()
    bench.finish(heard)
    assert heard.failure is not None
    assert heard.failure["error"]["code"] == "cancelled_by_user"
