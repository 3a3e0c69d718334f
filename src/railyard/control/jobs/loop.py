"""The dull loop that every duty runs in."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Protocol

from railyard.control.db.listen import Listener, Signal

logger = logging.getLogger(__name__)

Counts = Mapping[str, int]
"""What one run of a duty did, by what it did. A count named `soon` asks for the next run to come at once."""

_SOON_SECONDS = 0.25
_LATE_FACTOR = 5.0


class Duty(Protocol):
    name: str
    seconds: float
    """Longest time between two runs."""
    channel: str | None
    """The notification that wakes it."""

    async def run_once(self) -> Counts:
        """Does what is to be done now; doing it twice is harmless."""


class Loop:
    """Runs one duty for ever: after a notification, or when its time is up. An exception never ends it."""

    def __init__(self, duty: Duty, listener: Listener | None = None) -> None:
        self.duty = duty
        self._listener = listener
        self._last_success: float | None = None
        self.runs = 0
        self.failures = 0
        self.totals: dict[str, int] = {}
        """Counts of all runs together."""

    @property
    def seconds_since_success(self) -> float | None:
        """None before the first success."""
        return None if self._last_success is None else time.monotonic() - self._last_success

    @property
    def late_after_seconds(self) -> float:
        """Without a success for so long the duty counts as not working."""
        return max(30.0, _LATE_FACTOR * self.duty.seconds)

    async def run(self) -> None:
        """Runs the duty until cancelled."""
        listening = self._listener is not None and self.duty.channel is not None
        with self._listener.subscribe(self.duty.channel) if listening else nullcontext(Signal()) as signal:  # type: ignore[union-attr, arg-type]
            while True:
                await signal.wait(_SOON_SECONDS if await self._once() else self.duty.seconds)

    async def _once(self) -> bool:
        """One run; True where the next one is wanted soon."""
        self.runs += 1
        try:
            counts = await self.duty.run_once()
        except Exception:
            self.failures += 1
            logger.exception("the duty %s failed; it goes on", self.duty.name)
            return False
        self._last_success = time.monotonic()
        for name, count in counts.items():
            self.totals[name] = self.totals.get(name, 0) + count
        done = {name: count for name, count in counts.items() if count and name != "soon"}
        if done:
            logger.debug("%s: %s", self.duty.name, done)
        return counts.get("soon", 0) > 0


async def run_all(loops: list[Loop]) -> None:
    """Runs loops side by side until cancelled."""
    async with asyncio.TaskGroup() as group:
        for loop in loops:
            group.create_task(loop.run(), name=f"duty-{loop.duty.name}")
