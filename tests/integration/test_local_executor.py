"""The local executor with real processes: what every executor promises, and what only this one does."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from runner_bench import TOKEN, Bench, alive, launch_of, limits, spec_of

from railyard.control.executors.base import Executor, Launch, Runtime
from railyard.control.executors.interpreters import call
from railyard.control.executors.local import LocalExecutor
from railyard.errors import RailyardError, Refused, Timeout, Unavailable
from railyard.testing.executors import Behaviour, ExecutorConformance


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    # A path far longer than a Unix socket's address may be.
    bench = Bench(tmp_path_factory.mktemp("executor" + "-long" * 20))
    yield bench
    bench.close()


@pytest.fixture
async def executor(bench: Bench) -> AsyncIterator[LocalExecutor]:
    executor = bench.executor()
    await executor.open()
    yield executor
    await executor.close()


class TestConformance(ExecutorConformance):
    @pytest.fixture(autouse=True)
    def _bench(self, bench: Bench) -> None:
        self.bench = bench

    async def executor(self) -> Executor:
        executor = self.bench.executor()
        await executor.open()
        return executor

    def launch(self, behaviour: Behaviour) -> Launch:
        spec = spec_of("succeed" if behaviour == "at_once" else "hang", stubborn=behaviour == "deaf")
        self.bench.server.add(spec, TOKEN)
        return launch_of(spec, self.bench.server.url, self.bench.runtime)

    def let_go(self, name: str) -> None:
        (self.bench.folder(name) / "scratch" / "release").touch()


async def gone(executor: LocalExecutor, name: str) -> None:
    for _ in range(1500):
        if (await executor.observe())[name].phase == "gone":
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{name} still lives")


async def test_many_starts_at_once_give_one_process_each(bench: Bench, executor: LocalExecutor) -> None:
    specs = [spec_of("succeed") for _ in range(6)]
    heard = [bench.server.add(spec, TOKEN) for spec in specs]
    launches = [launch_of(spec, bench.server.url, bench.runtime) for spec in specs]
    others = [bench.executor() for _ in range(3)]
    answers = await asyncio.gather(*(one.start(launch) for launch in launches for one in [executor, *others]))
    assert sum(not answer.existed for answer in answers) == 6
    await asyncio.to_thread(bench.server.wait, lambda: all(one.final for one in heard))
    assert all(one.manifest for one in heard)
    for spec in specs:
        await gone(executor, spec.name)
        await executor.remove(spec.name)


async def test_the_warm_interpreter_outlives_the_executor_and_is_adopted(bench: Bench, executor: LocalExecutor) -> None:
    await executor.warm_up(bench.runtime)
    before = call(bench.home / "warm" / "stub", {"do": "ping"}, seconds=5)
    await executor.close()
    await bench.executor().warm_up(bench.runtime)
    assert call(bench.home / "warm" / "stub", {"do": "ping"}, seconds=5) == before


async def test_several_executors_at_once_start_one_interpreter(bench: Bench, executor: LocalExecutor) -> None:
    await executor.stop_warm()
    run_in = Runtime(key="shared", python=bench.runtime.python)
    await asyncio.gather(*(bench.executor().ask(run_in, "echo", {}, timeout_seconds=30) for _ in range(4)))
    listening = str(bench.home / "warm" / "shared" / "socket")
    # A forked child that has just answered bears its parent's command line until it is gone.
    found = {
        process.pid: process
        for process in psutil.process_iter(["cmdline", "ppid"])
        if listening in (process.info["cmdline"] or [])
    }
    assert len([pid for pid, process in found.items() if process.info["ppid"] not in found]) == 1
    assert await executor.stop_warm() == 1


async def test_an_interpreter_whose_code_changed_on_disk_is_replaced(bench: Bench, executor: LocalExecutor) -> None:
    await executor.warm_up(bench.runtime)
    folder = bench.home / "warm" / "stub"
    before = call(folder, {"do": "ping"}, seconds=5)["pid"]
    (folder / "outdated").touch()
    await executor.warm_up(bench.runtime)
    assert call(folder, {"do": "ping"}, seconds=5)["pid"] != before
    (folder / "outdated").unlink()


async def test_a_killed_warm_interpreter_takes_no_attempt_with_it_and_is_replaced(
    bench: Bench, executor: LocalExecutor
) -> None:
    spec = spec_of("hang")
    heard = bench.server.add(spec, TOKEN)
    await executor.start(launch_of(spec, bench.server.url, bench.runtime))
    await asyncio.to_thread(bench.pids, heard)
    before = call(bench.home / "warm" / "stub", {"do": "ping"}, seconds=5)["pid"]
    os.kill(before, signal.SIGKILL)
    other = spec_of("succeed")
    bench.server.add(other, TOKEN)
    assert not (await executor.start(launch_of(other, bench.server.url, bench.runtime))).existed
    assert call(bench.home / "warm" / "stub", {"do": "ping"}, seconds=5)["pid"] != before
    (bench.folder(spec.name) / "scratch" / "release").touch()
    await asyncio.to_thread(bench.server.wait, lambda: heard.final)
    assert heard.manifest is not None
    for name in (spec.name, other.name):
        await gone(executor, name)
        await executor.remove(name)


async def test_stop_warm_ends_interpreters_and_spares_attempts(bench: Bench, executor: LocalExecutor) -> None:
    spec = spec_of("hang")
    heard = bench.server.add(spec, TOKEN)
    await executor.start(launch_of(spec, bench.server.url, bench.runtime))
    await asyncio.to_thread(bench.pids, heard)
    pid = call(bench.home / "warm" / "stub", {"do": "ping"}, seconds=5)["pid"]
    assert await executor.stop_warm() == 1
    assert not alive(pid)
    assert await executor.stop_warm() == 0
    (bench.folder(spec.name) / "scratch" / "release").touch()
    await asyncio.to_thread(bench.server.wait, lambda: heard.final)
    await gone(executor, spec.name)
    await executor.remove(spec.name)


async def test_a_reused_pid_is_not_taken_for_the_attempt(bench: Bench, executor: LocalExecutor) -> None:
    spec = spec_of("succeed")
    bench.server.add(spec, TOKEN)
    await executor.start(launch_of(spec, bench.server.url, bench.runtime))
    await gone(executor, spec.name)
    launch = bench.folder(spec.name) / "launch.json"
    text = launch.read_text()
    launch.write_text(text.replace(f'"pid": {text.split(":")[1].split(",")[0].strip()}', f'"pid": {os.getpid()}'))
    assert (await executor.observe())[spec.name].phase == "gone"
    await executor.cancel(spec.name, grace_seconds=0.0)
    await executor.remove(spec.name)


async def test_a_killed_supervisor_takes_its_worker_along_and_leaves_evidence(
    bench: Bench, executor: LocalExecutor
) -> None:
    spec = spec_of("orphans", then="hang")
    heard = bench.server.add(spec, TOKEN)
    await executor.start(launch_of(spec, bench.server.url, bench.runtime))
    pids = await asyncio.to_thread(bench.pids, heard)
    os.kill(bench.supervisor(spec.name), signal.SIGKILL)
    await gone(executor, spec.name)
    # Gone means that nothing runs any more: the daemon that nobody's death ends is ended by the look itself.
    assert not any(alive(pid) for pid in pids)
    seen = (await executor.observe())[spec.name]
    assert seen.evidence["delivered"] is False
    assert seen.evidence.get("signal") == 9
    await executor.remove(spec.name)
    assert not bench.folder(spec.name).exists()


async def test_a_half_made_folder_of_a_crashed_start_is_cleared_away(bench: Bench, tmp_path: Path) -> None:
    half = tmp_path / "attempts" / ".jabc-1.ffff"
    half.mkdir(parents=True)
    executor = LocalExecutor(tmp_path)
    await executor.open()
    assert not half.exists()
    assert await executor.observe() == {}


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "A" * 5, "x" * 200])
async def test_a_name_that_is_no_attempt_s_is_refused(executor: LocalExecutor, name: str) -> None:
    with pytest.raises(ValueError, match="attempt's name"):
        await executor.cancel(name, grace_seconds=0)


async def test_an_interpreter_that_is_not_there_is_unavailable(bench: Bench, executor: LocalExecutor) -> None:
    spec = spec_of("succeed")
    missing = Runtime(key="missing", python="/no/such/python")
    with pytest.raises(Unavailable, match="cannot be started"):
        await executor.start(launch_of(spec, bench.server.url, missing))
    with pytest.raises(Unavailable, match="cannot be started"):
        await executor.ask(missing, "echo", {}, timeout_seconds=5)
    assert spec.name not in await executor.observe()


async def test_a_question_is_answered_in_a_process_of_its_own(bench: Bench, executor: LocalExecutor) -> None:
    first = await executor.ask(bench.runtime, "echo", {"text": "ü\u2028"}, timeout_seconds=10)
    second = await executor.ask(bench.runtime, "echo", {}, timeout_seconds=10)
    assert first["heard"] == {"text": "ü\u2028"}
    assert first["pid"] != second["pid"]


async def test_large_questions_and_many_at_once_are_answered(bench: Bench, executor: LocalExecutor) -> None:
    text = "x" * 3_000_000
    answers = await asyncio.gather(
        *(executor.ask(bench.runtime, "echo", {"text": text, "n": n}, timeout_seconds=30) for n in range(4))
    )
    assert [answer["heard"]["n"] for answer in answers] == [0, 1, 2, 3]
    assert all(answer["heard"]["text"] == text for answer in answers)


async def test_what_user_code_prints_does_not_spoil_the_answer(bench: Bench, executor: LocalExecutor) -> None:
    assert await executor.ask(bench.runtime, "print", {}, timeout_seconds=10) == {"fine": True}


@pytest.mark.parametrize(
    ("question", "words"), [("raise", "KeyError"), ("die", "without an answer"), ("nonsense", "expected a question of")]
)
async def test_a_question_without_an_answer_says_why(
    bench: Bench, executor: LocalExecutor, question: str, words: str
) -> None:
    with pytest.raises(RailyardError, match=words):
        await executor.ask(bench.runtime, question, {}, timeout_seconds=10)


@pytest.mark.parametrize("warm", [True, False])
async def test_who_does_not_answer_in_time_is_killed(
    bench: Bench, executor: LocalExecutor, tmp_path: Path, warm: bool
) -> None:
    run_in = bench.runtime if warm else cold(bench, tmp_path)
    pid_file = tmp_path / "pid"
    with pytest.raises(Timeout):
        await executor.ask(run_in, "sleep", {"pid_file": str(pid_file)}, timeout_seconds=1)
    pid = int(pid_file.read_text())
    for _ in range(500):
        if not alive(pid):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it still sleeps")


async def test_a_runtime_that_cannot_be_warmed_answers_cold(
    bench: Bench, executor: LocalExecutor, tmp_path: Path
) -> None:
    run_in = cold(bench, tmp_path)
    assert (await executor.ask(run_in, "echo", {"a": 1}, timeout_seconds=20))["heard"] == {"a": 1}
    assert await executor.ask(run_in, "print", {}, timeout_seconds=20) == {"fine": True}
    with pytest.raises(RailyardError, match="without an answer"):
        await executor.ask(run_in, "die", {}, timeout_seconds=20)


async def test_capacity_follows_the_settings(tmp_path: Path) -> None:
    assert (await LocalExecutor(tmp_path, cpu=3.5, memory=123, gpu=2).capacity()).cpu == 3.5
    assert (await LocalExecutor(tmp_path).capacity()).memory_bytes > 2**28


async def test_secrets_of_the_server_do_not_reach_user_code(bench: Bench) -> None:
    environ = {**os.environ, "RAILYARD_DATABASE_URL": "postgresql://secret", "AWS_SECRET_ACCESS_KEY": "secret"}
    bench_executor = LocalExecutor(bench.home, environ=environ)
    await bench_executor.stop_warm()
    spec = spec_of("look", limited=limits(cpu=2.0))
    heard = bench.server.add(spec, TOKEN)
    await bench_executor.start(launch_of(spec, bench.server.url, bench.runtime))
    await asyncio.to_thread(bench.server.wait, lambda: heard.final)
    said = "\n".join(heard.texts())
    assert "secret" not in said
    assert "OMP_NUM_THREADS', '2'" in said
    await gone(bench_executor, spec.name)
    await bench_executor.remove(spec.name)


async def test_removing_twice_is_removing_once(bench: Bench, executor: LocalExecutor) -> None:
    spec = spec_of("hang")
    heard = bench.server.add(spec, TOKEN)
    await executor.start(launch_of(spec, bench.server.url, bench.runtime))
    await asyncio.to_thread(bench.pids, heard)
    with pytest.raises(Refused, match="lives"):
        await executor.remove(spec.name)
    (bench.folder(spec.name) / "scratch" / "release").touch()
    await gone(executor, spec.name)
    await asyncio.gather(executor.remove(spec.name), executor.remove(spec.name))
    assert spec.name not in await executor.observe()


def cold(bench: Bench, folder: Path) -> Runtime:
    """A runtime whose interpreter dies when it is to be warmed."""
    program = folder / "cold-python"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *" warm "*) echo no warmth here >&2; exit 3;; esac\nexec {bench.runtime.python} "$@"\n'
    )
    program.chmod(0o755)
    return Runtime(key="cold", python=str(program))
