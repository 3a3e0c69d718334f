"""The plain pages: the jobs, one job, its log. They read what the API reads and change things by its own calls."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from jinja2 import Environment
from markupsafe import Markup

from railyard.client import html as card
from railyard.control.api import html, sessions
from railyard.control.api.auth import Submitter, by_session
from railyard.control.api.pages import words
from railyard.control.api.pages.charts import chart
from railyard.control.api.rooms import Rooms, TheRooms
from railyard.control.api.routes.jobs import JobId
from railyard.control.api.routes.results import EVALUATION
from railyard.control.intake.caller import Caller
from railyard.control.intake.cancel import cancel
from railyard.control.intake.rerun import rerun
from railyard.control.jobs import output, read
from railyard.control.results import read as results
from railyard.errors import Ambiguous, NotFound, RailyardError
from railyard.spec.attempt import MetricPoint
from railyard.spec.records import Job
from railyard.spec.states import ACTIVE_STATES, FINAL_STATES, STATES, State

router = APIRouter(include_in_schema=False)

_LIST = 50
_TAIL = 200
_SERIES = 6
"""Training curves on a page; a workflow may report hundreds of metrics."""


@router.get("/")
async def show_jobs(
    request: Request,
    rooms: TheRooms,
    state: State | None = None,
    after: Annotated[str | None, Query(max_length=64)] = None,
) -> HTMLResponse:
    if await _visitor(request, rooms) is None:
        return _sign_in()
    page = await read.list_jobs(rooms.database, read.Filters(state=(state,) if state else ()), after=after, limit=_LIST)
    return html.page(
        _templates(),
        "jobs.html",
        jobs=page.items,
        next=page.next,
        after=after,
        state=state,
        states=STATES,
        busy=after is None and any(job.state not in FINAL_STATES for job in page.items),
        now=datetime.now(UTC),
    )


@router.get("/jobs/{job_id}")
async def show_job(job_id: JobId, request: Request, rooms: TheRooms) -> HTMLResponse:
    caller = await _visitor(request, rooms)
    if caller is None:
        return _sign_in()
    try:
        job = await read.get(rooms.database, job_id)
        log = await output.logs(rooms.database, rooms.store, job.job_id, tail=_TAIL)
        series = await output.series(rooms.database, job.job_id, points=400)
    except (NotFound, Ambiguous) as error:
        return html.page(_templates(), "missing.html", status=error.status or 404, error=error)
    return html.page(
        _templates(),
        "job.html",
        job=job,
        final=job.state in FINAL_STATES,
        active=job.state in ACTIVE_STATES,
        may_submit=caller.may("submit"),
        metrics=list(dict.fromkeys([*card.ordered(job.metrics.holdout), *card.ordered(job.metrics.train)])),
        charts=[*_training(series), *_evaluation(await _report(rooms, job))],
        lines=log.lines,
        now=datetime.now(UTC),
    )


@router.get("/jobs/{job_id}/log")
async def show_log(job_id: JobId, request: Request, rooms: TheRooms) -> Response:
    if await _visitor(request, rooms) is None:
        return _sign_in()
    job = await read.get(rooms.database, job_id)

    async def lines() -> AsyncIterator[str]:
        async for line in output.whole_log(rooms.database, rooms.store, job.job_id):
            yield f"{line.text}\n"

    return StreamingResponse(lines(), media_type="text/plain; charset=utf-8")


@router.post("/jobs/{job_id}/cancel")
async def cancel_from_page(job_id: JobId, caller: Submitter, rooms: TheRooms) -> RedirectResponse:
    job = await cancel(rooms.known, caller, job_id)
    return RedirectResponse(f"/jobs/{job.job_id}", status_code=303)


@router.post("/jobs/{job_id}/rerun")
async def rerun_from_page(job_id: JobId, caller: Submitter, rooms: TheRooms) -> RedirectResponse:
    job = await rerun(rooms.known, caller, job_id, {})
    return RedirectResponse(f"/jobs/{job.job_id}", status_code=303)


async def _visitor(request: Request, rooms: Rooms) -> Caller | None:
    cookie = request.cookies.get(sessions.COOKIE)
    return await by_session(rooms, cookie) if cookie else None


def _sign_in() -> HTMLResponse:
    return html.page(_templates(), "sign_in.html", status=401, done=False, problem="")


async def _report(rooms: Rooms, job: Job) -> Mapping[str, Any]:
    """The evaluation's report; nothing where there is none, or where it cannot be read: the page stands without it."""
    if job.state != "succeeded":
        return {}
    try:
        artifact = await results.artifact(rooms.database, job.job_id, EVALUATION)
        content = await anyio.to_thread.run_sync(rooms.store.read, rooms.store.key(artifact.uri))
    except RailyardError:
        return {}
    found: Mapping[str, Any] = json.loads(content)
    return found


def _training(series: Mapping[str, Sequence[MetricPoint]]) -> list[tuple[str, Markup]]:
    drawn = []
    for name, points in list(series.items())[:_SERIES]:
        steps = all(point.step is not None for point in points)
        line = [
            (float(point.step if point.step is not None else index), point.value)
            for index, point in enumerate(points)
            if point.value is not None
        ]
        svg = chart({name: line}, x="step" if steps else "point", y=name)
        drawn += [(name, svg)] if svg else []
    return drawn


def _evaluation(report: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """ROC and precision-recall of the holdout, where the task has them."""
    holdout = report.get("holdout") or {}
    drawn = []
    for name, across, up, title in (
        ("roc", "fpr", "tpr", "ROC on the holdout"),
        ("pr", "recall", "precision", "Precision and recall on the holdout"),
    ):
        curve = holdout.get(name)
        if curve:
            line = list(zip(curve[across], curve[up], strict=True))
            drawn.append((title, chart({title: line}, x=across, y=up, unit=True)))
    return drawn


@cache
def _templates() -> Environment:
    shown: dict[str, Any] = {
        name: getattr(words, name) for name in ("headline", "seconds", "short", "size", "took", "when")
    }
    shown |= {"money": card.money, "number": card.number}
    made = html.environment(Path(__file__).parent, filters=shown)
    made.globals["symbols"] = card.SYMBOLS
    return made
