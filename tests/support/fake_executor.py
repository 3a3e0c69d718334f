"""An executor in memory: attempts that live until a test says otherwise. The seam is executors.base.Executor."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any, Literal

from railyard.control.executors.base import Capacity, Launch, Observation, Runtime, Started


class FakeExecutor:
    """Starts nothing. `launches` has every start that was new, in order."""

    name = "fake"

    def __init__(self, capacity: Capacity | None = None) -> None:
        self._capacity = capacity or Capacity(cpu=4.0, memory_bytes=16 * 2**30)
        self._numbers = itertools.count(1)
        self._attempts: dict[str, Observation] = {}
        self.launches: list[Launch] = []
        self.cancelled: list[str] = []
        self.removed: list[str] = []
        self.blind = False
        """The place cannot be seen: `observe` raises."""
        self.unsure: Literal["before", "after"] | None = None
        """A start raises before or after the attempt has come to exist."""
        self.slow: dict[str, asyncio.Event] = {}
        """Runtimes whose starts wait until the event is set."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def capacity(self) -> Capacity:
        return self._capacity

    async def start(self, launch: Launch) -> Started:
        if launch.runtime.key in self.slow:
            await self.slow[launch.runtime.key].wait()
        if self.unsure == "before":
            raise ConnectionError("the executor did not answer")
        found = self._attempts.get(launch.name)
        if found is None:
            found = Observation(name=launch.name, uid=f"uid{next(self._numbers)}", phase="alive")
            self._attempts[launch.name] = found
            self.launches.append(launch)
            started = Started(uid=found.uid)
        else:
            started = Started(uid=found.uid, existed=True)
        if self.unsure == "after":
            raise ConnectionError("the answer was lost")
        return started

    async def observe(self) -> Mapping[str, Observation]:
        if self.blind:
            raise ConnectionError("the place cannot be seen")
        return dict(self._attempts)

    async def cancel(self, name: str, *, grace_seconds: float) -> None:
        self.cancelled.append(name)

    async def remove(self, name: str) -> None:
        self._attempts.pop(name, None)
        self.removed.append(name)

    async def ask(
        self, runtime: Runtime, question: str, body: Mapping[str, Any], *, timeout_seconds: float
    ) -> Mapping[str, Any]:
        return {}

    def end(self, name: str, **evidence: Any) -> None:
        """The attempt is gone, and this is known of its end."""
        uid = self._attempts[name].uid
        self._attempts[name] = Observation(name=name, uid=uid, phase="gone", evidence=evidence)

    def vanish(self, name: str) -> None:
        """Nothing of the attempt is left to be seen."""
        self._attempts.pop(name, None)

    def replace(self, name: str) -> None:
        """Another thing has taken the name."""
        self._attempts[name] = Observation(name=name, uid=f"uid{next(self._numbers)}", phase="alive")
