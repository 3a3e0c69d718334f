"""The registry's SQL: immutable models, and the names they stand behind. Pages go by seq, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from railyard.control.db.engine import all_rows, one_row
from railyard.control.db.tables import models
from railyard.errors import Ambiguous, Conflict, Invalid, NotFound, nearest
from railyard.spec.records import Model, ModelName, Page
from railyard.spec.result import Metrics

MOST = 1000
"""Items of one page."""
_SHORT_DIGEST = 12


def model_id_of(name: str, manifest_sha256: str) -> str:
    """`<model name>:<first 12 hex digits of the manifest's sha256>`."""
    return f"{name}:{manifest_sha256[:_SHORT_DIGEST]}"


async def add(connection: AsyncConnection, values: Mapping[str, Any]) -> Model:
    """Registers a model for good, in the caller's transaction. `values`: every column but model_id, seq and created_at.

    Raises Conflict (`model_exists`) where these bytes were registered before, by another job.
    """
    model_id = model_id_of(values["name"], values["manifest_sha256"])
    statement = upsert(models).values(model_id=model_id, **values).on_conflict_do_nothing().returning(models)
    row = await one_row(connection, statement)
    if row is None:
        raise Conflict(
            f"the model {model_id} is registered already",
            code="model_exists",
            why="its id is the hash of its manifest, and another job has delivered that manifest",
            mend=f"railyard model show {model_id}",
        )
    return _model(row)


async def get(connection: AsyncConnection, model_id: str) -> Model:
    """One model by its id; any unique prefix of the part behind the colon will do. Raises NotFound, Ambiguous."""
    name, _, digest = model_id.rpartition(":")
    query = select(models).where(models.c.name == name, models.c.model_id.startswith(model_id, autoescape=True))
    rows = await all_rows(connection, query.order_by(models.c.seq.desc()).limit(10)) if name and digest else []
    exact = [row for row in rows if row.model_id == model_id]
    if len(exact or rows) == 1:
        return _model((exact or rows)[0])
    if rows:
        raise Ambiguous(
            f'"{model_id}" fits {len(rows)} models or more',
            why=", ".join(row.model_id for row in rows),
            mend="give more of the id",
            detail={"candidates": [row.model_id for row in rows]},
        )
    query = select(models.c.model_id).order_by(models.c.seq.desc()).limit(500)
    known = (await connection.execute(query)).scalars().all()
    close = nearest(model_id, known)
    raise NotFound(
        f'there is no model "{model_id}"',
        code="model_not_found",
        mend=f"did you mean {close}?" if close else "railyard model list shows the models",
        detail={"near": [close] if close else []},
    )


async def list_ids(connection: AsyncConnection, name: str, *, after: str | None = None, limit: int = 50) -> Page[Model]:
    """The ids behind a name, newest first. Raises NotFound with the nearest name, Invalid."""
    limit, seq = _page(limit, after)
    query = select(models).where(models.c.name == name).order_by(models.c.seq.desc()).limit(limit + 1)
    rows = await all_rows(connection, query.where(models.c.seq < seq) if seq is not None else query)
    if not rows and seq is None:
        raise await _no_name(connection, name)
    return _paged([_model(row) for row in rows], limit)


async def list_names(
    connection: AsyncConnection,
    *,
    owner: str | None = None,
    project: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[ModelName]:
    """Model names, the one with the newest id first. `owner` and `project` are those of the newest id."""
    limit, seq = _page(limit, after)
    place = func.row_number().over(partition_by=models.c.name, order_by=models.c.seq.desc())
    ranked = select(
        models,
        place.label("place"),
        func.count().over(partition_by=models.c.name).label("ids"),
        func.min(models.c.created_at).over(partition_by=models.c.name).label("first_at"),
    ).subquery()
    query = select(ranked).where(ranked.c.place == 1).order_by(ranked.c.seq.desc()).limit(limit + 1)
    if owner is not None:
        query = query.where(ranked.c.owner == owner)
    if project is not None:
        query = query.where(ranked.c.project == project)
    if seq is not None:
        query = query.where(ranked.c.seq < seq)
    rows = await all_rows(connection, query)
    shown = [_name(row) for row in rows[:limit]]
    return Page[ModelName](items=tuple(shown), next=str(rows[limit - 1].seq) if len(rows) > limit else None)


async def of_job(connection: AsyncConnection, job_id: str) -> Model | None:
    """The model that a job delivered."""
    row = await one_row(connection, select(models).where(models.c.job_id == job_id))
    return None if row is None else _model(row)


async def _no_name(connection: AsyncConnection, name: str) -> NotFound:
    known = (await connection.execute(select(models.c.name).distinct().limit(2000))).scalars().all()
    close = nearest(name, known)
    return NotFound(
        f'there is no model name "{name}"',
        code="model_not_found",
        mend=f"did you mean {close}?" if close else "railyard model list shows the models",
        detail={"near": [close] if close else []},
    )


def _page(limit: int, after: str | None) -> tuple[int, int | None]:
    if not 1 <= limit <= MOST:
        raise Invalid(f"limit must be 1 to {MOST}, not {limit}", code="bad_limit")
    if after is None or (after.isascii() and after.isdigit() and len(after) < 19):
        return limit, int(after) if after else None
    raise Invalid(
        f'after must be the "next" of the page before, not "{after}"', code="bad_cursor", mend="start without after"
    )


def _paged(items: list[Model], limit: int) -> Page[Model]:
    shown = tuple(items[:limit])
    return Page[Model](items=shown, next=str(shown[-1].seq) if len(items) > limit else None)


def _model(row: Any) -> Model:
    values = {name: value for name, value in row._mapping.items() if name in Model.model_fields}
    return Model.model_validate({**values, "code": row.code_id})


def _name(row: Any) -> ModelName:
    return ModelName(
        name=row.name,
        owner=row.owner,
        project=row.project,
        description=row.description,
        ids=row.ids,
        latest=row.model_id,
        latest_job=row.job_id,
        latest_metrics=Metrics.model_validate(row.metrics),
        created_at=row.first_at,
        updated_at=row.created_at,
    )
