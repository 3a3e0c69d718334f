"""The registry: model names, and the immutable ids behind each."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from railyard.control.api import answers
from railyard.control.api.auth import Reader
from railyard.control.api.rooms import TheRooms
from railyard.control.registry import read as registry
from railyard.spec.records import Model, ModelName, Page

router = APIRouter(prefix="/v1/models", tags=["models"])

_NAME = {
    "name": "fraud_prediction_model", "owner": "machine-learning-infrastructure", "project": "railyard-api-blog-post",
    "description": "A model to predict fraud", "ids": 2, "latest": "fraud_prediction_model:3fa9c1d20b7e",
    "latest_job": "j81f3k2abq", "latest_metrics": {"train": {"auc": 0.94}, "holdout": {"auc": 0.912}},
    "created_at": "2026-11-20T09:12:00Z", "updated_at": "2026-11-21T09:12:00Z",
}  # fmt: skip

After = Annotated[str | None, Query(description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.get(
    "",
    operation_id="list_models",
    summary="Model names, each with its newest id",
    responses=answers.ok({"items": [_NAME], "next": None}) | answers.errors(401, 403, 422),
)
async def list_models(
    _caller: Reader,
    rooms: TheRooms,
    owner: str | None = None,
    project: str | None = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[ModelName]:
    return await registry.list_names(rooms.database, owner=owner, project=project, after=after, limit=limit)


@router.get(
    "/{name}",
    operation_id="get_model",
    summary="The ids behind a name, newest first; or one model by its id, <name>:<12 hex>",
    responses=answers.ok({"items": [], "next": None}) | answers.errors(401, 403, 404, 409, 422),
)
async def get_model(
    name: str, _caller: Reader, rooms: TheRooms, after: After = None, limit: Limit = 50
) -> Page[Model] | Model:
    if ":" in name:
        return await registry.get(rooms.database, name)
    return await registry.list_ids(rooms.database, name, after=after, limit=limit)
