"""What attempts say while they run: log lines, metric points, and both them and events as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AwareDatetime

from railyard.control.api import answers, log_lines, streams
from railyard.control.api.auth import Reader
from railyard.control.api.log_lines import LineFilter, Source
from railyard.control.api.rooms import TheRooms
from railyard.control.api.routes.jobs import After, JobId, Limit
from railyard.control.jobs import output, read
from railyard.errors import Invalid
from railyard.spec.attempt import MetricPoint
from railyard.spec.records import LogPage, Page

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])

_END = ServerSentEvent(event="end", data={})
_STREAM = (
    'id: 311\nevent: event\ndata: {"seq":311,"job_id":"j81f3k2abq","kind":"succeeded","to_state":"succeeded"}\n\n'
    "event: end\ndata: {}\n\n"
)

AttemptNumber = Annotated[int | None, Query(ge=1, description="An attempt's number; the newest where left out.")]
Rank = Annotated[int, Query(ge=0, description="The process of a distributed training.")]
LastEventId = Annotated[str | None, Header(alias="last-event-id", max_length=64)]


async def _the_job(job_id: JobId, _caller: Reader, rooms: TheRooms) -> str:
    """Found before the stream begins: an error within it would come after the 200."""
    return await read.resolve(rooms.database, job_id)


TheJob = Annotated[str, Depends(_the_job)]


def _line_filter(
    source: Annotated[Source | None, Query()] = None,
    search: Annotated[str | None, Query(max_length=500, description="Part of the text, whatever its case.")] = None,
    since: Annotated[AwareDatetime | None, Query()] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
) -> LineFilter:
    return LineFilter(source=source, search=search, since=since, until=until)


Lines = Annotated[LineFilter, Depends(_line_filter)]


def _event_place(after: Annotated[str | None, Query(max_length=64)] = None, last: LastEventId = None) -> str | None:
    """The header is newer than the address: a browser that connects again sends both."""
    place = last or after
    if place is not None and not (place.isascii() and place.isdigit() and len(place) < 19):
        raise Invalid(
            f"{place!r} is no place in a stream of events",
            code="bad_cursor",
            why="expected an event's seq",
            mend="start again without after",
        )
    return place


def _log_place(
    after: Annotated[str | None, Query(max_length=64, description="A line's number, or the id of an event.")] = None,
    last: LastEventId = None,
) -> streams.LogPlace:
    place = last or after
    return streams.LogPlace.parse(place) if place else streams.LogPlace(None, 0)


@router.get(
    "/events/stream",
    operation_id="stream_events",
    summary="Events as they come, each once; ends with the event `end` when the job is final",
    response_class=EventSourceResponse,
    responses=answers.other("text/event-stream", _STREAM) | answers.errors(401, 403, 404, 409, 422),
)
async def stream_events(
    job: TheJob, rooms: TheRooms, after: Annotated[str | None, Depends(_event_place)]
) -> AsyncIterator[ServerSentEvent]:
    async for event in streams.follow_events(rooms, job, after):
        yield ServerSentEvent(event="event", id=str(event.seq), data=event)
    yield _END


@router.get(
    "/logs",
    operation_id="list_log_lines",
    summary="Log lines of an attempt by number; with tail the last ones",
    responses=answers.ok({"lines": [], "next": 0, "complete": True}) | answers.errors(401, 403, 404, 409, 422),
)
async def list_log_lines(
    job: TheJob,
    rooms: TheRooms,
    wanted: Lines,
    attempt: AttemptNumber = None,
    rank: Rank = 0,
    after: Annotated[int, Query(ge=0, description="Lines beyond this number.")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    tail: Annotated[int | None, Query(ge=1, le=10_000, description="The last so many lines instead.")] = None,
) -> LogPage:
    if tail is not None:
        return await log_lines.tail(rooms.database, rooms.store, job, wanted, attempt=attempt, rank=rank, count=tail)
    return await log_lines.page(
        rooms.database, rooms.store, job, wanted, attempt=attempt, rank=rank, after=after, limit=limit
    )


@router.get(
    "/logs/stream",
    operation_id="stream_log_lines",
    summary="Log lines as they come, of the newest attempt and those after it, or of the one named",
    response_class=EventSourceResponse,
    responses=answers.other("text/event-stream", _STREAM.replace("event: event", "event: line"))
    | answers.errors(401, 403, 404, 409, 422),
)
async def stream_log_lines(
    job: TheJob,
    rooms: TheRooms,
    wanted: Lines,
    place: Annotated[streams.LogPlace, Depends(_log_place)],
    attempt: AttemptNumber = None,
    rank: Rank = 0,
) -> AsyncIterator[ServerSentEvent]:
    async for where, line in streams.follow_log(rooms, job, place, wanted, attempt=attempt, rank=rank):
        yield ServerSentEvent(event="line", id=str(where), data=line)
    yield _END


@router.get(
    "/metrics",
    operation_id="list_metric_points",
    summary="Metric points that the workflow reported while training, in order",
    responses=answers.ok(
        {"items": [{"name": "auc", "value": 0.901, "step": 100, "at": "2026-11-21T09:12:30Z"}], "next": None}
    )
    | answers.errors(401, 403, 404, 409, 422),
)
async def list_metric_points(
    job: TheJob,
    rooms: TheRooms,
    name: Annotated[list[str] | None, Query(description="Only metrics of these names.")] = None,
    attempt: AttemptNumber = None,
    after: After = None,
    limit: Limit = 1000,
) -> Page[MetricPoint]:
    page = await output.metrics(rooms.database, job, attempt=attempt, names=tuple(name or ()), after=after, limit=limit)
    return page if len(page.items) == limit else page.model_copy(update={"next": None})
