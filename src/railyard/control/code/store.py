"""The SQL of code versions, their workflows, the claims on workflow names, and runtimes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from railyard.control.code.storable import storable
from railyard.control.db.engine import notify
from railyard.control.db.listen import QUEUE
from railyard.control.db.tables import code_versions, code_workflows, runtimes, workflow_claims
from railyard.spec.base import dump
from railyard.spec.records import CodeVersion, Workflow, WorkflowInfo
from railyard.spec.result import Metrics

_LISTED = text(
    """
    WITH newest AS (SELECT project, max(seq) AS seq FROM code_versions GROUP BY project)
    SELECT * FROM (
        SELECT DISTINCT ON (w.name) w.name, w.info, v.code_id, v.project, v.deployed_at IS NOT NULL AS deployed,
            v.code_id = first_value(v.code_id) OVER (
                PARTITION BY v.project ORDER BY v.deployed_at DESC NULLS LAST, v.seq DESC
            ) AS newest
        FROM code_versions v JOIN newest USING (project) JOIN code_workflows w USING (code_id)
        WHERE v.deployed_at IS NOT NULL OR v.seq = newest.seq
        ORDER BY w.name, v.deployed_at DESC NULLS LAST, v.seq DESC
    ) AS listed
    LEFT JOIN LATERAL (
        SELECT job_id, state, metrics, owner FROM jobs WHERE workflow_name = listed.name ORDER BY seq DESC LIMIT 1
    ) AS last ON TRUE
    LEFT JOIN LATERAL (SELECT count(*) AS jobs FROM jobs WHERE workflow_name = listed.name) AS counted ON TRUE
    WHERE CAST(:name AS text) IS NULL OR listed.name = :name
    ORDER BY listed.name
    """
)


async def add(connection: AsyncConnection, values: Mapping[str, Any]) -> bool:
    """A new code version; False when it is there already."""
    statement = upsert(code_versions).values(**values).on_conflict_do_nothing().returning(code_versions.c.code_id)
    return (await connection.execute(statement)).one_or_none() is not None


async def find(connection: AsyncConnection, code_id: str, *, lock: bool = False) -> CodeVersion | None:
    """One code version with its workflows; locked until the transaction ends, where asked."""
    query = select(code_versions).where(code_versions.c.code_id == code_id)
    found = await _records(connection, query.with_for_update() if lock else query)
    return found[0] if found else None


async def by_prefix(connection: AsyncConnection, prefix: str, limit: int = 6) -> list[CodeVersion]:
    """Code versions whose id begins so, newest first."""
    return await _newest(connection, code_versions.c.code_id.startswith(prefix, autoescape=True), limit)


async def by_version(connection: AsyncConnection, project: str, version: str) -> CodeVersion | None:
    """The code version that `project@version` names."""
    found = await _newest(connection, and_(code_versions.c.project == project, code_versions.c.version == version), 1)
    return found[0] if found else None


async def versions_of(connection: AsyncConnection, project: str | None) -> list[str]:
    """Every `project@version` there is, of one project or of all, newest first; 200 at most."""
    query = select(code_versions.c.project, code_versions.c.version).where(code_versions.c.version.is_not(None))
    query = query.where(code_versions.c.project == project) if project else query
    rows = await connection.execute(query.order_by(code_versions.c.deployed_at.desc()).limit(200))
    return [f"{row.project}@{row.version}" for row in rows]


async def page(
    connection: AsyncConnection, *, project: str | None, deployed: bool, after: int | None, limit: int
) -> list[tuple[int, CodeVersion]]:
    """Code versions, newest first, each with its place in the list; `after` is the place of the last one seen."""
    query = select(code_versions).order_by(code_versions.c.seq.desc()).limit(limit)
    query = query.where(code_versions.c.project == project) if project else query
    query = query.where(code_versions.c.deployed_at.is_not(None)) if deployed else query
    query = query.where(code_versions.c.seq < after) if after is not None else query
    rows = (await connection.execute(query)).all()
    return list(zip([row.seq for row in rows], await _with_workflows(connection, rows), strict=True))


async def newest_deployed(connection: AsyncConnection, workflow_name: str) -> CodeVersion | None:
    """The newest deployed code version that holds a workflow."""
    holds = select(code_workflows.c.code_id).where(code_workflows.c.name == workflow_name)
    query = (
        select(code_versions)
        .where(code_versions.c.deployed_at.is_not(None), code_versions.c.code_id.in_(holds))
        .order_by(code_versions.c.deployed_at.desc(), code_versions.c.seq.desc())
        .limit(1)
    )
    found = await _records(connection, query)
    return found[0] if found else None


async def newest_holding(connection: AsyncConnection, workflow_name: str) -> CodeVersion | None:
    """The newest code version that holds a workflow, deployed or not."""
    holds = select(code_workflows.c.code_id).where(code_workflows.c.name == workflow_name)
    found = await _newest(connection, code_versions.c.code_id.in_(holds), 1)
    return found[0] if found else None


async def deployed_names(connection: AsyncConnection) -> list[str]:
    """Every workflow name that a deployed code version holds, sorted."""
    query = (
        select(code_workflows.c.name)
        .join(code_versions, code_versions.c.code_id == code_workflows.c.code_id)
        .where(code_versions.c.deployed_at.is_not(None))
        .distinct()
        .order_by(code_workflows.c.name)
    )
    return list((await connection.execute(query)).scalars())


async def list_workflows(connection: AsyncConnection, name: str | None = None) -> list[Workflow]:
    """Every workflow, by name, with its jobs: from the newest deployed code version, else from its project's newest.

    What is broken is listed only while the newest version of its project holds it.
    """
    rows = (await connection.execute(_LISTED, {"name": name})).all()
    return [_workflow(row) for row in rows if row.newest or not row.info.get("broken")]


async def building(connection: AsyncConnection) -> list[str]:
    """Code versions whose preparation has not ended."""
    query = select(code_versions.c.code_id).where(code_versions.c.state == "building").order_by(code_versions.c.seq)
    return list((await connection.execute(query)).scalars())


async def begin(connection: AsyncConnection, code_id: str) -> None:
    """Preparation begins again."""
    await _update(connection, code_id, state="building", message=None)


async def note(connection: AsyncConnection, code_id: str, *, runtime: str, message: str | None) -> None:
    """Says what preparing a version is at."""
    unfinished = and_(code_versions.c.code_id == code_id, code_versions.c.state == "building")
    await connection.execute(update(code_versions).where(unfinished).values(runtime=runtime, message=message))


async def settle(
    connection: AsyncConnection,
    code_id: str,
    *,
    state: str,
    runtime: str | None = None,
    message: str | None = None,
    workflows: Iterable[WorkflowInfo] | None = None,
) -> None:
    """Preparation ended; whoever waits for the code is told when this commits."""
    values = {"runtime": runtime} if runtime else {}
    await _update(connection, code_id, state=state, message=storable(message), **values)
    if workflows is not None:
        await put_workflows(connection, code_id, workflows)
    await notify(connection, QUEUE)


async def put_workflows(connection: AsyncConnection, code_id: str, workflows: Iterable[WorkflowInfo]) -> None:
    """Replaces what is known of a code version's workflows; of two with one name the first stays."""
    await connection.execute(delete(code_workflows).where(code_workflows.c.code_id == code_id))
    infos = {info.name: storable(dump(info)) for info in reversed(list(workflows))}
    if infos:
        rows = [
            {"code_id": code_id, "name": info["name"], "file": info["file"], "info": info} for info in infos.values()
        ]
        await connection.execute(insert(code_workflows), rows)


async def mark_deployed(connection: AsyncConnection, code_id: str, version: str) -> None:
    """Plain requests run this code version from now on."""
    await _update(connection, code_id, version=version, deployed_at=func.clock_timestamp())


async def claim(connection: AsyncConnection, project: str, names: Sequence[str]) -> dict[str, str]:
    """Claims workflow names for a project; those that another project holds, with its name. None is lost to a race."""
    if not names:
        return {}
    # Sorted, so that two deploys never wait for each other in a circle.
    rows = [{"name": name, "project": project} for name in sorted(names)]
    await connection.execute(upsert(workflow_claims).on_conflict_do_nothing(), rows)
    query = select(workflow_claims).where(workflow_claims.c.name.in_(names), workflow_claims.c.project != project)
    return {row.name: row.project for row in await connection.execute(query)}


async def runtime_began(connection: AsyncConnection, key: str, python: str) -> None:
    """A runtime is being built."""
    values = {"state": "building", "python": python, "message": None, "created_at": func.now(), "finished_at": None}
    statement = upsert(runtimes).values(key=key, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))


async def runtime_ended(connection: AsyncConnection, key: str, *, state: str, message: str | None = None) -> None:
    """A runtime is ready, or broken in uv's words."""
    values = {"state": state, "message": storable(message), "finished_at": func.now()}
    await connection.execute(update(runtimes).where(runtimes.c.key == key).values(**values))


async def lately_broken(connection: AsyncConnection, key: str, seconds: float) -> str | None:
    """Why a runtime could not be built, when that is less than so many seconds ago."""
    recent = runtimes.c.finished_at > func.now() - text("make_interval(secs => :seconds)").bindparams(seconds=seconds)
    query = select(runtimes.c.message).where(runtimes.c.key == key, runtimes.c.state == "broken", recent)
    message: str | None = await connection.scalar(query)
    return message


async def _update(connection: AsyncConnection, code_id: str, **values: Any) -> None:
    await connection.execute(update(code_versions).where(code_versions.c.code_id == code_id).values(**values))


async def _newest(connection: AsyncConnection, condition: ColumnElement[bool], limit: int) -> list[CodeVersion]:
    return await _records(
        connection, select(code_versions).where(condition).order_by(code_versions.c.seq.desc()).limit(limit)
    )


async def _records(connection: AsyncConnection, query: Select[Any]) -> list[CodeVersion]:
    return await _with_workflows(connection, (await connection.execute(query)).all())


async def _with_workflows(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[CodeVersion]:
    ids = [row.code_id for row in rows]
    query = select(code_workflows.c.code_id, code_workflows.c.info).where(code_workflows.c.code_id.in_(ids))
    infos: dict[str, list[WorkflowInfo]] = {code_id: [] for code_id in ids}
    for row in await connection.execute(query.order_by(code_workflows.c.name)):
        infos[row.code_id].append(WorkflowInfo.model_validate(row.info))
    return [CodeVersion.model_validate({**row._mapping, "workflows": infos[row.code_id]}) for row in rows]


def _workflow(row: Row[Any]) -> Workflow:
    return Workflow(
        name=row.name,
        project=row.project,
        code=row.code_id,
        deployed=row.deployed,
        info=WorkflowInfo.model_validate(row.info),
        jobs=row.jobs,
        last_job=row.job_id,
        last_state=row.state,
        last_metrics=Metrics.model_validate(row.metrics or {}),
        last_owner=row.owner,
    )
