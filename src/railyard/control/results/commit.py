"""Commits what an attempt delivered: the attempt and its job succeed and the model is registered, in one transaction.

The first commit wins over everything that is still pending, a cancel included; a stale attempt's commit is refused.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import null
from sqlalchemy.ext.asyncio import AsyncConnection

from railyard.control.db.engine import Database
from railyard.control.jobs import attempts, read, store
from railyard.control.jobs.facts import Policy
from railyard.control.jobs.moves import consider
from railyard.control.jobs.states import Committed
from railyard.control.registry import store as registry
from railyard.control.results.delivered import MODEL_MANIFEST, Delivered, check_manifest
from railyard.spec.attempt import Usage
from railyard.spec.base import dump
from railyard.spec.ids import split_attempt_name
from railyard.spec.records import Job
from railyard.spec.result import ResultManifest

_POLICY = Policy(classes={})
"""A commit needs neither classes nor clocks."""


async def commit(database: Database, name: str, token: str, manifest: ResultManifest, *, delivered: Delivered) -> Job:
    """Makes the job succeed with this result. The same commit again answers the job.

    Raises Unauthorized, Conflict (`stale_attempt`, `model_exists`), Invalid (`invalid_manifest`, `artifact_mismatch`).
    """
    async with database.transaction() as connection:
        job_id = await _repeated(connection, name, token, manifest)
    if job_id is not None:
        return await read.get(database, job_id)
    check_manifest(manifest, name)
    # Bytes are read with no transaction open; what was delivered cannot change any more: the store never overwrites.
    found = await asyncio.to_thread(delivered, manifest)
    return await read.get(
        database, await _commit(database, name, token, manifest.model_copy(update={"artifacts": found}))
    )


async def _commit(database: Database, name: str, token: str, manifest: ResultManifest) -> str:
    job_id, number = split_attempt_name(name)
    async with database.transaction() as connection:
        # The job first: who waits here while another commits finds below what became of it.
        row = await store.job_facts(connection, job_id, lock=True)
        if await _repeated(connection, name, token, manifest) is not None:
            return job_id
        fence = await attempts.authenticate(connection, name, token)
        model_id = registry.model_id_of(fence.model_name, manifest.model.manifest_sha256)
        most = Usage(peak_memory_bytes=max((step.peak_memory or 0 for step in manifest.steps), default=0))
        columns = {**_columns(manifest, model_id), "usage": dump(attempts.peak(fence.usage, most))}
        told = {"log_lines": manifest.log_lines} if manifest.log_lines is not None else {}
        last = {"steps": columns["steps"], "usage": columns["usage"]}
        await store.set_attempt(connection, job_id, number, {**last, **told})
        _, moved = await consider(
            connection,
            row,
            Committed(),
            _POLICY,
            by="runner",
            values=columns,
            detail={"model_id": model_id},
        )
        if not moved:
            raise attempts.stale(name, fence)
        await registry.add(connection, _model(fence, number, manifest))
    return job_id


async def _repeated(connection: AsyncConnection, name: str, token: str, manifest: ResultManifest) -> str | None:
    """The job's id where this attempt has delivered this very model already. Raises as `authenticate` does."""
    fence = await attempts.authenticate(connection, name, token, allow_stale=True)
    if fence.state == "succeeded":
        model = await registry.of_job(connection, fence.job_id)
        if model is not None and model.manifest_sha256 == manifest.model.manifest_sha256:
            return str(fence.job_id)
    if not attempts.is_current(fence):
        raise attempts.stale(name, fence)
    return None


def _columns(manifest: ResultManifest, model_id: str) -> dict[str, Any]:
    """What the job shows of its result. The list of files stays in `result`: it may name thousands."""
    data = dump(manifest.data) if manifest.data else None
    if data is not None:
        data["fingerprint"] = {**data["fingerprint"], "files": []}
    return {
        "result": dump(manifest),
        "model_id": model_id,
        "metrics": dump(manifest.metrics),
        "data": data,
        "steps": [dump(step) for step in manifest.steps],
        "error": null(),
        **({"experimental": True} if manifest.data is not None and manifest.data.experimental else {}),
        "progress": 1.0,
    }


def _model(fence: Any, number: int, manifest: ResultManifest) -> dict[str, Any]:
    """The columns of the model's row, from the attempt's row and its result."""
    identity = next(artifact for artifact in manifest.artifacts if artifact.path == MODEL_MANIFEST)
    return {
        "name": fence.model_name,
        "manifest_sha256": manifest.model.manifest_sha256,
        "owner": fence.owner,
        "project": fence.project,
        "description": fence.model_description,
        "job_id": fence.job_id,
        "attempt": number,
        "workflow_name": fence.workflow_name,
        "code_id": fence.code_id,
        "git_sha": fence.git_sha or manifest.code.git_sha,
        "dirty": fence.dirty or manifest.code.dirty,
        "experimental": fence.experimental or (manifest.data is not None and manifest.data.experimental),
        "uri": identity.uri.removesuffix("manifest.json"),
        "info": dump(manifest.model),
        "metrics": dump(manifest.metrics),
        "data_sha256": manifest.data.fingerprint.sha256 if manifest.data else None,
    }
