"""What the runner reports. Each report is one transaction, fenced by the attempt's token.

A report of an attempt that is over or no longer the job's current one is refused with Conflict (`stale_attempt`), so
that a runner which was given up can change nothing; only its log is still welcome until it is sealed.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from railyard.control.db.engine import Database
from railyard.control.db.listen import ATTEMPTS
from railyard.control.executors.places import Place, Places
from railyard.control.jobs import lines, log_store, store
from railyard.control.jobs.facts import Policy
from railyard.control.jobs.moves import consider
from railyard.control.jobs.states import Failed, Reported
from railyard.control.jobs.tokens import token_hash
from railyard.errors import Conflict, Refused, Unauthorized, Unavailable
from railyard.spec.attempt import (
    PROTOCOL_VERSION,
    AttemptSpec,
    CodeRef,
    DataAccess,
    Failure,
    Heartbeat,
    HeartbeatAnswer,
    Limits,
    LogChunk,
    MetricBatch,
    MetricPoint,
    Started,
    Usage,
)
from railyard.spec.base import dump
from railyard.spec.ids import split_attempt_name
from railyard.spec.jsonc import parse_strict
from railyard.spec.request import TrainingRequest

_SKEW_SECONDS = 5.0
"""A larger difference between the runner's clock and the database's is told in the event."""


async def authenticate(connection: AsyncConnection, name: str, token: str, *, allow_stale: bool = False) -> Any:
    """The attempt's row (with `job_state` and `current`), if the token is its own.

    Raises Unauthorized for a wrong token or name, Conflict (`stale_attempt`) for an attempt that is over or was
    followed by another, unless `allow_stale`.
    """
    try:
        job_id, number = split_attempt_name(name)
    except ValueError:
        job_id, number = "", 0
    row = await store.attempt_row(connection, job_id, number) if 0 < number < 2**31 else None
    if row is None or not hmac.compare_digest(row.token_hash, token_hash(token)):
        raise Unauthorized(f"this token is not the one of attempt {name}", code="bad_attempt_token")
    if not allow_stale and not is_current(row):
        raise stale(name, row)
    return row


def is_current(row: Any) -> bool:
    """Whether the attempt may still report: it is its job's current one and not over."""
    return row.number == row.current and row.state in store.ACTIVE and row.job_state in store.ACTIVE


async def check(database: Database, name: str, token: str) -> None:
    """Raises unless this attempt may still deliver: before its artifacts are taken in."""
    async with database.transaction() as connection:
        await authenticate(connection, name, token)


async def spec_of(
    database: Database,
    name: str,
    token: str,
    *,
    places: Places,
    data_access: Callable[[TrainingRequest], DataAccess],
    heartbeat_seconds: float = 5.0,
    cancel_grace_seconds: float = 5.0,
    log_bytes: int = 2**30,
) -> AttemptSpec:
    """Everything the runner needs. `data_access` answers where the names in the request's data block lead."""
    async with database.transaction() as connection:
        row = await authenticate(connection, name, token)
    place = await places.place(row.code_id)
    if not isinstance(place, Place):
        raise Unavailable(f"the code of {row.job_id} is not ready: {place.message}", code="code_not_ready")
    request = request_of(row)
    return AttemptSpec(
        name=name,
        job_id=row.job_id,
        number=row.number,
        request=request,
        seed=request.seed,
        code=CodeRef(
            code_id=row.code_id,
            folder=place.folder,
            project=place.project,
            git_sha=place.git_sha,
            dirty=place.dirty,
            runtime=place.runtime.key,
        ),
        data=data_access(request),
        limits=limits_of(row, cancel_grace_seconds=cancel_grace_seconds, log_bytes=log_bytes),
        heartbeat_seconds=heartbeat_seconds,
    )


def limits_of(row: Any, *, cancel_grace_seconds: float, log_bytes: int) -> Limits:
    """What an attempt may use, from a row with its sizes."""
    return Limits(
        cpu=row.cpu,
        memory_bytes=row.memory_bytes,
        gpu=row.gpu,
        timeout_seconds=row.timeout_seconds,
        cancel_grace_seconds=cancel_grace_seconds,
        log_bytes=log_bytes,
    )


def request_of(row: Any) -> TrainingRequest:
    """The request that an attempt carries out."""
    return TrainingRequest.model_validate(exact_params(row.resolved_request, row.request_text))


def exact_params(resolved: Mapping[str, Any], sent_text: str) -> dict[str, Any]:
    """The resolved request with custom_params as they were sent: JSONB makes 1e300 an integer and sorts the keys."""
    sent = parse_strict(sent_text)
    given = sent.get("train", {}).get("custom_params") if isinstance(sent, dict) else None
    return dict(resolved) if given is None else {**resolved, "train": {**resolved["train"], "custom_params": given}}


async def started(database: Database, name: str, token: str, report: Started) -> None:
    """The runner's first report: starting → running. A repeated one, or one after the commit, changes nothing."""
    if report.protocol > PROTOCOL_VERSION or report.protocol < PROTOCOL_VERSION - 1:
        raise Refused(
            f"the runner speaks protocol {report.protocol}, this server {PROTOCOL_VERSION}",
            code="protocol_version",
            mend="build the runtime again with this server's version: railyard deploy",
        )
    async with database.transaction() as connection:
        fence = await authenticate(connection, name, token, allow_stale=True)
        if fence.state == "succeeded":
            return
        if not is_current(fence):
            raise stale(name, fence)
        row = await store.job_facts(connection, fence.job_id, lock=True)
        if row is None or row.attempt != fence.number or row.state not in store.ACTIVE:
            raise stale(name, fence)
        skew = (report.clock - row.now).total_seconds()
        detail = {"node": report.node, "pid": report.pid, "python": report.python, "warm": report.warm}
        if abs(skew) > _SKEW_SECONDS:
            detail["clock_skew_seconds"] = round(skew, 1)
        _, moved = await consider(
            connection, row, Reported(), _NO_POLICY, by="runner", values={"node": report.node}, detail=detail
        )
        if moved:
            news = {"state": "running", "node": report.node, "warm": report.warm, "gone_since": None}
            await store.set_attempt(
                connection, row.job_id, row.attempt, {**news, "started_at": row.now, "heartbeat_at": row.now}
            )


async def heartbeat(database: Database, name: str, token: str, report: Heartbeat) -> HeartbeatAnswer:
    """A sign of life with step, progress and usage. A stale attempt is told so instead of refused."""
    async with database.transaction() as connection:
        fence = await authenticate(connection, name, token, allow_stale=True)
        if not is_current(fence):
            return HeartbeatAnswer(stale=True)
        usage = dump(peak(fence.usage, report.usage))
        # The only message of an active job is that it has been silent, which is over.
        values: dict[str, Any] = {"usage": usage, "progress": report.progress, "message": None}
        if report.step is not None:
            values["step"] = report.step
        if report.steps:
            values["steps"] = [dump(step) for step in report.steps]
        job = await store.beat(connection, fence.job_id, fence.number, values)
        if job is None:
            return HeartbeatAnswer(stale=True)
        kept = {key: value for key, value in values.items() if key in ("usage", "steps")}
        await store.heard(connection, fence.job_id, fence.number, kept)
        if report.step is not None and report.step != fence.step:
            await store.add_event(
                connection, fence.job_id, kind="step", by="runner", attempt=fence.number, detail={"step": report.step}
            )
        if report.progress is not None or report.step != fence.step:
            await store.wake(connection, fence.job_id)
    asked = job.cancel_requested_at is not None or fence.stop_reason is not None
    return HeartbeatAnswer(cancel_requested=asked)


async def logs(database: Database, name: str, token: str, chunk: LogChunk) -> None:
    """Numbered lines, at any time until the log is sealed. Lines that are here already are left as they are."""
    if chunk.first_line < 1:
        raise Refused(f"lines are numbered from 1, not {chunk.first_line}", code="bad_line_number")
    if not chunk.lines:
        return
    async with database.transaction() as connection:
        fence = await authenticate(connection, name, token, allow_stale=True)
        if fence.log_sealed_at is not None:
            raise stale(name, fence)
        last = chunk.first_line + len(chunk.lines) - 1
        here = await log_store.overlapping(connection, fence.job_id, fence.number, chunk.rank, chunk.first_line, last)
        for first, end in _missing(
            chunk.first_line, last, [(row.first_line, row.first_line + row.lines - 1) for row in here]
        ):
            part = chunk.lines[first - chunk.first_line : end - chunk.first_line + 1]
            stored, size = lines.encode(first, part)
            await log_store.insert_chunk(
                connection,
                {
                    "job_id": fence.job_id,
                    "attempt": fence.number,
                    "rank": chunk.rank,
                    "first_line": first,
                    "lines": len(part),
                    "bytes": size,
                    "inline": stored,
                },
            )
        await store.wake(connection, fence.job_id)


async def metrics(database: Database, name: str, token: str, batch: MetricBatch) -> None:
    """Points of training, by ordinal; those that are here already are left as they are."""
    if batch.first < 1:
        raise Refused(f"points are numbered from 1, not {batch.first}", code="bad_ordinal")
    async with database.transaction() as connection:
        fence = await authenticate(connection, name, token)
        rows = [_point(fence, ordinal, point) for ordinal, point in enumerate(batch.points, batch.first)]
        await log_store.insert_points(connection, rows)
        await store.wake(connection, fence.job_id)


async def fail(database: Database, name: str, token: str, report: Failure, *, policy: Policy) -> None:
    """The attempt ended without a result: the job waits for a retry, or fails, or is left to be confirmed cancelled."""
    async with database.transaction() as connection:
        fence = await authenticate(connection, name, token, allow_stale=True)
        if not is_current(fence):
            if fence.state == "failed" and fence.log_lines == report.log_lines:
                return
            raise stale(name, fence)
        row = await store.job_facts(connection, fence.job_id, lock=True)
        if row is None or row.attempt != fence.number or row.state not in store.ACTIVE:
            raise stale(name, fence)
        facts = {
            "usage": dump(peak(fence.usage, report.usage)),
            "steps": [dump(step) for step in report.steps] or fence.steps,
        }
        said = {"error": dump(report.error), "log_lines": report.log_lines}
        await store.set_attempt(connection, row.job_id, row.attempt, {**facts, **said})
        _, moved = await consider(
            connection,
            row,
            Failed(report.error),
            policy,
            by="runner",
            values=facts,
            detail={"error": dump(report.error)},
        )
        if not moved:
            # A cancel is pending: reconcile confirms that nothing runs any more, and does so at once.
            await store.wake(connection, row.job_id, ATTEMPTS)


_NO_POLICY = Policy(classes={})
"""The first report needs neither classes nor clocks."""


def stale(name: str, row: Any) -> Conflict:
    """The refusal of an attempt that is over or was followed by another."""
    return Conflict(
        f"attempt {name} may no longer report",
        code="stale_attempt",
        why=f"it is {row.state}, and the current attempt of {row.job_id} ({row.job_state}) is number {row.current}",
        mend="stop; deliver nothing",
    )


def peak(before: Mapping[str, Any], now: Usage) -> Usage:
    """Usage now, with the highest peak ever told: a report may come late."""
    earlier = Usage.model_validate(before)
    peak = max(earlier.peak_memory_bytes, now.peak_memory_bytes, now.memory_bytes)
    return now.model_copy(update={"peak_memory_bytes": peak, "cpu_seconds": max(earlier.cpu_seconds, now.cpu_seconds)})


def _missing(first: int, last: int, here: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The stretches of first..last that none of the stretches in `here` covers."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(here):
        if start > first:
            found.append((first, min(start - 1, last)))
        first = max(first, end + 1)
    return [*found, (first, last)] if first <= last else found


def _point(fence: Any, ordinal: int, point: MetricPoint) -> dict[str, Any]:
    value = point.value
    return {
        "job_id": fence.job_id,
        "attempt": fence.number,
        "ordinal": ordinal,
        "name": point.name,
        "step": point.step,
        "value": value if value is not None and math.isfinite(value) else None,
        "at": point.at,
    }
