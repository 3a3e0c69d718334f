"""Is the server there, can it work, how is it doing."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from railyard.control.api import answers, metrics_store
from railyard.control.api.auth import Reader
from railyard.control.api.rooms import TheRooms
from railyard.errors import Unavailable
from railyard.spec.base import Record
from railyard.version import __version__

open_router = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])


class Alive(Record):
    status: str = "ok"
    version: str


class Ready(Record):
    ready: bool = True
    database: bool
    duties: dict[str, bool] = Field(description="Each background duty, and whether it succeeded lately.")


@open_router.get(
    "/healthz",
    operation_id="check_alive",
    summary="Is the process alive",
    responses=answers.ok({"status": "ok", "version": "0.1.0"}),
)
async def check_alive() -> Alive:
    return Alive(version=__version__)


@open_router.get(
    "/readyz",
    operation_id="check_ready",
    summary="Can the server work: its database answers and its duties succeed",
    responses=answers.ok({"ready": True, "database": True, "duties": {"schedule": True}}) | answers.errors(503),
)
async def check_ready(rooms: TheRooms) -> Ready:
    try:
        async with rooms.database.transaction() as connection:
            await metrics_store.ping(connection)
        database, why = True, ""
    except (SQLAlchemyError, OSError) as error:
        database, why = False, f"the database does not answer ({type(error).__name__})"
    health = rooms.duties()
    duties = {name: duty.healthy for name, duty in health.items()}
    if database and all(duties.values()):
        return Ready(database=database, duties=duties)
    late = [name for name, healthy in duties.items() if not healthy]
    raise Unavailable(
        "the server is not ready",
        code="not_ready",
        why=why or f"these duties have not succeeded lately: {', '.join(late)}",
        mend="see <home>/logs/server.log",
        detail={"database": database, "duties": dict(duties)},
    )


@router.get(
    "/metrics",
    operation_id="get_server_metrics",
    summary="Prometheus metrics of jobs, steps, queues and duties",
    response_class=Response,
    responses=answers.other("text/plain", 'railyard_jobs{state="running",owner="risk"} 3') | answers.errors(401, 403),
)
async def get_server_metrics(_caller: Reader, rooms: TheRooms) -> Response:
    page = await rooms.measures.page(rooms.database, rooms.duties())
    return Response(page, media_type="text/plain; version=0.0.4; charset=utf-8")
