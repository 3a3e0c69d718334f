"""The workflows that a plain request finds."""

from __future__ import annotations

from fastapi import APIRouter

from railyard.control.api import answers
from railyard.control.api.auth import Reader
from railyard.control.api.rooms import TheRooms
from railyard.spec.records import Page, Workflow

router = APIRouter(prefix="/v1/workflows", tags=["workflows"])

_EXAMPLE = {
    "name": "StripeFraudModel", "project": "fraud", "code": "c3fa9c1d20b7e", "deployed": True,
    "info": {"name": "StripeFraudModel", "file": "workflows/fraud.py", "doc": "Boosted trees over encoded strings.",
             "broken": None, "features": None, "label": None, "data_format": "pandas", "param_schema": None},
    "jobs": 3, "last_job": "j81f3k2abq", "last_state": "succeeded",
}  # fmt: skip


@router.get(
    "",
    operation_id="list_workflows",
    summary="Every workflow of the deployed code, with its documentation and how it fared; broken files too",
    responses=answers.ok({"items": [_EXAMPLE], "next": None}) | answers.errors(401, 403),
)
async def list_workflows(_caller: Reader, rooms: TheRooms) -> Page[Workflow]:
    return Page(items=tuple(await rooms.code.workflows()))


@router.get(
    "/{name}",
    operation_id="get_workflow",
    summary="One workflow with the JSON schema of its parameters",
    responses=answers.ok(_EXAMPLE) | answers.errors(401, 403, 404, 422),
)
async def get_workflow(name: str, _caller: Reader, rooms: TheRooms) -> Workflow:
    return await rooms.code.workflow(name)
