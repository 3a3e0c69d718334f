"""The SQL of logs and metrics: chunks of numbered lines, points by ordinal. Both may be sent twice without harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from railyard.control.db.engine import all_rows, one_row
from railyard.control.db.tables import attempts, job_metrics, log_chunks
from railyard.control.jobs.store import ago


def _of(job_id: str, number: int, rank: int) -> Any:
    return (log_chunks.c.job_id == job_id) & (log_chunks.c.attempt == number) & (log_chunks.c.rank == rank)


async def overlapping(
    connection: AsyncConnection, job_id: str, number: int, rank: int, first: int, last: int
) -> Sequence[Row[Any]]:
    """Chunks that hold some of these lines: first_line, lines."""
    query = select(log_chunks.c.first_line, log_chunks.c.lines).where(
        _of(job_id, number, rank),
        log_chunks.c.first_line <= last,
        log_chunks.c.first_line + log_chunks.c.lines > first,
    )
    return await all_rows(connection, query)


async def insert_chunk(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """One chunk of lines; a chunk that is there already stays as it is."""
    await connection.execute(upsert(log_chunks).values(**values).on_conflict_do_nothing())


async def chunks_after(
    connection: AsyncConnection, job_id: str, number: int, rank: int, after: int, limit: int
) -> Sequence[Row[Any]]:
    """Chunks with lines beyond `after`, in order; the caller takes as many as it needs."""
    query = select(log_chunks).where(
        _of(job_id, number, rank), log_chunks.c.first_line + log_chunks.c.lines > after + 1
    )
    return await all_rows(connection, query.order_by(log_chunks.c.first_line).limit(limit))


async def line_count(connection: AsyncConnection, job_id: str, number: int, rank: int) -> tuple[int, int]:
    """How many lines are here, and the number of the last one."""
    last = func.max(log_chunks.c.first_line + log_chunks.c.lines - 1)
    query = select(func.coalesce(func.sum(log_chunks.c.lines), 0), func.coalesce(last, 0)).where(
        _of(job_id, number, rank)
    )
    count, line = (await connection.execute(query)).one()
    return int(count), int(line)


async def attempt_log(connection: AsyncConnection, job_id: str, number: int | None) -> Row[Any] | None:
    """Of an attempt (None: the newest): number, whether it is over, whether its log is sealed."""
    query = select(attempts.c.number, attempts.c.finished_at, attempts.c.log_sealed_at, attempts.c.log_lines)
    query = query.where(attempts.c.job_id == job_id)
    query = query.where(attempts.c.number == number) if number is not None else query
    return await one_row(connection, query.order_by(attempts.c.number.desc()).limit(1))


# --- sealing ----------------------------------------------------------------------------------------------------------


async def logs_to_seal(connection: AsyncConnection, chunk_bytes: int) -> Sequence[Row[Any]]:
    """Logs whose inline chunks are large enough together for an object: job_id, attempt, rank."""
    inline = (
        select(log_chunks.c.job_id, log_chunks.c.attempt, log_chunks.c.rank)
        .where(log_chunks.c.inline.is_not(None))
        .group_by(log_chunks.c.job_id, log_chunks.c.attempt, log_chunks.c.rank)
        .having(func.sum(log_chunks.c.bytes) >= chunk_bytes)
    )
    return await all_rows(connection, inline.limit(100))


async def attempts_to_seal(connection: AsyncConnection, quiet_seconds: float) -> Sequence[Row[Any]]:
    """Attempts that are over and whose log is complete.

    Complete: the runner's count is reached, or the executor sees the attempt as gone, or it has been quiet for long.
    """
    here = (
        select(func.coalesce(func.sum(log_chunks.c.lines), 0))
        .where(log_chunks.c.job_id == attempts.c.job_id, log_chunks.c.attempt == attempts.c.number)
        .scalar_subquery()
    )
    query = select(attempts.c.job_id, attempts.c.number.label("attempt")).where(
        attempts.c.finished_at.is_not(None),
        attempts.c.log_sealed_at.is_(None),
        (attempts.c.finished_at < ago(quiet_seconds))
        | (attempts.c.gone_since >= attempts.c.finished_at)
        | (here >= attempts.c.log_lines),
    )
    return await all_rows(connection, query.order_by(attempts.c.finished_at).limit(200))


async def ranks(connection: AsyncConnection, job_id: str, number: int) -> Sequence[int]:
    """Ranks of an attempt that have inline chunks."""
    query = (
        select(log_chunks.c.rank)
        .distinct()
        .where(log_chunks.c.job_id == job_id, log_chunks.c.attempt == number, log_chunks.c.inline.is_not(None))
    )
    return (await connection.execute(query)).scalars().all()


async def inline_chunks(
    connection: AsyncConnection, job_id: str, number: int, rank: int, limit: int
) -> Sequence[Row[Any]]:
    """The first inline chunks of a log, in order."""
    query = select(log_chunks).where(_of(job_id, number, rank), log_chunks.c.inline.is_not(None))
    return await all_rows(connection, query.order_by(log_chunks.c.first_line).limit(limit))


async def replace_chunks(
    connection: AsyncConnection, job_id: str, number: int, rank: int, firsts: Sequence[int], stored: Mapping[str, Any]
) -> bool:
    """Puts one stored chunk in the place of inline ones; False when they are no longer all there."""
    statement = (
        delete(log_chunks)
        .where(_of(job_id, number, rank), log_chunks.c.first_line.in_(firsts), log_chunks.c.inline.is_not(None))
        .returning(log_chunks.c.first_line)
    )
    gone = (await connection.execute(statement)).scalars().all()
    if len(gone) != len(firsts):
        return False
    await connection.execute(insert(log_chunks).values(**stored))
    return True


async def mark_sealed(connection: AsyncConnection, job_id: str, number: int) -> None:
    """No line can come any more."""
    statement = update(attempts).where(attempts.c.job_id == job_id, attempts.c.number == number)
    await connection.execute(statement.values(log_sealed_at=func.now()))


# --- metrics ----------------------------------------------------------------------------------------------------------


async def insert_points(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Points of a batch; those that are here already stay as they are."""
    if rows:
        await connection.execute(upsert(job_metrics).on_conflict_do_nothing(), list(rows))


async def points_after(
    connection: AsyncConnection, job_id: str, number: int, names: Sequence[str], after: int, limit: int
) -> Sequence[Row[Any]]:
    """Points beyond an ordinal, in order."""
    query = select(job_metrics).where(
        job_metrics.c.job_id == job_id, job_metrics.c.attempt == number, job_metrics.c.ordinal > after
    )
    query = query.where(job_metrics.c.name.in_(names)) if names else query
    return await all_rows(connection, query.order_by(job_metrics.c.ordinal).limit(limit))


async def thinned_points(connection: AsyncConnection, job_id: str, number: int, points: int) -> Sequence[Row[Any]]:
    """Every series with at most about so many points, evenly spaced, the last one always among them."""
    place = func.row_number().over(partition_by=job_metrics.c.name, order_by=job_metrics.c.ordinal)
    size = func.count().over(partition_by=job_metrics.c.name)
    ranked = (
        select(job_metrics, place.label("place"), size.label("size"))
        .where(job_metrics.c.job_id == job_id, job_metrics.c.attempt == number)
        .subquery()
    )
    every = (ranked.c.size + points - 1) // points
    query = select(ranked).where((func.mod(ranked.c.place - 1, every) == 0) | (ranked.c.place == ranked.c.size))
    return await all_rows(connection, query.order_by(ranked.c.name, ranked.c.ordinal))
