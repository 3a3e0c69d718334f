"""The seal duty: moves log chunks from the database to the object store, about 1 MB at a time.

The tail of a running attempt stays in the database. An attempt's log is sealed when every line that the runner counted
is here, or when the executor sees the attempt as gone: only a runner that failed tells a count.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

from railyard.artifacts.store import ArtifactStore
from railyard.control.db.engine import Database
from railyard.control.db.listen import ATTEMPTS
from railyard.control.jobs import lines, log_store, store
from railyard.control.jobs.loop import Counts

logger = logging.getLogger(__name__)

_CHUNKS = 2000
"""Inline chunks taken into one object at most."""


class Seal:
    name = "seal"
    channel: str | None = ATTEMPTS

    def __init__(
        self,
        database: Database,
        artifacts: ArtifactStore,
        *,
        seconds: float = 2.0,
        chunk_bytes: int = 2**20,
        quiet_seconds: float = 30.0,
    ) -> None:
        """`chunk_bytes`: size of an object before compression. `quiet_seconds`: then an ended log is complete."""
        self.seconds = seconds
        self._database = database
        self._artifacts = artifacts
        self._chunk_bytes = chunk_bytes
        self._quiet_seconds = quiet_seconds

    async def run_once(self) -> Counts:
        """Counts: stored (objects written), sealed (attempts whose log is complete)."""
        counts: Counter[str] = Counter()
        async with self._database.transaction() as connection:
            full = await log_store.logs_to_seal(connection, self._chunk_bytes)
            over = await log_store.attempts_to_seal(connection, self._quiet_seconds)
        for row in full:
            counts["stored"] += await self._store(row.job_id, row.attempt, row.rank, tail=False)
        for row in over:
            counts["stored"] += await self._store_all(row.job_id, row.attempt)
            await self._seal(row)
            counts["sealed"] += 1
        return counts

    async def _seal(self, row: Any) -> None:
        async with self._database.transaction() as connection:
            await log_store.mark_sealed(connection, row.job_id, row.attempt)
            await store.wake(connection, row.job_id, ATTEMPTS)

    async def _store_all(self, job_id: str, number: int) -> int:
        async with self._database.transaction() as connection:
            ranks = await log_store.ranks(connection, job_id, number)
        return sum([await self._store(job_id, number, rank, tail=True) for rank in ranks])

    async def _store(self, job_id: str, number: int, rank: int, *, tail: bool) -> int:
        """Writes objects while there is enough for one (or, with `tail`, anything); answers how many."""
        written = 0
        while True:
            async with self._database.transaction() as connection:
                chunks = await log_store.inline_chunks(connection, job_id, number, rank, _CHUNKS)
            run = _run(chunks, self._chunk_bytes)
            if not run or (
                not tail and sum(chunk.bytes for chunk in run) < self._chunk_bytes and len(run) == len(chunks)
            ):
                return written
            await self._replace(job_id, number, rank, run)
            written += 1

    async def _replace(self, job_id: str, number: int, rank: int, run: list[Any]) -> None:
        """The object first, then the rows: a crash in between only writes the same object again."""
        content = await asyncio.to_thread(lines.join, [chunk.inline for chunk in run])
        first, last = run[0].first_line, run[-1].first_line + run[-1].lines - 1
        key = f"logs/{job_id}/{number}/{rank}-{first:012d}-{last:012d}.jsonl.zz"
        stored = await asyncio.to_thread(self._artifacts.put, key, content, overwrite=True)
        async with self._database.transaction() as connection:
            await log_store.replace_chunks(
                connection, job_id, number, rank, [chunk.first_line for chunk in run],
                {
                    "job_id": job_id, "attempt": number, "rank": rank, "first_line": first, "lines": last - first + 1,
                    "bytes": sum(chunk.bytes for chunk in run), "uri": stored.uri,
                },
            )  # fmt: skip


def _run(chunks: Any, size: int) -> list[Any]:
    """The first chunks that follow each other without a gap, up to a size: a gap in lines stays a gap in rows."""
    run: list[Any] = []
    held = 0
    for chunk in chunks:
        if run and (held >= size or chunk.first_line != run[-1].first_line + run[-1].lines):
            break
        run.append(chunk)
        held += chunk.bytes
    return run
