"""The retention duty: removes what nobody needs any more. Jobs, events and results stay for ever.

What attempts left that did not succeed goes after a while; logs and idempotency keys go by age, where the operator
gave one.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from railyard.artifacts.store import ArtifactStore
from railyard.control.db.engine import Database
from railyard.control.jobs import retention_store
from railyard.control.jobs.loop import Counts

DAY = 86400.0
_AT_ONCE = 200


class Retention:
    name = "retention"
    channel: str | None = None

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        *,
        seconds: float = 3600.0,
        leftovers_days: float = 7.0,
        logs_days: float | None = None,
        keys_days: float | None = None,
    ) -> None:
        """`leftovers_days`: how long the artifacts of attempts that did not succeed are kept, for a look at them.
        `logs_days`, `keys_days`: None keeps logs and idempotency keys for ever.
        """
        self.seconds = seconds
        self._database = database
        self._artifacts = artifacts
        self._leftovers_seconds = leftovers_days * DAY
        self._logs_seconds = None if logs_days is None else logs_days * DAY
        self._keys_seconds = None if keys_days is None else keys_days * DAY

    async def run_once(self) -> Counts:
        """Counts: swept (attempts), artifacts, logs (attempts whose log went), keys; `soon` while there is more."""
        counts: Counter[str] = Counter()
        await self._sweep(counts)
        if self._logs_seconds is not None:
            await self._forget_logs(self._logs_seconds, counts)
        if self._keys_seconds is not None:
            async with self._database.transaction() as connection:
                counts["keys"] += await retention_store.delete_keys(connection, self._keys_seconds)
        return counts

    async def _sweep(self, counts: Counter[str]) -> None:
        async with self._database.transaction() as connection:
            rows = await retention_store.leftovers(connection, self._leftovers_seconds, _AT_ONCE)
        for row in rows:
            prefix = f"jobs/{row.job_id}/{row.number}"
            counts["artifacts"] += await asyncio.to_thread(self._artifacts.delete_prefix, prefix)
            async with self._database.transaction() as connection:
                await retention_store.mark_swept(connection, row.job_id, row.number)
            counts["swept"] += 1
        counts["soon"] += len(rows) == _AT_ONCE

    async def _forget_logs(self, seconds: float, counts: Counter[str]) -> None:
        async with self._database.transaction() as connection:
            rows = await retention_store.old_logs(connection, seconds, _AT_ONCE)
        for row in rows:
            # The rows first: a reader must not be sent to an object that has gone.
            async with self._database.transaction() as connection:
                await retention_store.delete_chunks(connection, row.job_id, row.attempt)
            await asyncio.to_thread(self._artifacts.delete_prefix, f"logs/{row.job_id}/{row.attempt}")
            counts["logs"] += 1
        counts["soon"] += len(rows) == _AT_ONCE
