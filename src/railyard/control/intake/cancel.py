"""A caller asks a job to end."""

from __future__ import annotations

from railyard.control.intake.caller import Caller
from railyard.control.intake.known import Known
from railyard.control.jobs import read
from railyard.control.jobs import submit as jobs
from railyard.spec.records import Job


async def cancel(known: Known, caller: Caller, job_id: str) -> Job:
    """Asks; the job is cancelled once nothing runs any more. Raises Forbidden, NotFound, Ambiguous, Conflict."""
    caller.require("submit")
    job = await read.get(known.database, job_id)
    caller.require_owner(job.owner)
    return await jobs.cancel(known.database, job.job_id, caller.user)
