"""What attempts said while they ran: log lines and metric points, as pages by number."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from railyard.artifacts.store import ArtifactStore
from railyard.control.db.engine import Database
from railyard.control.jobs import lines, log_store, read
from railyard.errors import Invalid, NotFound
from railyard.spec.attempt import MetricPoint
from railyard.spec.records import LogPage, NumberedLine, Page

_CHUNKS = 64
"""Chunks looked up at a time."""
_MOST_LINES = 10_000


async def logs(
    database: Database,
    artifacts: ArtifactStore,
    job_id: str,
    *,
    attempt: int | None = None,
    rank: int = 0,
    after: int = 0,
    limit: int = 1000,
    tail: int | None = None,
) -> LogPage:
    """Lines beyond `after` of an attempt (default: the newest), at most `limit` (1 to 10,000).

    `tail` answers the last so many lines instead. Raises NotFound, Ambiguous, Invalid.
    """
    wanted = limit if tail is None else tail
    if not 1 <= wanted <= _MOST_LINES or after < 0:
        raise Invalid(f"ask for 1 to {_MOST_LINES} lines after line 0 or later", code="bad_limit")
    job_id = await read.resolve(database, job_id)
    async with database.transaction() as connection:
        found = await log_store.attempt_log(connection, job_id, attempt)
        if found is None and attempt is not None:
            raise NotFound(
                f"{job_id} has no attempt {attempt}", code="attempt_not_found", mend=f"railyard job show {job_id}"
            )
        if found is None:
            return LogPage(lines=(), next=0, complete=False)
        if tail is not None:
            _, last = await log_store.line_count(connection, job_id, found.number, rank)
            after = max(0, last - tail)
    shown: list[NumberedLine] = []
    async for line in _lines(database, artifacts, job_id, found.number, rank, after):
        shown.append(line)
        if len(shown) == wanted:
            break
    last = shown[-1].line if shown else after
    # What was known before the lines were read holds: nothing can have come in between.
    all_here = found.log_sealed_at is not None or (found.log_lines is not None and last >= found.log_lines)
    complete = len(shown) < wanted and found.finished_at is not None and all_here
    return LogPage(lines=tuple(shown), next=last, complete=complete)


async def whole_log(
    database: Database, artifacts: ArtifactStore, job_id: str, *, attempt: int | None = None, rank: int = 0
) -> AsyncIterator[NumberedLine]:
    """Every line that is there, in order, without holding them all."""
    job_id = await read.resolve(database, job_id)
    async with database.transaction() as connection:
        found = await log_store.attempt_log(connection, job_id, attempt)
    if found is not None:
        async for line in _lines(database, artifacts, job_id, found.number, rank, 0):
            yield line


async def _lines(
    database: Database, artifacts: ArtifactStore, job_id: str, number: int, rank: int, after: int
) -> AsyncIterator[NumberedLine]:
    while True:
        async with database.transaction() as connection:
            chunks = deque(await log_store.chunks_after(connection, job_id, number, rank, after, _CHUNKS))
        if not chunks:
            return
        while chunks:
            chunk = chunks.popleft()
            try:
                stored = await asyncio.to_thread(_content, artifacts, chunk)
            except NotFound:
                raise NotFound(
                    f"the log of {job_id} before line {chunk.first_line + chunk.lines} is no longer stored",
                    code="log_gone",
                    mend="logs are kept for as long as the server's retention says",
                ) from None
            for line in lines.decode(stored, number, rank):
                if line.line > after:
                    after = line.line
                    yield line


def _content(artifacts: ArtifactStore, chunk: Any) -> bytes:
    return bytes(chunk.inline) if chunk.inline is not None else artifacts.read(artifacts.key(chunk.uri))


async def metrics(
    database: Database,
    job_id: str,
    *,
    attempt: int | None = None,
    names: Sequence[str] = (),
    after: str | None = None,
    limit: int = 1000,
) -> Page[MetricPoint]:
    """Points of an attempt (default: the newest) in the order they were told; `next` is there even on the last page."""
    job_id, start, size = await read.resolve(database, job_id), read.cursor(after) or 0, read.page_size(limit)
    async with database.transaction() as connection:
        found = await log_store.attempt_log(connection, job_id, attempt)
        number = found.number if found is not None else 0
        rows = await log_store.points_after(connection, job_id, number, names, start, size)
    items = tuple(_point(row) for row in rows)
    return Page[MetricPoint](items=items, next=str(rows[-1].ordinal) if rows else after)


async def series(
    database: Database, job_id: str, *, attempt: int | None = None, points: int = 1000
) -> Mapping[str, tuple[MetricPoint, ...]]:
    """Every metric of an attempt as a curve of about `points` points at most: for drawing."""
    job_id, size = await read.resolve(database, job_id), read.page_size(points)
    async with database.transaction() as connection:
        newest = await log_store.attempt_log(connection, job_id, attempt)
        number = newest.number if newest is not None else 0
        rows = await log_store.thinned_points(connection, job_id, number, size)
    found: dict[str, list[MetricPoint]] = {}
    for row in rows:
        found.setdefault(row.name, []).append(_point(row))
    return {name: tuple(curve) for name, curve in found.items()}


def _point(row: Any) -> MetricPoint:
    return MetricPoint(name=row.name, value=row.value, step=row.step, at=row.at)
