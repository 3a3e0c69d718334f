"""Hands a claimed attempt to the executor. The second half of a claim, repeated by `reconcile` until it is certain."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from railyard.control.db.engine import Database
from railyard.control.executors.base import Executor, Launch
from railyard.control.executors.places import Place
from railyard.control.jobs import store
from railyard.control.jobs.attempts import limits_of
from railyard.control.jobs.tokens import attempt_token
from railyard.spec.ids import attempt_name

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Starter:
    """What starting an attempt needs beside its row."""

    database: Database
    executor: Executor
    secret: bytes
    """The server's own; attempts' tokens are derived from it."""
    url: str
    """Where the runner reaches the API."""
    cancel_grace_seconds: float = 5.0
    log_bytes: int = 2**30
    patience_seconds: float = 1.0
    """How long whoever begins a start waits for it: a runtime that is still importing must not hold up the others."""
    _under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict, init=False, repr=False, compare=False)

    async def begin(self, row: Any, number: int, nonce: str, place: Place) -> bool:
        """As `start`, but False where that takes longer than the patience: then it goes on by itself."""
        name = attempt_name(row.job_id, number)
        task, patience = self._under_way.get(name), 0.0
        if task is None:
            patience = self.patience_seconds
            task = asyncio.create_task(self.start(row, number, nonce, place), name=f"start-{name}")
            self._under_way[name] = task
            task.add_done_callback(lambda ended: self._ended(name, ended))
        await asyncio.wait({task}, timeout=patience)
        if task.done():
            task.result()
        return task.done()

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        self._under_way.pop(name, None)
        if not task.cancelled() and task.exception() is not None:
            # Whether it was started is unknown: `reconcile` asks again by the same name.
            logger.warning("the start of %s is not certain: %s", name, task.exception())

    async def start(self, row: Any, number: int, nonce: str, place: Place) -> None:
        """Starts the attempt of the job in `row`, or finds that it was started, and writes down what the executor says.

        Raises what the executor raises: then it is not known whether the attempt exists, and the same call may be
        repeated, because a name is never started twice.
        """
        name = attempt_name(row.job_id, number)
        limits = limits_of(row, cancel_grace_seconds=self.cancel_grace_seconds, log_bytes=self.log_bytes)
        token = attempt_token(self.secret, name, nonce)
        launch = Launch(name=name, runtime=place.runtime, token=token, url=self.url, limits=limits)
        started = await self.executor.start(launch)
        async with self.database.transaction() as connection:
            if not await store.mark_submitted(connection, row.job_id, number, started.uid):
                # It may have been given up meanwhile: then what came too late is to be removed, too.
                await store.remove_again(connection, row.job_id, number)
