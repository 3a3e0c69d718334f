"""Code versions: send a bundle, deploy it, look at it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from railyard.control.api import answers
from railyard.control.api.auth import Deployer, Reader, Submitter
from railyard.control.api.rooms import TheRooms
from railyard.spec.base import Name, Spec
from railyard.spec.records import CodeVersion, Page

router = APIRouter(prefix="/v1/code", tags=["code"])

EXAMPLE = {
    "code_id": "c3fa9c1d20b7e", "project": "fraud", "sha256": "3fa9c1d20b7e…", "bytes": 4096, "version": "1.4.0",
    "git_sha": "a41c9e2", "dirty": False, "python": None, "lock_sha256": None, "runtime": "server", "state": "ready",
    "message": None, "deployed_at": "2026-11-21T09:12:00Z", "created_at": "2026-11-21T09:11:00Z",
    "created_by": "robstory", "workflows": [],
}  # fmt: skip


class Deployment(Spec):
    """How a code version is deployed."""

    version: Name | None = Field(None, description="A name for it: `project@version` then means this code version.")


@router.post(
    "",
    status_code=201,
    operation_id="register_code",
    summary="Send a code bundle, a zip with bundle.json; the same bytes are the same code version",
    responses=answers.ok(EXAMPLE, 201) | answers.errors(401, 403, 409, 413, 422),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def register_code(caller: Submitter, rooms: TheRooms, request: Request) -> CodeVersion:
    return await rooms.code.register(await request.body(), caller.user)


@router.get(
    "",
    operation_id="list_code",
    summary="Code versions, newest first",
    responses=answers.ok({"items": [EXAMPLE], "next": None}) | answers.errors(401, 403, 422),
)
async def list_code(
    _caller: Reader,
    rooms: TheRooms,
    after: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[CodeVersion]:
    return await rooms.code.list(after=after, limit=limit)


@router.get(
    "/{code}",
    operation_id="get_code",
    summary="One code version with its workflows, by id, unique prefix, or project@version",
    responses=answers.ok(EXAMPLE) | answers.errors(401, 403, 404, 409, 422),
)
async def get_code(code: str, _caller: Reader, rooms: TheRooms) -> CodeVersion:
    return await rooms.code.get(code)


@router.post(
    "/{code}/deploy",
    operation_id="deploy_code",
    summary="Make a code version the one that plain requests run",
    responses=answers.ok(EXAMPLE) | answers.errors(401, 403, 404, 409, 422),
)
async def deploy_code(code: str, caller: Deployer, rooms: TheRooms, body: Deployment | None = None) -> CodeVersion:
    found = await rooms.code.get(code)
    return await rooms.code.deploy(found.code_id, body.version if body else None, caller.user)
