"""The SQL that reads jobs for people: a job, pages of jobs, attempts, events. Pages go by a key, never by offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, RowMapping, Select, Text, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from railyard.control.db.engine import all_rows, one_row
from railyard.control.db.tables import attempts, job_events, jobs

_PLAIN = (
    "job_id", "seq", "state", "reason", "message", "cancel_requested_at", "model_name", "model_description", "owner",
    "project", "trainer", "submitted_by", "workflow_name", "git_sha", "dirty", "experimental", "compute_resource",
    "priority", "labels", "rerun_of", "attempt", "step", "progress", "node", "created_at", "started_at", "finished_at",
    "not_before", "steps", "usage", "model_id", "metrics", "data", "error", "cost_amount", "cost_currency",
    "cost_formula", "core_seconds",
)  # fmt: skip
"""Columns of a job that a list page shows; the request and the result stay where they are."""
_BY_VALUE = (
    "state", "reason", "owner", "project", "trainer", "model_name", "workflow_name", "compute_resource", "node", "code",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which jobs a list shows: every given one must hold, a job fits a tuple when it has one of its values."""

    state: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    trainer: tuple[str, ...] = ()
    model_name: tuple[str, ...] = ()
    workflow_name: tuple[str, ...] = ()
    compute_resource: tuple[str, ...] = ()
    node: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    """Created at or after."""
    until: datetime | None = None
    """Created before."""
    q: str | None = None
    """Start of a job id or of a model name."""

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL."""
        columns = {"code": "code_id"}
        found: list[ColumnElement[bool]] = []
        for name in _BY_VALUE:
            wanted: tuple[str, ...] = getattr(self, name)
            if wanted:
                column = jobs.c[columns.get(name, name)]
                found.append(column == wanted[0] if len(wanted) == 1 else column.in_(wanted))
        if self.labels:
            found.append(jobs.c.labels.contains(dict(self.labels)))
        if self.since is not None:
            found.append(jobs.c.created_at >= self.since)
        if self.until is not None:
            found.append(jobs.c.created_at < self.until)
        if self.q:
            found.append(or_(_starts(jobs.c.job_id, self.q), _starts(jobs.c.model_name, self.q)))
        return found


def _starts(column: Any, prefix: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = column.startswith(prefix, autoescape=True)
    return found


def _jobs() -> Select[Any]:
    """A job's own columns, and what its active attempt costs so far."""
    own = and_(
        attempts.c.job_id == jobs.c.job_id,
        attempts.c.number == jobs.c.attempt,
        attempts.c.finished_at.is_(None),
        attempts.c.started_at.is_not(None),
    )
    return select(
        *(jobs.c[name] for name in _PLAIN),
        jobs.c.code_id.label("code"),
        attempts.c.started_at.label("live_since"),
        attempts.c.cpu, attempts.c.memory_bytes, attempts.c.gpu, attempts.c.price,
        func.now().label("now"),
    ).select_from(jobs.outerjoin(attempts, own))  # fmt: skip


async def job(connection: AsyncConnection, job_id: str) -> Row[Any] | None:
    """One job."""
    return await one_row(connection, _jobs().where(jobs.c.job_id == job_id))


def page_query(filters: Filters, after: int | None, limit: int) -> Select[Any]:
    """The newest jobs before `after` (a seq)."""
    query = _jobs().where(*filters.conditions()).order_by(jobs.c.seq.desc()).limit(limit)
    return query if after is None else query.where(jobs.c.seq < after)


async def job_page(connection: AsyncConnection, filters: Filters, after: int | None, limit: int) -> Sequence[Row[Any]]:
    """The rows of one page."""
    return await all_rows(connection, page_query(filters, after, limit))


async def state_counts(connection: AsyncConnection, filters: Filters) -> Mapping[str, int]:
    """Jobs by state under the filters."""
    query = select(jobs.c.state, func.count().label("jobs")).where(*filters.conditions()).group_by(jobs.c.state)
    return {row.state: row.jobs for row in await connection.execute(query)}


async def queue_positions(connection: AsyncConnection, job_ids: Sequence[str]) -> Mapping[str, int]:
    """Place of queued jobs in the line of their class, from 1; one look at the queue for all of them."""
    if not job_ids:
        return {}
    place = func.row_number().over(partition_by=jobs.c.compute_resource, order_by=(jobs.c.priority.desc(), jobs.c.seq))
    line = select(jobs.c.job_id, place.label("place")).where(jobs.c.state == "queued").subquery()
    rows = await connection.execute(select(line.c.job_id, line.c.place).where(line.c.job_id.in_(job_ids)))
    return {row.job_id: row.place for row in rows}


async def with_prefix(connection: AsyncConnection, prefix: str, limit: int = 10) -> Sequence[str]:
    """Ids that start so."""
    query = select(jobs.c.job_id).where(_starts(jobs.c.job_id, prefix)).order_by(jobs.c.seq.desc()).limit(limit)
    return (await connection.execute(query)).scalars().all()


async def newest_ids(connection: AsyncConnection, limit: int = 500) -> Sequence[str]:
    """Ids of the newest jobs, to find the one that was meant."""
    return (await connection.execute(select(jobs.c.job_id).order_by(jobs.c.seq.desc()).limit(limit))).scalars().all()


async def attempt_rows(connection: AsyncConnection, job_id: str) -> Sequence[Row[Any]]:
    """Every attempt of a job, the first one first."""
    query = select(attempts, func.now().label("now")).where(attempts.c.job_id == job_id).order_by(attempts.c.number)
    return await all_rows(connection, query)


async def event_page(connection: AsyncConnection, job_id: str | None, after: int, limit: int) -> Sequence[Row[Any]]:
    """Events after a seq, oldest first, up to the oldest transaction that is still open.

    Sequence numbers commit out of order: a reader that went past an open transaction would never see its events.
    """
    settled = job_events.c.xact < func.pg_snapshot_xmin(func.pg_current_snapshot()).cast(Text).cast(BigInteger)
    query = select(job_events).where(job_events.c.seq > after, settled).order_by(job_events.c.seq).limit(limit)
    if job_id is not None:
        query = query.where(job_events.c.job_id == job_id)
    return await all_rows(connection, query)


async def request_row(connection: AsyncConnection, job_id: str) -> RowMapping | None:
    """What was asked and what came of it."""
    query = select(
        jobs.c.request_text, jobs.c.resolved_request, jobs.c.result, jobs.c.code_id, jobs.c.git_sha, jobs.c.dirty
    ).where(jobs.c.job_id == job_id)
    return (await connection.execute(query)).mappings().one_or_none()


async def last_of_kind(connection: AsyncConnection, job_id: str) -> Mapping[str, datetime]:
    """Time of the last event of every kind."""
    query = select(job_events.c.kind, func.max(job_events.c.at).label("at")).where(job_events.c.job_id == job_id)
    return {row.kind: row.at for row in await connection.execute(query.group_by(job_events.c.kind))}
