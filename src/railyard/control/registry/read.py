"""The registry for whoever holds no connection: one call, one transaction."""

from __future__ import annotations

from railyard.control.db.engine import Database
from railyard.control.registry import store
from railyard.spec.records import Model, ModelName, Page


async def get(database: Database, model_id: str) -> Model:
    """One model by its id or a unique prefix of it. Raises NotFound, Ambiguous."""
    async with database.transaction() as connection:
        return await store.get(connection, model_id)


async def list_ids(database: Database, name: str, *, after: str | None = None, limit: int = 50) -> Page[Model]:
    """The ids behind a name, newest first. Raises NotFound, Invalid."""
    async with database.transaction() as connection:
        return await store.list_ids(connection, name, after=after, limit=limit)


async def list_names(
    database: Database,
    *,
    owner: str | None = None,
    project: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[ModelName]:
    """Model names, the one with the newest id first. Raises Invalid."""
    async with database.transaction() as connection:
        return await store.list_names(connection, owner=owner, project=project, after=after, limit=limit)
