"""Executors under test: the suite that every one passes, and one that runs nothing by itself."""

from __future__ import annotations

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from railyard.control.executors.base import Capacity, Executor, Launch, Observation, Runtime, Started
from railyard.errors import NotFound, RailyardError, Refused, Timeout
from railyard.spec.ids import new_id

Question = Callable[[Mapping[str, Any]], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]
Behaviour = Literal["until_told", "deaf", "at_once"]
"""What a launched attempt does: lives until `let_go`; the same, but ignores SIGTERM; or ends by itself."""


_SIZE = Capacity(cpu=4.0, memory_bytes=8 * 2**30)


@dataclass
class _Attempt:
    launch: Launch
    uid: str
    evidence: Mapping[str, Any] | None = None
    task: asyncio.Task[None] | None = None


@dataclass
class InlineExecutor:
    """An executor in memory: attempts live until the test ends them, or as long as `run` takes.

    `run(launch)` carries an attempt out inside this process, in the event loop if it is async and in a thread if not;
    what it raises becomes evidence `exit_code: 1`. `answers` holds a function per question of `ask`.
    """

    run: Callable[[Launch], Awaitable[None] | None] | None = None
    answers: Mapping[str, Question] = field(default_factory=dict)
    size: Capacity = _SIZE
    name: str = "inline"
    launches: list[Launch] = field(default_factory=list)
    """Every attempt that was really started, in order."""
    cancelled: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unseen: RailyardError | None = None
    """Set, `observe` raises it: the place cannot be seen."""
    _attempts: dict[str, _Attempt] = field(default_factory=dict)

    async def open(self) -> None:
        """Nothing outlives the process."""

    async def close(self) -> None:
        """Lets go; what runs goes on until its loop ends."""

    async def capacity(self) -> Capacity:
        return self.size

    async def start(self, launch: Launch) -> Started:
        existing = self._attempts.get(launch.name)
        if existing is not None:
            return Started(uid=existing.uid, existed=True)
        attempt = self._attempts[launch.name] = _Attempt(launch, uid=f"inline-{new_id('u')}")
        self.launches.append(launch)
        if self.run is not None:
            attempt.task = asyncio.create_task(self._carry_out(attempt))
        return Started(uid=attempt.uid)

    async def observe(self) -> Mapping[str, Observation]:
        if self.unseen is not None:
            raise self.unseen
        return {name: _observation(name, attempt) for name, attempt in self._attempts.items()}

    async def cancel(self, name: str, *, grace_seconds: float) -> None:
        attempt = self._attempts.get(name)
        if attempt is None or attempt.evidence is not None:
            return
        self.cancelled.append(name)
        if attempt.task is not None:
            attempt.task.cancel()
        attempt.evidence = {"signal": 15}

    async def remove(self, name: str) -> None:
        """Raises Refused for an attempt that lives."""
        attempt = self._attempts.get(name)
        if attempt is None:
            return
        if attempt.evidence is None:
            raise Refused(f"the attempt {name} lives; only what is gone can be removed", mend="cancel it first")
        del self._attempts[name]
        self.removed.append(name)

    async def ask(
        self, runtime: Runtime, question: str, body: Mapping[str, Any], *, timeout_seconds: float
    ) -> Mapping[str, Any]:
        if question not in self.answers:
            raise RailyardError(f"expected a question of {', '.join(self.answers) or 'none'}; got {question}")
        answer = self.answers[question](body)
        if inspect.isawaitable(answer):
            try:
                return await asyncio.wait_for(answer, timeout_seconds)
            except TimeoutError:
                raise Timeout(f"the runner did not answer {question} within {timeout_seconds:g} s") from None
        return answer

    def end(self, name: str, **evidence: Any) -> None:
        """The attempt is gone, with this evidence, such as `signal=9` or `out_of_memory=True`. Raises NotFound."""
        if name not in self._attempts:
            raise NotFound(f"the attempt {name} was never started here")
        self._attempts[name].evidence = evidence

    def lose(self, name: str) -> None:
        """The attempt vanishes from the list, as if somebody had deleted it by hand."""
        self._attempts.pop(name, None)

    async def _carry_out(self, attempt: _Attempt) -> None:
        assert self.run is not None
        evidence: Mapping[str, Any] = {"exit_code": 0}
        try:
            if inspect.iscoroutinefunction(self.run):
                await self.run(attempt.launch)
            else:
                await asyncio.to_thread(self.run, attempt.launch)
        except Exception as error:
            evidence = {"exit_code": 1, "error": repr(error)}
        finally:
            attempt.evidence = attempt.evidence or evidence


def _observation(name: str, attempt: _Attempt) -> Observation:
    if attempt.evidence is None:
        return Observation(name=name, uid=attempt.uid, phase="alive")
    return Observation(name=name, uid=attempt.uid, phase="gone", evidence=attempt.evidence)


class ExecutorConformance(ABC):
    """What the job manager relies on. Subclass it in a test module and say how to make executors and attempts.

    Needs pytest-asyncio in auto mode, or an equivalent that awaits test methods.
    """

    patience = 30.0
    """Seconds until something that must happen counts as missing."""

    @abstractmethod
    async def executor(self) -> Executor:
        """An opened executor on this test's place; called again, another one on the same place, as after a restart."""

    @abstractmethod
    def launch(self, behaviour: Behaviour) -> Launch:
        """A new attempt that behaves so."""

    @abstractmethod
    def let_go(self, name: str) -> None:
        """Lets an attempt that lives `until_told` end by itself."""

    survives_restart = True
    """Whether attempts outlive the executor that started them."""

    async def test_a_started_attempt_is_observed_alive_under_its_uid(self) -> None:
        executor, launch = await self.executor(), self.launch("until_told")
        started = await executor.start(launch)
        seen = (await executor.observe())[launch.name]
        assert (seen.phase, seen.uid, started.existed) == ("alive", started.uid, False)
        await self._end(executor, launch)

    async def test_the_same_name_is_never_started_twice(self) -> None:
        executor, launch = await self.executor(), self.launch("until_told")
        answers = await asyncio.gather(*(executor.start(launch) for _ in range(8)))
        assert len({answer.uid for answer in answers}) == 1
        assert sorted(answer.existed for answer in answers) == [False] + [True] * 7
        await self._end(executor, launch)

    async def test_a_name_that_is_gone_is_not_started_again_while_it_is_there(self) -> None:
        executor, launch = await self.executor(), self.launch("at_once")
        first = await executor.start(launch)
        await self._gone(executor, launch.name)
        again = await executor.start(launch)
        assert (again.uid, again.existed) == (first.uid, True)
        await executor.remove(launch.name)

    async def test_an_attempt_that_ends_is_gone_until_it_is_removed(self) -> None:
        executor, launch = await self.executor(), self.launch("until_told")
        started = await executor.start(launch)
        self.let_go(launch.name)
        seen = await self._gone(executor, launch.name)
        assert seen.uid == started.uid
        await executor.remove(launch.name)
        assert launch.name not in await executor.observe()

    async def test_cancel_ends_an_attempt(self) -> None:
        executor, launch = await self.executor(), self.launch("until_told")
        await executor.start(launch)
        await executor.cancel(launch.name, grace_seconds=5.0)
        await self._gone(executor, launch.name)
        await executor.remove(launch.name)

    async def test_cancel_ends_an_attempt_that_ignores_it(self) -> None:
        executor, launch = await self.executor(), self.launch("deaf")
        await executor.start(launch)
        await executor.cancel(launch.name, grace_seconds=0.1)
        await executor.cancel(launch.name, grace_seconds=0.1)
        await self._gone(executor, launch.name)
        await executor.remove(launch.name)

    async def test_cancel_and_remove_of_what_is_not_there_do_nothing(self) -> None:
        executor = await self.executor()
        name = self.launch("at_once").name
        await executor.cancel(name, grace_seconds=0.1)
        await executor.remove(name)
        assert name not in await executor.observe()

    async def test_an_attempt_that_lives_is_not_removed(self) -> None:
        executor, launch = await self.executor(), self.launch("until_told")
        await executor.start(launch)
        try:
            await executor.remove(launch.name)
        except Refused:
            refused = True
        else:
            refused = False
        assert refused
        assert (await executor.observe())[launch.name].phase == "alive"
        await self._end(executor, launch)

    async def test_a_new_executor_finds_what_an_earlier_one_started(self) -> None:
        if not self.survives_restart:
            return
        earlier, launch = await self.executor(), self.launch("until_told")
        started = await earlier.start(launch)
        await earlier.close()
        later = await self.executor()
        assert (await later.observe())[launch.name] == Observation(name=launch.name, uid=started.uid, phase="alive")
        assert await later.start(launch) == Started(uid=started.uid, existed=True)
        await self._end(later, launch)

    async def test_capacity_is_of_the_place_and_not_of_what_is_free(self) -> None:
        executor, launch = await self.executor(), self.launch("until_told")
        before = await executor.capacity()
        await executor.start(launch)
        assert await executor.capacity() == before
        assert before.cpu > 0
        assert before.memory_bytes > 0
        await self._end(executor, launch)

    async def _end(self, executor: Executor, launch: Launch) -> None:
        self.let_go(launch.name)
        await self._gone(executor, launch.name)
        await executor.remove(launch.name)

    async def _gone(self, executor: Executor, name: str) -> Observation:
        until = asyncio.get_running_loop().time() + self.patience
        while True:
            seen = (await executor.observe())[name]
            if seen.phase == "gone":
                return seen
            assert asyncio.get_running_loop().time() < until, f"{name} is still alive after {self.patience:g} s"
            await asyncio.sleep(0.02)
