"""What a job delivered: result, evaluation, artifacts; and jobs side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import quote

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from railyard.control.api import answers, examples
from railyard.control.api.auth import Reader
from railyard.control.api.rooms import TheRooms
from railyard.control.api.routes.jobs import JobId
from railyard.control.jobs import read as jobs
from railyard.control.results import read as results
from railyard.control.results.compare import compare
from railyard.errors import Conflict
from railyard.spec.base import JsonObject
from railyard.spec.records import Comparison, JobResult, Page
from railyard.spec.result import Artifact
from railyard.spec.states import FINAL_STATES

compare_router = APIRouter(prefix="/v1/jobs", tags=["results"])
"""To be included before the routes of one job, for which `compare` would be a job's id."""
router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])

EVALUATION = "evaluation/report.json"
_ERRORS = answers.errors(401, 403, 404, 409, 422)


@compare_router.get(
    "/compare",
    operation_id="compare_jobs",
    summary="Jobs side by side: metrics, parameters, and what differs in request and data",
    responses=answers.ok(
        {
            "jobs": [examples.JOB, examples.JOB],
            "metrics": {"holdout.auc": [0.912, 0.918]},
            "params": {"max_depth": [6, 8]},
            "request": {},
            "data": {},
        }
    )
    | _ERRORS,
)
async def compare_jobs(
    _caller: Reader,
    rooms: TheRooms,
    job: Annotated[list[str], Query(min_length=2, max_length=10, description="Ids, or unique prefixes of ids.")],
) -> Comparison:
    return compare(
        [await jobs.get(rooms.database, one) for one in job], [await results.result(rooms.database, one) for one in job]
    )


@router.get(
    "/result",
    operation_id="get_result",
    summary="Everything a final job delivered, or how it ended; readable for ever",
    responses=answers.ok(examples.RESULT) | _ERRORS,
)
async def get_result(job_id: JobId, _caller: Reader, rooms: TheRooms) -> JobResult:
    found = await results.result(rooms.database, job_id)
    if found.state not in FINAL_STATES:
        raise Conflict(
            f"{found.job_id} has no result yet: it is {found.state}",
            code="job_not_final",
            mend=f"railyard job watch {found.job_id}",
        )
    return found


@router.get(
    "/evaluation",
    operation_id="get_evaluation",
    summary="Curves, tables and slices of the holdout",
    responses=answers.ok(
        {"task": "binary", "n": 31200, "roc": {"fpr": [0, 1], "tpr": [0, 1], "threshold": [None, 0.02]}}
    )
    | _ERRORS,
)
async def get_evaluation(job_id: JobId, _caller: Reader, rooms: TheRooms) -> JsonObject:
    artifact = await results.artifact(rooms.database, job_id, EVALUATION)
    content = await anyio.to_thread.run_sync(rooms.store.read, rooms.store.key(artifact.uri))
    found: JsonObject = json.loads(content)
    return found


@router.get(
    "/artifacts",
    operation_id="list_artifacts",
    summary="The files that the succeeded attempt delivered, with their sha256",
    responses=answers.ok({"items": [examples.ARTIFACT], "next": None}) | _ERRORS,
)
async def list_artifacts(job_id: JobId, _caller: Reader, rooms: TheRooms) -> Page[Artifact]:
    return Page(items=await results.artifacts(rooms.database, job_id))


@router.get(
    "/artifacts/{path:path}",
    operation_id="get_artifact",
    summary="One file, streamed; its ETag is its sha256",
    response_class=StreamingResponse,
    responses=answers.other("application/octet-stream", "the file's bytes")
    | {304: {"description": "If-None-Match names this content"}}
    | _ERRORS,
)
async def get_artifact(
    job_id: JobId,
    path: Annotated[str, Path(max_length=1024, description="As the list of artifacts has it.")],
    _caller: Reader,
    rooms: TheRooms,
    request: Request,
) -> Response:
    # Only what the result lists can be read: a path never reaches the store by itself.
    artifact = await results.artifact(rooms.database, job_id, path)
    headers = {
        "ETag": f'"{artifact.sha256}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(path.rsplit('/', 1)[-1])}",
    }
    if headers["ETag"] in (request.headers.get("if-none-match") or ""):
        return Response(status_code=304, headers=headers)
    pieces: Iterator[bytes] = await anyio.to_thread.run_sync(rooms.store.stream, rooms.store.key(artifact.uri))
    headers["Content-Length"] = str(artifact.bytes)
    return StreamingResponse(pieces, media_type="application/octet-stream", headers=headers)
