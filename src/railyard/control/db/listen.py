"""Notifications from Postgres. One is a hint to look, never the news itself: one may be missed while reconnecting."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql

from railyard.control.db.engine import conninfo

logger = logging.getLogger(__name__)

QUEUE = "railyard_queue"
"""Something may be claimed: wakes `schedule`."""
ATTEMPTS = "railyard_attempts"
"""An attempt ended or must end: wakes `reconcile`."""
JOBS = "railyard_jobs"
"""A job changed; the payload is its job_id: wakes whoever streams it."""
CHANNELS = (QUEUE, ATTEMPTS, JOBS)


class Signal:
    """Remembers that something was said since the last `wait`; several notifications count as one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self, timeout_seconds: float | None = None) -> bool:
        """True when notified (since the last call), False when the time was up."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), timeout_seconds)
        said = self._event.is_set()
        self._event.clear()
        return said


class Listener:
    """One connection that listens for this process. `run` reconnects for ever; after that every signal is set."""

    def __init__(self, url: str, channels: Iterable[str] = CHANNELS, *, retry_seconds: float = 1.0) -> None:
        self._url = url
        self._channels = tuple(channels)
        self._retry_seconds = retry_seconds
        self._signals: dict[tuple[str, str | None], set[Signal]] = {}
        self.connected = asyncio.Event()
        """Set while notifications arrive."""

    @contextmanager
    def subscribe(self, channel: str, payload: str | None = None) -> Iterator[Signal]:
        """A signal for a channel, or only for one payload of it, until the block ends."""
        signal, key = Signal(), (channel, payload)
        self._signals.setdefault(key, set()).add(signal)
        try:
            yield signal
        finally:
            self._signals[key].discard(signal)
            if not self._signals[key]:
                del self._signals[key]

    async def run(self) -> None:
        """Listens until cancelled."""
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                logger.warning("notifications from Postgres ended (%s); connecting again", error)
            finally:
                self.connected.clear()
            await asyncio.sleep(self._retry_seconds)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(conninfo(self._url), autocommit=True) as connection:
            for channel in self._channels:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self.connected.set()
            for signals in list(self._signals.values()):
                for signal in signals:
                    signal.set()
            async for notification in connection.notifies():
                for key in ((notification.channel, notification.payload), (notification.channel, None)):
                    for signal in self._signals.get(key, ()):
                        signal.set()
