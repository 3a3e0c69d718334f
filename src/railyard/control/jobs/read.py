"""Jobs, attempts and events as records. Ids may be given by any unique prefix."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from railyard.control.db.engine import Database
from railyard.control.jobs import list_store
from railyard.control.jobs.cost import Metered, meter_row, total
from railyard.control.jobs.facts import seconds_between
from railyard.control.jobs.list_store import Filters
from railyard.errors import Ambiguous, Invalid, NotFound, nearest
from railyard.spec.attempt import Usage
from railyard.spec.base import Money
from railyard.spec.ids import attempt_name
from railyard.spec.records import Attempt, Event, Job, Page

MOST = 1000
"""Items of one page."""

__all__ = [
    "Filters",
    "attempts",
    "counts",
    "cursor",
    "events",
    "get",
    "list_jobs",
    "page_size",
    "request_text",
    "resolve",
]


async def resolve(database: Database, prefix: str) -> str:
    """The one job id that starts so. Raises NotFound with near ids, Ambiguous with the candidates."""
    async with database.transaction() as connection:
        found = await list_store.with_prefix(connection, prefix) if prefix else []
        if prefix in found:
            return prefix
        if len(found) == 1:
            return found[0]
        known = [] if found else await list_store.newest_ids(connection)
    if found:
        raise Ambiguous(
            f'"{prefix}" fits {len(found)} jobs or more',
            why=", ".join(found),
            mend="give more of the id",
            detail={"candidates": list(found)},
        )
    close = nearest(prefix, known)
    raise NotFound(
        f'there is no job "{prefix}"',
        code="job_not_found",
        mend=f"did you mean {close}?" if close else "railyard job list shows the jobs",
        detail={"near": [close] if close else []},
    )


async def get(database: Database, job_id: str) -> Job:
    """One job. Raises NotFound, Ambiguous."""
    job_id = await resolve(database, job_id)
    async with database.transaction() as connection:
        row = await list_store.job(connection, job_id)
        if row is None:
            raise NotFound(f'there is no job "{job_id}"', code="job_not_found")
        queued = [job_id] if row.state == "queued" else []
        return _job(row, await list_store.queue_positions(connection, queued))


async def list_jobs(
    database: Database, filters: Filters | None = None, *, after: str | None = None, limit: int = 50
) -> Page[Job]:
    """Jobs, newest first. `after` is the `next` of the page before; `limit` is 1 to 1,000. Raises Invalid."""
    limit = page_size(limit)
    async with database.transaction() as connection:
        rows = await list_store.job_page(connection, filters or Filters(), cursor(after), limit + 1)
        shown = rows[:limit]
        queued = [row.job_id for row in shown if row.state == "queued"]
        places = await list_store.queue_positions(connection, queued)
    items = tuple(_job(row, places) for row in shown)
    return Page[Job](items=items, next=str(items[-1].seq) if len(rows) > limit else None)


async def counts(database: Database, filters: Filters | None = None) -> Mapping[str, int]:
    """Jobs by state under the filters; states without a job are left out."""
    async with database.transaction() as connection:
        return await list_store.state_counts(connection, filters or Filters())


async def attempts(database: Database, job_id: str) -> tuple[Attempt, ...]:
    """Every attempt of a job, the first one first. Raises NotFound, Ambiguous."""
    job_id = await resolve(database, job_id)
    async with database.transaction() as connection:
        return tuple(_attempt(row) for row in await list_store.attempt_rows(connection, job_id))


async def events(
    database: Database, job_id: str | None = None, *, after: str | None = None, limit: int = 200
) -> Page[Event]:
    """Events of a job (or of all), oldest first. `next` is there even on the last page: ask again with it for news."""
    if job_id is not None:
        job_id = await resolve(database, job_id)
    async with database.transaction() as connection:
        rows = await list_store.event_page(connection, job_id, cursor(after) or 0, page_size(limit))
    items = tuple(_event(row) for row in rows)
    return Page[Event](items=items, next=str(items[-1].seq) if items else after)


async def request_text(database: Database, job_id: str) -> str:
    """The request as it was sent, byte for byte. Raises NotFound, Ambiguous."""
    job_id = await resolve(database, job_id)
    async with database.transaction() as connection:
        row = await list_store.request_row(connection, job_id)
    return str(row["request_text"]) if row else ""


def page_size(limit: int) -> int:
    """The limit, if it is one. Raises Invalid."""
    if not 1 <= limit <= MOST:
        raise Invalid(
            f"limit must be 1 to {MOST}, not {limit}", code="bad_limit", mend=f"ask for at most {MOST} at a time"
        )
    return limit


def cursor(after: str | None) -> int | None:
    """The number behind an `after`. Raises Invalid."""
    if after is None or (after.isascii() and after.isdigit() and len(after) < 19):
        return int(after) if after else None
    raise Invalid(
        f'after must be the "next" of the page before, not "{after}"',
        code="bad_cursor",
        mend="start again without after",
    )


def _job(row: Any, places: Mapping[str, int]) -> Job:
    values = {name: value for name, value in row._mapping.items() if name in Job.model_fields}
    return Job.model_validate({**values, "queue_position": places.get(row.job_id), "cost": job_cost(row)})


def job_cost(row: Any) -> Money:
    """Of a job's row: the attempts that are over, and the active one up to the database's now."""
    amount = None if row.cost_amount is None else Decimal(row.cost_amount)
    parts = [
        Metered(amount=amount, currency=row.cost_currency, core_seconds=row.core_seconds, formula=row.cost_formula)
    ]
    if row.live_since is not None:
        parts.append(meter_row(row, seconds_between(row.live_since, row.now)))
    return total(parts)


def _attempt(row: Any) -> Attempt:
    values = {name: value for name, value in row._mapping.items() if name in Attempt.model_fields}
    cost = total([meter_row(row, seconds_between(row.started_at, row.finished_at or row.now))])
    name = attempt_name(row.job_id, row.number)
    return Attempt.model_validate({**values, "name": name, "usage": Usage.model_validate(row.usage), "cost": cost})


def _event(row: Any) -> Event:
    return Event.model_validate({name: value for name, value in row._mapping.items() if name in Event.model_fields})
