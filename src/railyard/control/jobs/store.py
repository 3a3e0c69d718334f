"""The SQL that moves jobs and attempts. It decides nothing: it is told what should happen, and by which old state.

Every transition is one UPDATE that names the old state and the attempt, its event in the same transaction, and a
notification that is sent when the transaction commits. Zero rows mean that somebody else was first: a normal answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, cast, func, insert, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from railyard.control.db.engine import all_rows, one_row
from railyard.control.db.listen import ATTEMPTS, JOBS, QUEUE
from railyard.control.db.tables import attempts, idempotency_keys, job_events, jobs
from railyard.control.jobs.cost import meter_row
from railyard.control.jobs.facts import Size, seconds_between
from railyard.control.jobs.states import ALLOWED, Move, attempt_ending, is_end_of_attempt
from railyard.spec.base import dump
from railyard.spec.states import State

ACTIVE = ("starting", "running")
_PLAN_LOCK = 0x7363686564756C65
"""`schedule` in ASCII: one scheduler plans at a time, so that two never hand out the same capacity."""


def ago(seconds: float) -> ColumnElement[Any]:
    """A moment in the past by the database's clock."""
    return func.now() - cast(literal(f"{seconds} seconds"), INTERVAL)


async def insert_job(connection: AsyncConnection, values: Mapping[str, Any], *, by: str) -> None:
    """A queued job with its first event."""
    await connection.execute(insert(jobs).values(**values))
    await add_event(connection, values["job_id"], kind="submitted", by=by, to_state="queued")
    await wake(connection, values["job_id"], QUEUE)


async def key_of(connection: AsyncConnection, user: str, key: str) -> Row[Any] | None:
    """The job that an idempotency key stands for, with the sha256 of its request."""
    query = select(idempotency_keys).where(idempotency_keys.c.user == user, idempotency_keys.c.key == key)
    return await one_row(connection, query)


async def claim_key(connection: AsyncConnection, user: str, key: str, sha256: str, job_id: str) -> bool:
    """False when another submit had the key first (waits for one that is under way)."""
    statement = upsert(idempotency_keys).values(user=user, key=key, request_sha256=sha256, job_id=job_id)
    found = await connection.execute(statement.on_conflict_do_nothing().returning(idempotency_keys.c.job_id))
    return found.one_or_none() is not None


def _facts() -> Select[Any]:
    own = and_(attempts.c.job_id == jobs.c.job_id, attempts.c.number == jobs.c.attempt, attempts.c.state.in_(ACTIVE))
    return select(
        jobs.c.job_id, jobs.c.state, jobs.c.attempt, jobs.c.retries, jobs.c.cancel_requested_at, jobs.c.created_at,
        jobs.c.not_before, jobs.c.timeout_seconds, jobs.c.compute_resource, jobs.c.cost_amount, jobs.c.cost_currency,
        jobs.c.cpu, jobs.c.memory_bytes, jobs.c.gpu, jobs.c.code_id, jobs.c.owner, jobs.c.priority, jobs.c.seq,
        jobs.c.reason, jobs.c.message,
        jobs.c.resolved_request["retry"].label("retry"), jobs.c.resolved_request["max_cost"].label("max_cost"),
        attempts.c.number, attempts.c.started_at.label("attempt_started_at"), attempts.c.claimed_at, attempts.c.price,
        attempts.c.stop_reason, attempts.c.stop_asked_at, attempts.c.outbox, attempts.c.uid, attempts.c.gone_since,
        attempts.c.heartbeat_at, attempts.c.nonce, attempts.c.executor,
        func.now().label("now"),
    ).select_from(jobs.outerjoin(attempts, own))  # fmt: skip


async def job_facts(connection: AsyncConnection, job_id: str, *, lock: bool = False) -> Row[Any] | None:
    """One job with its active attempt; locked, so that nobody moves it before this transaction ends, where asked."""
    query = _facts().where(jobs.c.job_id == job_id)
    return await one_row(connection, query.with_for_update(of=jobs) if lock else query)


def active_query() -> Select[Any]:
    """Every starting or running job with its attempt."""
    return _facts().where(jobs.c.state.in_(ACTIVE)).order_by(jobs.c.job_id)


async def active_jobs(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """The rows of `active_query`."""
    return await all_rows(connection, active_query())


async def silent_jobs(connection: AsyncConnection, seconds: float) -> Sequence[Row[Any]]:
    """Active jobs whose runner has not been heard for so long, by the database's clock."""
    heard = func.coalesce(attempts.c.heartbeat_at, attempts.c.started_at, attempts.c.claimed_at)
    query = _facts().where(jobs.c.state.in_(ACTIVE), attempts.c.outbox == "submitted", heard < ago(seconds))
    return await all_rows(connection, query)


async def move(
    connection: AsyncConnection,
    row: Any,
    decision: Move,
    *,
    by: str,
    kind: str,
    values: Mapping[str, Any] | None = None,
    size: Size | None = None,
    detail: Mapping[str, Any] | None = None,
) -> bool:
    """Carries out one transition of the job in `row` (from `job_facts`); False when it is no longer as `row` says."""
    if (row.state, decision.to_state) not in ALLOWED:
        raise ValueError(f"a job cannot go from {row.state} to {decision.to_state}")
    statement = (
        update(jobs)
        .where(jobs.c.job_id == row.job_id, jobs.c.state == row.state, jobs.c.attempt == row.attempt)
        # A decision that did not know of a cancel must not turn a cancelled attempt into a retry.
        .where(jobs.c.cancel_requested_at.is_not_distinct_from(row.cancel_requested_at))
        .values(**_moved(row, decision, size), **(values or {}))
        .returning(jobs.c.attempt)
    )
    moved = (await connection.execute(statement)).one_or_none()
    if moved is None:
        return False
    ended = is_end_of_attempt(row.state, decision.to_state)
    if ended:
        await _end_attempt(connection, row, decision)
    await add_event(
        connection, row.job_id, kind=kind, by=by, attempt=moved.attempt or None, from_state=row.state,
        to_state=decision.to_state, reason=decision.error.code if decision.error else decision.reason,
        message=decision.message, detail=detail,
    )  # fmt: skip
    wakes = [QUEUE] if ended or decision.to_state == "queued" else []
    await wake(connection, row.job_id, *wakes, *([ATTEMPTS] if ended else []))
    return True


def _moved(row: Any, decision: Move, size: Size | None) -> dict[str, Any]:
    """The columns of a job that a transition sets, beside those its caller knows."""
    state: State = decision.to_state
    values: dict[str, Any] = {"state": state, "reason": decision.reason, "message": decision.message}
    if state == "starting":
        return {**values, "attempt": row.attempt + 1, "not_before": None, "step": None, "progress": None, "node": None}
    if state == "running":
        return {**values, "started_at": func.coalesce(jobs.c.started_at, func.now())}
    if decision.error is not None:
        values["error"] = dump(decision.error)
    if state == "queued":
        values |= {"not_before": decision.not_before, "step": None, "progress": None, "node": None}
        if decision.budget is not None:
            values["retries"] = {**row.retries, decision.budget: row.retries.get(decision.budget, 0) + 1}
        if size is not None:
            values |= {
                "compute_resource": size.compute_resource, "cpu": size.cpu, "memory_bytes": size.memory_bytes,
                "gpu": size.gpu,
            }  # fmt: skip
        return values
    return {**values, "finished_at": func.now()}


async def _end_attempt(connection: AsyncConnection, row: Any, decision: Move) -> None:
    """Closes the attempt, orders its removal, and adds what it cost to the job."""
    error = {"error": dump(decision.error)} if decision.error else {}
    reason = decision.error.code if decision.error else decision.reason
    statement = (
        update(attempts)
        .where(attempts.c.job_id == row.job_id, attempts.c.number == row.attempt)
        .values(state=attempt_ending(decision), reason=reason, finished_at=func.now(), outbox="remove", **error)
        .returning(
            attempts.c.started_at, attempts.c.finished_at, attempts.c.cpu, attempts.c.memory_bytes, attempts.c.gpu,
            attempts.c.price,
        )
    )  # fmt: skip
    over = (await connection.execute(statement)).one()
    if over.started_at is None:
        return
    cost = meter_row(over, seconds_between(over.started_at, over.finished_at))
    same = or_(jobs.c.cost_currency.is_(None), jobs.c.cost_currency == cost.currency)
    priced = (
        {
            "cost_amount": case((same, func.coalesce(jobs.c.cost_amount, 0) + cost.amount), else_=cost.amount),
            "cost_currency": cost.currency,
        }
        if cost.amount is not None
        else {}
    )
    joined = func.concat_ws(" + ", func.nullif(jobs.c.cost_formula, ""), literal(cost.formula))
    await connection.execute(
        update(jobs)
        .where(jobs.c.job_id == row.job_id)
        .values(core_seconds=jobs.c.core_seconds + cost.core_seconds, cost_formula=joined, **priced)
    )


async def request_cancel(connection: AsyncConnection, row: Any, *, by: str) -> bool:
    """Writes down that an active job is to end; False when it is no longer as `row` says."""
    statement = (
        update(jobs)
        .where(jobs.c.job_id == row.job_id, jobs.c.state == row.state, jobs.c.attempt == row.attempt)
        .where(jobs.c.cancel_requested_at.is_(None))
        .values(cancel_requested_at=func.now(), cancel_requested_by=by)
        .returning(jobs.c.job_id)
    )
    if (await connection.execute(statement)).one_or_none() is None:
        return False
    await add_event(connection, row.job_id, kind="cancel_requested", by=by, attempt=row.attempt)
    await wake(connection, row.job_id, ATTEMPTS)
    return True


async def add_event(
    connection: AsyncConnection,
    job_id: str,
    *,
    kind: str,
    by: str,
    attempt: int | None = None,
    from_state: str | None = None,
    to_state: str | None = None,
    reason: str | None = None,
    message: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """One line of a job's history."""
    await connection.execute(
        insert(job_events).values(
            job_id=job_id, attempt=attempt, kind=kind, by=by, from_state=from_state, to_state=to_state, reason=reason,
            message=message, detail=dict(detail or {}),
        )
    )  # fmt: skip


async def wake(connection: AsyncConnection, job_id: str, *channels: str) -> None:
    """Tells whoever streams the job, and the duties on these channels, when the transaction commits."""
    calls = [func.pg_notify(JOBS, job_id), *(func.pg_notify(channel, "") for channel in channels)]
    await connection.execute(select(*calls))


# --- schedule ---------------------------------------------------------------------------------------------------------


async def lock_plan(connection: AsyncConnection) -> None:
    """Waits until no other scheduler plans; until the transaction ends this one may."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PLAN_LOCK})


async def queued_codes(connection: AsyncConnection) -> set[str | None]:
    """Every code that a queued job waits to run."""
    query = select(jobs.c.code_id).distinct().where(jobs.c.state == "queued")
    return set((await connection.execute(query)).scalars())


def queue_query(per_line: int) -> Select[Any]:
    """The first queued jobs of every owner in every class; nobody needs to look further down one line."""
    place = func.row_number().over(
        partition_by=(jobs.c.compute_resource, jobs.c.owner), order_by=(jobs.c.priority.desc(), jobs.c.seq)
    )
    ready = or_(jobs.c.not_before.is_(None), jobs.c.not_before <= func.now())
    ranked = select(jobs.c.job_id, place.label("place")).where(jobs.c.state == "queued", ready).subquery()
    heads = select(ranked.c.job_id).where(ranked.c.place <= per_line)
    return _facts().where(jobs.c.job_id.in_(heads))


async def queue_heads(connection: AsyncConnection, per_line: int) -> Sequence[Row[Any]]:
    """The rows of `queue_query`."""
    return await all_rows(connection, queue_query(per_line))


async def timed_out_in_queue(connection: AsyncConnection, seconds: float, limit: int = 100) -> Sequence[Row[Any]]:
    """Queued jobs that have waited for too long."""
    since = func.coalesce(jobs.c.not_before, jobs.c.created_at)
    query = _facts().where(jobs.c.state == "queued", since < ago(seconds)).order_by(jobs.c.seq).limit(limit)
    return await all_rows(connection, query)


async def in_use(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """What the active attempts hold, by class and owner: attempts, cpu, memory_bytes, gpu."""
    query = (
        select(
            attempts.c.compute_resource, jobs.c.owner, func.count().label("attempts"),
            func.sum(attempts.c.cpu).label("cpu"), func.sum(attempts.c.memory_bytes).label("memory_bytes"),
            func.sum(attempts.c.gpu).label("gpu"),
        )
        .join(jobs, jobs.c.job_id == attempts.c.job_id)
        .where(jobs.c.state.in_(ACTIVE), attempts.c.state.in_(ACTIVE))
        .group_by(attempts.c.compute_resource, jobs.c.owner)
    )  # fmt: skip
    return await all_rows(connection, query)


async def lock_queued(connection: AsyncConnection, job_ids: Sequence[str]) -> set[str]:
    """Those of the jobs that are still queued and that nobody else is moving right now; they are locked."""
    query = (
        select(jobs.c.job_id)
        .where(jobs.c.job_id.in_(job_ids), jobs.c.state == "queued")
        .with_for_update(skip_locked=True)
    )
    return set((await connection.execute(query)).scalars())


async def insert_attempt(connection: AsyncConnection, values: Mapping[str, Any]) -> None:
    """The row of a claimed attempt."""
    await connection.execute(insert(attempts).values(**values))


async def set_wait(
    connection: AsyncConnection, job_id: str, *, reason: str, message: str, changed: bool, from_reason: str | None
) -> None:
    """Why a queued job waits; `changed` makes it an event, which the numbers in the message alone are not."""
    statement = (
        update(jobs)
        .where(jobs.c.job_id == job_id, jobs.c.state == "queued", jobs.c.reason.is_not_distinct_from(from_reason))
        .values(reason=reason, message=message)
        .returning(jobs.c.attempt)
    )
    found = (await connection.execute(statement)).one_or_none()
    if found is not None and changed:
        await add_event(connection, job_id, kind="waiting", by="schedule", reason=reason, message=message)
        await wake(connection, job_id)


# --- reconcile and rescue ---------------------------------------------------------------------------------------------


def _attempt(job_id: str, number: int) -> ColumnElement[bool]:
    return and_(attempts.c.job_id == job_id, attempts.c.number == number)


async def mark_submitted(connection: AsyncConnection, job_id: str, number: int, uid: str) -> bool:
    """The executor has started the attempt; False when it was submitted before or is over."""
    statement = (
        update(attempts)
        .where(_attempt(job_id, number), attempts.c.outbox == "submit")
        .values(outbox="submitted", uid=uid)
        .returning(attempts.c.number)
    )
    return (await connection.execute(statement)).one_or_none() is not None


async def remove_again(connection: AsyncConnection, job_id: str, number: int) -> None:
    """Orders the removal of an attempt once more; one that is not over stays as it is."""
    late = update(attempts).where(_attempt(job_id, number), attempts.c.outbox == "removed")
    await connection.execute(late.values(outbox="remove"))


async def mark_absent(connection: AsyncConnection, job_id: str, number: int) -> None:
    """The first observation without the attempt."""
    await connection.execute(
        update(attempts).where(_attempt(job_id, number), attempts.c.gone_since.is_(None)).values(gone_since=func.now())
    )


async def mark_present(connection: AsyncConnection, job_id: str, number: int) -> None:
    """The attempt is there after all."""
    await connection.execute(
        update(attempts).where(_attempt(job_id, number), attempts.c.gone_since.is_not(None)).values(gone_since=None)
    )


async def mark_stopping(connection: AsyncConnection, row: Any, reason: str) -> None:
    """Why the platform asks the attempt to end; the first reason stands."""
    await connection.execute(
        update(attempts)
        .where(_attempt(row.job_id, row.attempt), attempts.c.stop_reason.is_(None))
        .values(stop_reason=reason, stop_asked_at=func.now())
    )


async def set_message(connection: AsyncConnection, row: Any, message: str | None) -> None:
    """A word about an active job, for display."""
    statement = (
        update(jobs)
        .where(jobs.c.job_id == row.job_id, jobs.c.state == row.state, jobs.c.attempt == row.attempt)
        .where(jobs.c.message.is_distinct_from(message))
        .values(message=message)
        .returning(jobs.c.job_id)
    )
    if (await connection.execute(statement)).one_or_none() is not None:
        await wake(connection, row.job_id)


async def to_remove(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Attempts that are over and whose remains the executor still holds, with how long they have been over."""
    over = func.extract("epoch", func.now() - attempts.c.finished_at)
    query = select(attempts.c.job_id, attempts.c.number, attempts.c.log_sealed_at, over.label("seconds_over")).where(
        attempts.c.outbox == "remove"
    )
    return await all_rows(connection, query.order_by(attempts.c.finished_at).limit(500))


async def mark_gone(connection: AsyncConnection, job_id: str, number: int) -> None:
    """The executor sees an attempt that is over as gone: no line of its log can come any more."""
    statement = (
        update(attempts)
        .where(_attempt(job_id, number), attempts.c.finished_at.is_not(None))
        .where(or_(attempts.c.gone_since.is_(None), attempts.c.gone_since < attempts.c.finished_at))
        .values(gone_since=func.now())
        .returning(attempts.c.number)
    )
    if await one_row(connection, statement) is not None:
        await wake(connection, job_id, ATTEMPTS)


async def mark_removed(connection: AsyncConnection, job_id: str, number: int) -> None:
    """Nothing is left of the attempt at the executor."""
    await connection.execute(update(attempts).where(_attempt(job_id, number)).values(outbox="removed"))


# --- what the runner reports ------------------------------------------------------------------------------------------


async def attempt_row(connection: AsyncConnection, job_id: str, number: int) -> Row[Any] | None:
    """An attempt with what its job says about it: for the fence, for the spec, for the model's row."""
    query = (
        select(
            attempts, jobs.c.state.label("job_state"), jobs.c.attempt.label("current"), jobs.c.cancel_requested_at,
            jobs.c.resolved_request, jobs.c.request_text, jobs.c.code_id, jobs.c.timeout_seconds, jobs.c.step,
            jobs.c.model_name, jobs.c.model_description, jobs.c.owner, jobs.c.project, jobs.c.workflow_name,
            jobs.c.git_sha, jobs.c.dirty, jobs.c.experimental,
        )
        .join(jobs, jobs.c.job_id == attempts.c.job_id)
        .where(_attempt(job_id, number))
    )  # fmt: skip
    return await one_row(connection, query)


async def set_attempt(connection: AsyncConnection, job_id: str, number: int, values: Mapping[str, Any]) -> None:
    """Sets columns of an attempt that is not over."""
    statement = update(attempts).where(_attempt(job_id, number), attempts.c.state.in_(ACTIVE))
    await connection.execute(statement.values(**values))


async def heard(connection: AsyncConnection, job_id: str, number: int, values: Mapping[str, Any]) -> None:
    """A sign of life of an active attempt, by the database's clock."""
    await set_attempt(connection, job_id, number, {**values, "heartbeat_at": func.now(), "gone_since": None})


async def beat(connection: AsyncConnection, job_id: str, number: int, values: Mapping[str, Any]) -> Row[Any] | None:
    """A heartbeat's news on the job; None when this attempt is no longer its current, active one."""
    statement = (
        update(jobs)
        .where(jobs.c.job_id == job_id, jobs.c.attempt == number, jobs.c.state.in_(ACTIVE))
        .values(**values)
        .returning(jobs.c.cancel_requested_at)
    )
    return await one_row(connection, statement)
