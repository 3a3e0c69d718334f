"""How an attempt ends, seen from the server: real processes, a real HTTP server, a training that does as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attempt_server import Heard
from runner_bench import TOKEN, Bench, alive, limits


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("runner"))
    yield bench
    bench.close()


def error_of(heard: Heard) -> dict[str, object]:
    assert heard.failure is not None, heard.manifest
    found: dict[str, object] = heard.failure["error"]
    return found


def test_a_training_is_started_reported_uploaded_and_committed(bench: Bench) -> None:
    heard = bench.begin("succeed")
    seen = bench.finish(heard)
    assert heard.started is not None
    assert heard.started["warm"] is True
    assert heard.manifest is not None
    assert heard.artifacts == {"model/model.bin": b"good"}
    assert [step["name"] for step in heard.manifest["steps"]][-2:] == ["train", "save"]
    assert all(step["peak_memory"] for step in heard.manifest["steps"][-2:])
    assert seen.evidence["end"] == "committed"
    assert seen.evidence["exit_code"] == 0


def test_output_of_the_worker_and_its_children_arrives_line_by_line(bench: Bench) -> None:
    heard = bench.run("talk")
    assert heard.texts("stdout") == ["to stdout", "by descriptor, invalid \ufffd", "from a child", "no line end"]
    assert heard.texts("stderr") == ["to stderr"]


def test_every_metric_point_arrives_in_order(bench: Bench) -> None:
    heard = bench.run("measure", points=2500)
    points = [heard.points[ordinal] for ordinal in sorted(heard.points)]
    assert sorted(heard.points) == list(range(1, 2502))
    assert [point["step"] for point in points[:2500]] == list(range(2500))
    assert points[-1] == {**points[-1], "name": "nothing", "value": None}


def test_an_exception_of_user_code_is_user_code_with_its_traceback(bench: Bench) -> None:
    heard = bench.run("fail")
    error = error_of(heard)
    assert error["code"] == "user_code"
    assert error["message"] == "ValueError: bad \ufffd ? text"
    assert error["step"] == "train"
    assert "in _fail" in str(error["traceback"])
    assert "ValueError" in "\n".join(heard.texts("stderr"))


def test_an_attempt_error_keeps_its_own_words(bench: Bench) -> None:
    error = error_of(bench.run("data"))
    assert (error["code"], error["mend"], error["step"]) == ("empty_train", "widen the filters", "fetch")


@pytest.mark.parametrize(
    ("do", "code", "words"),
    [
        ("exit", "user_code", "sys.exit(3)"),
        ("exit_hard", "user_code", "exit code 7"),
        ("crash", "user_code", "SIGSEGV"),
        ("shot", "lost", "SIGKILL"),
        ("memory_error", "out_of_memory", "800 GiB"),
        ("disk", "disk_full", "No space left"),
    ],
)
def test_an_abrupt_end_is_told_by_its_cause(bench: Bench, do: str, code: str, words: str) -> None:
    error = error_of(bench.run(do))
    assert error["code"] == code
    assert words in str(error["message"])


def test_a_native_crash_shows_the_python_frames(bench: Bench) -> None:
    assert "Fatal Python error: Segmentation fault" in str(error_of(bench.run("crash"))["traceback"])


@pytest.mark.parametrize(
    ("model", "words"),
    [("bad", "the scores differ"), ("crash", "without an answer"), ("raise", "no such class")],
)
def test_a_model_that_does_not_reload_fails_the_job(bench: Bench, model: str, words: str) -> None:
    heard = bench.run("succeed", model=model)
    error = error_of(heard)
    assert error["code"] == "serialization"
    assert words in str(error["message"])
    assert heard.manifest is None


def test_a_result_that_nobody_verified_is_verified_before_the_commit(bench: Bench) -> None:
    assert bench.run("succeed", skip_verify=True).manifest is not None
    assert error_of(bench.run("succeed", skip_verify=True, model="bad"))["code"] == "serialization"


def test_user_code_sees_neither_the_token_nor_the_server_s_descriptors(bench: Bench) -> None:
    heard = bench.run("look")
    said = "\n".join(heard.texts())
    assert TOKEN not in said
    folder = bench.folder(heard.spec.name)
    assert f"cwd {folder}/scratch" in said
    assert "OMP_NUM_THREADS', '1'" in said
    assert "nice 10" in said
    assert "stdin ''" in said
    fds = next(text for text in heard.texts() if text.startswith("fds"))
    assert "supervisor.log" not in fds
    # Its channel to the supervisor and nothing else: no listening socket, no token's pipe.
    assert fds.count("socket:") == 1
    assert not any(TOKEN in path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


def test_a_job_past_its_timeout_is_ended_and_says_so(bench: Bench) -> None:
    heard = bench.run("hang", stubborn=True, limited=limits(timeout_seconds=1))
    error = error_of(heard)
    assert error["code"] == "timeout"
    assert "timeout_seconds=2" in str(error["mend"])
    assert not alive(bench.pids(heard)[0])


def test_a_cancel_by_heartbeat_ends_a_worker_that_ignores_sigterm(bench: Bench) -> None:
    heard = bench.begin("hang", stubborn=True)
    (worker,) = bench.pids(heard)
    heard.answer = {"cancel_requested": True}
    bench.finish(heard)
    assert error_of(heard)["code"] == "cancelled_by_user"
    assert not alive(worker)


def test_a_stale_attempt_stops_and_delivers_nothing(bench: Bench) -> None:
    heard = bench.begin("hang")
    (worker,) = bench.pids(heard)
    heard.answer = {"stale": True}
    seen = bench.gone(heard.spec.name)
    assert not heard.final
    assert not alive(worker)
    assert seen.evidence["end"] == "refused"


def test_daemons_of_user_code_do_not_outlive_the_attempt(bench: Bench) -> None:
    heard = bench.run("orphans")
    assert heard.manifest is not None
    assert not any(alive(pid) for pid in bench.pids(heard))


def test_a_cancel_ends_daemons_too(bench: Bench) -> None:
    heard = bench.begin("orphans", then="hang")
    pids = bench.pids(heard)
    assert all(alive(pid) for pid in pids)
    heard.answer = {"cancel_requested": True}
    bench.finish(heard)
    assert not any(alive(pid) for pid in pids)


def test_a_flood_of_output_is_kept_to_the_limit_and_the_gap_is_stated(bench: Bench) -> None:
    heard = bench.run("flood", megabytes=30, limited=limits(log_bytes=5 * 2**20))
    texts = heard.texts()
    kept = sum(text == "x" * 99 for text in texts)
    # The limit holds for what lies on disk, so that a flood of short lines does not fill it either.
    assert (bench.folder(heard.spec.name) / "log.jsonl").stat().st_size < 5 * 2**20 + 1000
    assert kept > 25_000
    assert any("log limit" in text for text in heard.texts("system"))
    assert any(f"{300_000 - kept} lines" in text for text in heard.texts("system"))
    assert heard.manifest is not None
    # Waiting lines lie on disk: the flood does not end up in the attempt's memory.
    assert heard.manifest["steps"][-1]["peak_memory"] < 100 * 2**20


def test_an_attempt_runs_cold_where_its_interpreter_cannot_be_warmed_and_says_so(bench: Bench, tmp_path: Path) -> None:
    program = tmp_path / "cold-python"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *" warm "*) echo no warmth here >&2; exit 3;; esac\nexec {bench.runtime.python} "$@"\n'
    )
    program.chmod(0o755)
    heard = bench.run("succeed", run_in=type(bench.runtime)(key="cold", python=str(program)))
    assert heard.started is not None
    assert heard.started["warm"] is False
    assert any("runs cold" in text and "no warmth here" in text for text in heard.texts("system"))
    assert heard.manifest is not None
