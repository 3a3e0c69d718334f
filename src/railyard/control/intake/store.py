"""The SQL of intake: how full the classes are, and how earlier jobs of a workflow fared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_QUEUED = text("SELECT compute_resource AS name, count(*) AS jobs FROM jobs WHERE state = 'queued' GROUP BY 1")
_ACTIVE = text(
    "SELECT compute_resource AS name, count(*) AS attempts, sum(cpu) AS cpu, sum(memory_bytes) AS memory_bytes, "
    "sum(gpu) AS gpu "
    "FROM attempts WHERE state IN ('starting', 'running') GROUP BY 1"
)
_EARLIER = text(
    """
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS seconds, count(*) AS jobs
    FROM (
        SELECT extract(epoch FROM a.finished_at - a.started_at) AS seconds
        FROM jobs j JOIN attempts a ON a.job_id = j.job_id AND a.number = j.attempt
        WHERE j.workflow_name = :workflow_name AND j.state = 'succeeded' AND a.started_at IS NOT NULL
        ORDER BY j.seq DESC LIMIT 50
    ) AS latest
    """
)
_AHEAD = text("SELECT count(*) FROM jobs WHERE state = 'queued' AND compute_resource = :name AND priority >= :priority")


@dataclass(frozen=True, kw_only=True)
class InUse:
    """What the active attempts of one class hold together."""

    attempts: int
    cpu: float
    memory_bytes: int
    gpu: int


async def queued(connection: AsyncConnection) -> Mapping[str, int]:
    """Queued jobs by class."""
    return {row.name: row.jobs for row in await connection.execute(_QUEUED)}


async def in_use(connection: AsyncConnection) -> Mapping[str, InUse]:
    """What is in use, by class."""
    rows: Sequence[Row[Any]] = (await connection.execute(_ACTIVE)).all()
    return {
        row.name: InUse(attempts=row.attempts, cpu=float(row.cpu), memory_bytes=int(row.memory_bytes), gpu=int(row.gpu))
        for row in rows
    }


async def earlier(connection: AsyncConnection, workflow_name: str) -> tuple[float | None, int]:
    """Median seconds of the last succeeded jobs of a workflow (50 at most), and how many those are."""
    row = (await connection.execute(_EARLIER, {"workflow_name": workflow_name})).one()
    return (float(row.seconds) if row.seconds is not None else None), int(row.jobs)


async def ahead(connection: AsyncConnection, compute_class: str, priority: int) -> int:
    """Queued jobs of the class that would start before a new one of this priority."""
    return int(await connection.scalar(_AHEAD, {"name": compute_class, "priority": priority}) or 0)
