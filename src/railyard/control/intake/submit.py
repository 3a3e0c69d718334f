"""A request becomes a queued job."""

from __future__ import annotations

from railyard.control.intake.caller import Caller
from railyard.control.intake.known import Known
from railyard.control.intake.prepare import prepare
from railyard.control.jobs import submit as jobs
from railyard.spec.records import Job
from railyard.spec.request import TrainingRequest
from railyard.validation import parse_request


async def submit(known: Known, caller: Caller, text: str, idempotency_key: str | None = None) -> Job:
    """Checks a request against what is known and queues it. The same key with the same text answers with the first job.

    Raises Invalid, Forbidden, Conflict.
    """
    caller.require("submit")
    return await enqueue(known, caller, text, parse_request(text), idempotency_key=idempotency_key)


async def enqueue(
    known: Known,
    caller: Caller,
    text: str,
    request: TrainingRequest,
    *,
    idempotency_key: str | None,
    pin: str | None = None,
    rerun_of: str | None = None,
) -> Job:
    """Queues a valid request, whose text is kept as it is."""
    prepared = await prepare(known, caller, request, pin=pin)
    code, size = prepared.code, prepared.size
    return await jobs.submit(
        known.database,
        jobs.NewJob(
            request=prepared.request,
            request_text=text,
            submitted_by=caller.user,
            cpu=size.cpu,
            memory_bytes=size.memory_bytes,
            gpu=size.gpu,
            code_id=code.code_id,
            git_sha=code.git_sha,
            dirty=code.dirty,
            experimental=prepared.experimental,
            rerun_of=rerun_of,
            idempotency_key=idempotency_key,
        ),
    )
