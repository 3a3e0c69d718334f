"""Hands a claimed attempt to the executor. The second half of a claim, repeated by `reconcile` until it is certain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from railyard.control.db.engine import Database
from railyard.control.executors.base import Executor, Launch
from railyard.control.executors.places import Place
from railyard.control.jobs import store
from railyard.control.jobs.attempts import limits_of
from railyard.control.jobs.tokens import attempt_token
from railyard.spec.ids import attempt_name


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
            await store.mark_submitted(connection, row.job_id, number, started.uid)
