from __future__ import annotations

import asyncio
from typing import Any

import pytest

from railyard.control.executors.base import Executor, Launch, Runtime
from railyard.errors import NotFound, RailyardError, Timeout, Unavailable
from railyard.spec.attempt import Limits
from railyard.spec.ids import new_id
from railyard.testing.executors import Behaviour, ExecutorConformance, InlineExecutor

RUNTIME = Runtime(key="server", python="python")


def launch(name: str | None = None) -> Launch:
    limits = Limits(cpu=1.0, memory_bytes=2**30)
    return Launch(name=name or f"{new_id('j')}-1", runtime=RUNTIME, token="t", url="http://x", limits=limits)


class TestConformance(ExecutorConformance):
    survives_restart = False

    async def executor(self) -> Executor:
        self.inline = InlineExecutor(run=self._run)
        self.released: dict[str, asyncio.Event] = getattr(self, "released", {})
        return self.inline

    def launch(self, behaviour: Behaviour) -> Launch:
        made = launch()
        self.released[made.name] = asyncio.Event()
        if behaviour == "at_once":
            self.released[made.name].set()
        return made

    def let_go(self, name: str) -> None:
        self.released[name].set()

    async def _run(self, started: Launch) -> None:
        await self.released[started.name].wait()


async def test_without_a_runner_an_attempt_lives_until_the_test_ends_it() -> None:
    executor, one = InlineExecutor(), launch()
    await executor.start(one)
    executor.end(one.name, signal=9, peak_memory=5)
    assert (await executor.observe())[one.name].evidence == {"signal": 9, "peak_memory": 5}


async def test_what_a_runner_raises_is_evidence() -> None:
    def fails(_: Launch) -> None:
        raise ValueError("no")

    executor, one = InlineExecutor(run=fails), launch()
    await executor.start(one)
    while (await executor.observe())[one.name].phase == "alive":
        await asyncio.sleep(0)
    assert (await executor.observe())[one.name].evidence == {"exit_code": 1, "error": "ValueError('no')"}


async def test_a_lost_attempt_is_not_in_the_list_and_an_unseen_place_raises() -> None:
    executor, one = InlineExecutor(), launch()
    await executor.start(one)
    executor.lose(one.name)
    assert await executor.observe() == {}
    executor.unseen = Unavailable("the place is away")
    with pytest.raises(Unavailable):
        await executor.observe()
    with pytest.raises(NotFound):
        executor.end("jnever-1")


async def test_questions_are_answered_by_the_test() -> None:
    async def slow(_: Any) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    executor = InlineExecutor(answers={"plan": lambda body: {"got": body}, "discover": slow})
    assert await executor.ask(RUNTIME, "plan", {"a": 1}, timeout_seconds=1) == {"got": {"a": 1}}
    with pytest.raises(Timeout):
        await executor.ask(RUNTIME, "discover", {}, timeout_seconds=0.01)
    with pytest.raises(RailyardError, match="plan, discover"):
        await executor.ask(RUNTIME, "other", {}, timeout_seconds=1)
