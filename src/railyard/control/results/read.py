"""The result of a job, readable for ever: after its process, its image and its logs are gone."""

from __future__ import annotations

from typing import Any

from railyard.control.db.engine import Database
from railyard.control.jobs import list_store, read
from railyard.control.jobs.attempts import exact_params
from railyard.errors import NotFound
from railyard.spec.records import Job, JobResult
from railyard.spec.result import Artifact, CodeInfo, DataSummary, ResultManifest


async def result(database: Database, job_id: str) -> JobResult:
    """What a job was asked, what came of it, and when; for a job in any state. Raises NotFound, Ambiguous."""
    job = await read.get(database, job_id)
    async with database.transaction() as connection:
        row = await list_store.request_row(connection, job.job_id)
        times = await list_store.last_of_kind(connection, job.job_id)
    if row is None:
        raise NotFound(f'there is no job "{job_id}"', code="job_not_found")
    manifest = ResultManifest.model_validate(row["result"]) if row["result"] else None
    return JobResult(
        job_id=job.job_id,
        state=job.state,
        reason=job.reason,
        attempt=job.attempt,
        model_id=job.model_id,
        workflow_name=job.workflow_name,
        task=manifest.task if manifest else None,
        request=row["request_text"],
        resolved_request=exact_params(row["resolved_request"], row["request_text"]),
        code=_code(row, manifest),
        data=_data(job, manifest),
        artifacts=manifest.artifacts if manifest else (),
        metrics=job.metrics,
        model=manifest.model if manifest else None,
        steps=job.steps,
        node=job.node,
        compute_resource=job.compute_resource,
        cost=job.cost,
        error=job.error,
        seed=manifest.seed if manifest else int(row["resolved_request"].get("seed", 0)),
        warnings=manifest.warnings if manifest else (),
        extra=manifest.extra if manifest else {},
        timestamps=dict(times),
    )


async def artifacts(database: Database, job_id: str) -> tuple[Artifact, ...]:
    """What the succeeded attempt of a job delivered; nothing before that. Raises NotFound, Ambiguous."""
    return (await result(database, job_id)).artifacts


async def artifact(database: Database, job_id: str, path: str) -> Artifact:
    """One artifact of a job by its path. Raises NotFound with the paths there are."""
    found = await artifacts(database, job_id)
    for candidate in found:
        if candidate.path == path:
            return candidate
    raise NotFound(
        f'{job_id} has no artifact "{path}"',
        code="artifact_not_found",
        why=f"it has {', '.join(one.path for one in found)}" if found else "it has delivered nothing",
        mend=f"railyard job artifacts {job_id} ls",
    )


def _code(row: Any, manifest: ResultManifest | None) -> CodeInfo:
    """What the runner saw of the code, completed by what was pinned at submit."""
    seen = manifest.code if manifest else CodeInfo()
    return seen.model_copy(
        update={
            "code_id": row["code_id"] or seen.code_id,
            "git_sha": row["git_sha"] or seen.git_sha,
            "dirty": row["dirty"] or seen.dirty,
        }
    )


def _data(job: Job, manifest: ResultManifest | None) -> DataSummary | None:
    return manifest.data if manifest else job.data
