"""The SQL of retention: what is old enough to go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from railyard.control.db.engine import all_rows
from railyard.control.db.tables import attempts, idempotency_keys, log_chunks
from railyard.control.jobs.store import ago


async def leftovers(connection: AsyncConnection, seconds: float, limit: int) -> Sequence[Row[Any]]:
    """Attempts that did not succeed, ended so long ago and were not swept."""
    query = select(attempts.c.job_id, attempts.c.number).where(
        attempts.c.finished_at < ago(seconds),
        attempts.c.swept_at.is_(None),
        attempts.c.state.in_(("failed", "cancelled")),
    )
    return await all_rows(connection, query.order_by(attempts.c.finished_at).limit(limit))


async def mark_swept(connection: AsyncConnection, job_id: str, number: int) -> None:
    """Nothing is left of the attempt in the artifact store."""
    statement = update(attempts).where(attempts.c.job_id == job_id, attempts.c.number == number)
    await connection.execute(statement.values(swept_at=func.now()))


async def old_logs(connection: AsyncConnection, seconds: float, limit: int) -> Sequence[Row[Any]]:
    """Attempts that ended so long ago and still have log chunks."""
    chunk = select(log_chunks.c.first_line).where(
        log_chunks.c.job_id == attempts.c.job_id, log_chunks.c.attempt == attempts.c.number
    )
    query = select(attempts.c.job_id, attempts.c.number.label("attempt")).where(
        attempts.c.finished_at < ago(seconds), chunk.exists()
    )
    return await all_rows(connection, query.order_by(attempts.c.finished_at).limit(limit))


async def delete_chunks(connection: AsyncConnection, job_id: str, number: int) -> None:
    """Every log chunk of an attempt."""
    await connection.execute(delete(log_chunks).where(log_chunks.c.job_id == job_id, log_chunks.c.attempt == number))


async def delete_keys(connection: AsyncConnection, seconds: float) -> int:
    """Idempotency keys older than that; answers how many."""
    statement = delete(idempotency_keys).where(idempotency_keys.c.created_at < ago(seconds))
    return (await connection.execute(statement)).rowcount
