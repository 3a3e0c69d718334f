"""The SQL behind /metrics and /readyz: one grouped count, and the steps of attempts that ended since the last look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_COUNTS = text(
    "SELECT state, owner, project, compute_resource, coalesce(node, '') AS node, count(*) AS jobs "
    "FROM jobs GROUP BY state, owner, project, compute_resource, node"
)
# Attempts are found by the event that their end wrote: the newest events are a short range of an index, however long
# history is. A result brings all steps to its job; the attempt's row may lack the last. The bound on xact keeps what is
# still being committed for the next look.
_ENDED = text(
    """
    SELECT e.seq, j.workflow_name, s.step ->> 'name' AS step, (s.step ->> 'seconds')::double precision AS seconds
    FROM job_events e
    JOIN jobs j ON j.job_id = e.job_id
    JOIN attempts a ON a.job_id = e.job_id AND a.number = e.attempt
    CROSS JOIN LATERAL jsonb_array_elements(CASE e.to_state WHEN 'succeeded' THEN j.steps ELSE a.steps END) AS s(step)
    WHERE e.seq > :seq AND e.seq <= :last AND e.from_state IN ('starting', 'running')
      AND e.to_state IN ('queued', 'succeeded', 'failed', 'cancelled')
    """
)
_LAST = text(
    "SELECT coalesce(max(seq), 0) FROM job_events "
    "WHERE seq > :seq AND xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
)


async def ping(connection: AsyncConnection) -> None:
    """Raises what SQLAlchemy raises where the database does not answer."""
    await connection.execute(text("SELECT 1"))


async def job_counts(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Rows of state, owner, project, compute_resource, node ('' for none), jobs."""
    return (await connection.execute(_COUNTS)).all()


async def last_event(connection: AsyncConnection, after: int = 0) -> int:
    """The newest event that every reader can see by now, or `after` where none is newer."""
    return max(after, int(await connection.scalar(_LAST, {"seq": after}) or 0))


async def ended_steps(connection: AsyncConnection, after: int, last: int) -> Sequence[Row[Any]]:
    """Rows of workflow_name, step, seconds: of attempts whose end was recorded after event `after`, up to `last`."""
    return (await connection.execute(_ENDED, {"seq": after, "last": last})).all() if last > after else ()
