"""What the runner of an attempt calls, with the attempt's own token."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Annotated

import anyio.from_thread
import anyio.to_thread
from fastapi import APIRouter, Path, Request, Response

from railyard.artifacts.store import Stored
from railyard.control.api import answers
from railyard.control.api.auth import AttemptToken
from railyard.control.api.rooms import TheRooms
from railyard.control.intake.access import data_access
from railyard.control.jobs import attempts
from railyard.control.results.commit import commit
from railyard.control.results.delivered import StoredDelivery
from railyard.spec.attempt import (
    AttemptSpec,
    Failure,
    Heartbeat,
    HeartbeatAnswer,
    LogChunk,
    MetricBatch,
    Started,
)
from railyard.spec.base import Record
from railyard.spec.ids import split_attempt_name
from railyard.spec.records import Job
from railyard.spec.result import ResultManifest

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/attempts/{name}", tags=["attempts"])

Name = Annotated[str, Path(max_length=64, description="`<job>-<number>`")]

_ERRORS = answers.errors(401, 409, 422)
_DONE = "Taken; repeating it changes nothing."


class StoredArtifact(Record):
    """What was taken in."""

    path: str
    sha256: str
    bytes: int


@router.get(
    "/spec",
    operation_id="get_attempt_spec",
    summary="Everything the runner needs to carry the attempt out",
    responses=_ERRORS | answers.errors(503),
)
async def get_attempt_spec(name: Name, token: AttemptToken, rooms: TheRooms) -> AttemptSpec:
    settings = rooms.known.settings()
    return await attempts.spec_of(
        rooms.database,
        name,
        token,
        places=rooms.known.places,
        data_access=lambda request: data_access(request, settings),
        heartbeat_seconds=settings.jobs.heartbeat_seconds,
        cancel_grace_seconds=settings.jobs.cancel_grace_seconds,
        log_bytes=settings.jobs.log_bytes,
    )


@router.post(
    "/started",
    status_code=204,
    operation_id="report_started",
    summary="The runner's first report: the job becomes running",
    responses=_ERRORS,
    response_description=_DONE,
)
async def report_started(name: Name, token: AttemptToken, rooms: TheRooms, body: Started) -> None:
    await attempts.started(rooms.database, name, token, body)


@router.post(
    "/heartbeat",
    operation_id="report_heartbeat",
    summary="A sign of life; the answer says whether to go on",
    responses=answers.ok({"cancel_requested": False, "stale": False}) | _ERRORS,
)
async def report_heartbeat(name: Name, token: AttemptToken, rooms: TheRooms, body: Heartbeat) -> HeartbeatAnswer:
    return await attempts.heartbeat(rooms.database, name, token, body)


@router.post(
    "/logs",
    status_code=204,
    operation_id="report_logs",
    summary="Numbered log lines",
    responses=_ERRORS | answers.errors(413),
    response_description=_DONE,
)
async def report_logs(name: Name, token: AttemptToken, rooms: TheRooms, body: LogChunk) -> None:
    await attempts.logs(rooms.database, name, token, body)


@router.post(
    "/metrics",
    status_code=204,
    operation_id="report_metrics",
    summary="Numbered metric points of the training",
    responses=_ERRORS | answers.errors(413),
    response_description=_DONE,
)
async def report_metrics(name: Name, token: AttemptToken, rooms: TheRooms, body: MetricBatch) -> None:
    await attempts.metrics(rooms.database, name, token, body)


@router.post(
    "/fail",
    status_code=204,
    operation_id="report_failure",
    summary="The attempt ended without a result, and why",
    responses=_ERRORS,
    response_description=_DONE,
)
async def report_failure(name: Name, token: AttemptToken, rooms: TheRooms, body: Failure) -> None:
    await attempts.fail(rooms.database, name, token, body, policy=rooms.policy)


@router.post(
    "/commit",
    operation_id="commit_result",
    summary="Deliver the result manifest: the job becomes succeeded and its model immutable, in one transaction",
    responses=_ERRORS,
)
async def commit_result(name: Name, token: AttemptToken, rooms: TheRooms, body: ResultManifest) -> Job:
    return await commit(rooms.database, name, token, body, delivered=StoredDelivery(rooms.store))


@router.put(
    "/artifacts/{path:path}",
    operation_id="put_artifact",
    summary="Store one file of the attempt, streamed; the answer has the sha256 of what arrived",
    responses=answers.ok({"path": "model/model.ubj", "sha256": "9f86d081…", "bytes": 181223})
    | _ERRORS
    | answers.errors(413, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put_artifact(
    name: Name, path: str, token: AttemptToken, rooms: TheRooms, request: Request, response: Response
) -> StoredArtifact:
    await attempts.check(rooms.database, name, token)
    job_id, number = split_attempt_name(name)
    stored = await _take_in(rooms, f"jobs/{job_id}/{number}/{path}", request)
    response.headers["ETag"] = f'"{stored.sha256}"'
    return StoredArtifact(path=path, sha256=stored.sha256, bytes=stored.bytes)


async def _take_in(rooms: TheRooms, key: str, request: Request) -> Stored:
    """Hands the body to the store chunk by chunk: the store works in a thread and asks for the next one."""
    body = aiter(request.stream())

    async def next_chunk() -> bytes | None:
        return await anext(body, None)

    def chunks() -> Iterator[bytes]:
        while (chunk := anyio.from_thread.run(next_chunk)) is not None:
            if chunk:
                yield chunk

    return await anyio.to_thread.run_sync(rooms.store.put, key, chunks())
