"""The dull loop: an exception never ends it, `soon` shortens its sleep, a notification wakes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from railyard.control.db.listen import QUEUE, Listener
from railyard.control.jobs.loop import Loop


class Counting:
    name = "counting"

    def __init__(self, answers: Callable[[int], Mapping[str, int]], seconds: float, channel: str | None = None) -> None:
        self.seconds, self.channel = seconds, channel
        self._answers = answers
        self.runs = 0
        self.ran = asyncio.Event()

    async def run_once(self) -> Mapping[str, int]:
        self.runs += 1
        self.ran.set()
        return self._answers(self.runs)

    async def until(self, runs: int) -> None:
        while self.runs < runs:
            self.ran.clear()
            await asyncio.wait_for(self.ran.wait(), 10)


async def test_an_exception_never_ends_the_loop() -> None:
    def answer(run: int) -> Mapping[str, int]:
        if run < 3:
            raise RuntimeError("no luck")
        return {"done": 2}

    duty = Counting(answer, seconds=0.001)
    loop = Loop(duty)
    task = asyncio.create_task(loop.run())
    await duty.until(5)
    task.cancel()
    assert loop.failures == 2
    assert loop.totals["done"] >= 4
    assert loop.seconds_since_success is not None


async def test_without_a_success_there_is_no_time_since_one() -> None:
    def fail(run: int) -> Mapping[str, int]:
        raise RuntimeError("never")

    duty = Counting(fail, seconds=0.001)
    loop = Loop(duty)
    task = asyncio.create_task(loop.run())
    await duty.until(3)
    task.cancel()
    assert loop.seconds_since_success is None
    assert loop.late_after_seconds == 30


async def test_soon_brings_the_next_run_before_the_timer() -> None:
    duty = Counting(lambda run: {"soon": 1}, seconds=3600)
    task = asyncio.create_task(Loop(duty).run())
    await duty.until(2)
    task.cancel()


async def test_a_notification_brings_the_next_run_before_the_timer() -> None:
    listener = Listener("postgresql://nowhere")
    duty = Counting(lambda run: {}, seconds=3600, channel=QUEUE)
    task = asyncio.create_task(Loop(duty, listener).run())
    await duty.until(1)
    for signals in listener._signals.values():
        for signal in signals:
            signal.set()
    await duty.until(2)
    task.cancel()
