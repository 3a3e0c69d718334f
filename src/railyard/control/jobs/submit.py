"""Submit and cancel: what a user does to a job."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from railyard.control.db.engine import Database
from railyard.control.jobs import read, store
from railyard.control.jobs.facts import Policy
from railyard.control.jobs.moves import consider
from railyard.control.jobs.states import CancelAsked, Note
from railyard.errors import Conflict
from railyard.spec.base import dump
from railyard.spec.ids import new_id
from railyard.spec.records import Job
from railyard.spec.request import TrainingRequest

_POLICY = Policy(classes={})
"""Cancelling needs neither classes nor clocks."""


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A valid request with everything that intake found out about it."""

    request: TrainingRequest
    """Resolved: what the attempt gets."""
    request_text: str
    """As it was sent, byte for byte."""
    submitted_by: str
    cpu: float
    memory_bytes: int
    gpu: int = 0
    code_id: str | None = None
    git_sha: str | None = None
    dirty: bool = False
    experimental: bool = False
    """Reads a mutable source, or runs code that was never deployed."""
    rerun_of: str | None = None
    idempotency_key: str | None = None
    """Chosen by the client: a repeated submit returns the first job. Kept apart by `submitted_by`."""


async def submit(database: Database, new: NewJob) -> Job:
    """Writes a queued job with its first event. The same key again returns the first job.

    Raises Conflict (`idempotency_key_reused`) where the key stands for another request.
    """
    if new.idempotency_key is not None:
        earlier = await _of_key(database, new, new.idempotency_key)
        if earlier is not None:
            return earlier
    job_id = new_id("j")
    try:
        async with database.transaction() as connection:
            await store.insert_job(connection, _columns(new, job_id), by=new.submitted_by)
            if new.idempotency_key is not None and not await store.claim_key(
                connection, new.submitted_by, new.idempotency_key, _sha256(new), job_id
            ):
                raise _Taken
    except _Taken:
        first = await _of_key(database, new, str(new.idempotency_key))
        if first is None:
            raise Conflict("another submit with this idempotency key is under way", mend="send it again") from None
        return first
    return await read.get(database, job_id)


async def cancel(database: Database, job_id: str, by: str) -> Job:
    """Asks a job to end; any unique prefix of its id will do. Asking again changes nothing.

    A queued job is cancelled at once; an active one when its attempt is confirmed to be gone.
    Raises NotFound, Ambiguous, and Conflict (`job_final`) for a job that succeeded or failed.
    """
    job_id = await read.resolve(database, job_id)
    while True:
        async with database.transaction() as connection:
            row = await store.job_facts(connection, job_id, lock=True)
            if row is None:
                break
            if row.state in ("succeeded", "failed"):
                raise Conflict(
                    f"{job_id} has already {row.state}",
                    code="job_final",
                    why="a final state never changes",
                    mend=f"railyard job show {job_id}",
                )
            decision, moved = await consider(connection, row, CancelAsked(), _POLICY, by=by)
            if isinstance(decision, Note):
                moved = await store.request_cancel(connection, row, by=by)
            if moved or row.state == "cancelled" or row.cancel_requested_at is not None:
                break
    return await read.get(database, job_id)


class _Taken(Exception):
    """Rolls back the insert of a job whose key another submit had first."""


async def _of_key(database: Database, new: NewJob, key: str) -> Job | None:
    async with database.transaction() as connection:
        found = await store.key_of(connection, new.submitted_by, key)
    if found is None:
        return None
    if found.request_sha256 != _sha256(new):
        raise Conflict(
            f"the idempotency key {key} was used for another request",
            code="idempotency_key_reused",
            why=f"it stands for {found.job_id}, whose request differs from this one",
            mend="send a new key with a new request",
            detail={"job_id": found.job_id},
        )
    return await read.get(database, found.job_id)


def _sha256(new: NewJob) -> str:
    return hashlib.sha256(new.request_text.encode()).hexdigest()


def _columns(new: NewJob, job_id: str) -> dict[str, Any]:
    request = new.request
    return {
        "job_id": job_id,
        "model_name": request.model_name,
        "model_description": request.model_description,
        "owner": request.owner,
        "project": request.project,
        "trainer": request.trainer,
        "submitted_by": new.submitted_by,
        "workflow_name": request.train.workflow_name,
        "code_id": new.code_id,
        "git_sha": new.git_sha,
        "dirty": new.dirty,
        "experimental": new.experimental or request.experimental,
        "compute_resource": request.compute_resource,
        "cpu": new.cpu,
        "memory_bytes": new.memory_bytes,
        "gpu": new.gpu,
        "timeout_seconds": request.timeout_seconds,
        "priority": request.priority,
        "labels": dict(request.labels),
        "rerun_of": new.rerun_of,
        "request_text": new.request_text,
        "resolved_request": dump(request),
    }
