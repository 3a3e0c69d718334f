"""Jobs: submit, plan, list, look at, cancel, run again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import AwareDatetime, Field

from railyard.control.api import answers, examples
from railyard.control.api.auth import Reader, Submitter
from railyard.control.api.rooms import TheRooms
from railyard.control.intake.cancel import cancel
from railyard.control.intake.plan import plan
from railyard.control.intake.rerun import rerun
from railyard.control.intake.submit import submit
from railyard.control.jobs import read
from railyard.errors import Invalid
from railyard.spec.base import JsonObject, Spec
from railyard.spec.records import Attempt, Event, FieldProblem, Job, Page, Plan
from railyard.spec.states import State

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[str, Path(max_length=64, description="A job's id, or any prefix of it that fits no other.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Items on a page.")]
After = Annotated[str | None, Query(max_length=64, description="`next` of the page before.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=256,
        description="Repeating a call with the same key and body answers with the same job and starts nothing.",
    ),
]


class JobQuery(Spec):
    """Which jobs a list shows. Every filter must hold; one given several times takes any of its values."""

    state: list[State] = Field(default_factory=list)
    reason: list[str] = Field(default_factory=list)
    owner: list[str] = Field(default_factory=list)
    project: list[str] = Field(default_factory=list)
    trainer: list[str] = Field(default_factory=list)
    model_name: list[str] = Field(default_factory=list)
    workflow_name: list[str] = Field(default_factory=list)
    compute_resource: list[str] = Field(default_factory=list)
    node: list[str] = Field(default_factory=list)
    code: list[str] = Field(default_factory=list, description="Ids of code versions.")
    label: list[str] = Field(default_factory=list, description="`name=value`; all of them must hold.")
    since: AwareDatetime | None = Field(None, description="Created at or after this instant.")
    until: AwareDatetime | None = Field(None, description="Created before this instant.")
    q: str | None = Field(None, max_length=128, description="Start of a job's id or of a model's name.")
    after: str | None = Field(None, max_length=64, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=1000, description="Items on a page.")

    def filters(self) -> read.Filters:
        """The same for the jobs room. Raises Invalid for a label without `=`."""
        several = ("state", "reason", "owner", "project", "trainer", "model_name", "workflow_name", "compute_resource")
        given = {name: tuple(getattr(self, name)) for name in (*several, "node", "code")}
        return read.Filters(**given, labels=_labels(self.label), since=self.since, until=self.until, q=self.q)


class Rerun(Spec):
    """What is to be different."""

    overrides: JsonObject = Field(
        default_factory=dict,
        description="A JSON merge patch (RFC 7396) over the request as it was sent.",
        examples=[{"train": {"custom_params": {"max_depth": 8}}}],
    )
    latest: bool = Field(False, description="Run the newest deployed code instead of the code the job was pinned to.")


@router.post(
    "",
    status_code=202,
    operation_id="submit_job",
    summary="Start a training from one request; with ?dry_run=1 only say what it would do",
    response_model=Job | Plan,
    responses=answers.ok(examples.JOB, 202)
    | answers.also(200, Plan, "With dry_run: the plan; nothing was started", examples.PLAN)
    | answers.errors(401, 403, 404, 409, 413, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/TrainingRequest"},
                    "example": examples.REQUEST,
                }
            },
        }
    },
)
async def submit_job(
    caller: Submitter,
    rooms: TheRooms,
    request: Request,
    response: Response,
    dry_run: Annotated[bool, Query(description="Check, estimate and answer; start nothing.")] = False,
    idempotency_key: IdempotencyKey = None,
) -> Job | Plan:
    text = text_of(await request.body())
    if dry_run:
        response.status_code = 200
        return await plan(rooms.known, caller, text)
    job = await submit(rooms.known, caller, text, idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.job_id}"
    return job


def text_of(body: bytes) -> str:
    """The request as text, kept byte for byte. Raises Invalid where it is not UTF-8."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(
            "the request is not UTF-8 text",
            code="invalid_json",
            why=f"byte {error.start} is {body[error.start]:#04x}",
            mend="send JSON in UTF-8",
        ) from None


@router.get(
    "",
    operation_id="list_jobs",
    summary="Jobs, newest first",
    responses=answers.ok({"items": [examples.JOB], "next": "41"}) | answers.errors(401, 403, 422),
)
async def list_jobs(_caller: Reader, rooms: TheRooms, query: Annotated[JobQuery, Query()]) -> Page[Job]:
    return await read.list_jobs(rooms.database, query.filters(), after=query.after, limit=query.limit)


@router.get(
    "/{job_id}",
    operation_id="get_job",
    summary="One job: state, reason, step, metrics, cost",
    responses=answers.ok(examples.JOB) | answers.errors(401, 403, 404, 409, 422),
)
async def get_job(job_id: JobId, _caller: Reader, rooms: TheRooms) -> Job:
    return await read.get(rooms.database, job_id)


@router.get(
    "/{job_id}/request",
    operation_id="get_request",
    summary="The request as it was sent, byte for byte",
    response_class=Response,
    responses=answers.other("application/json", examples.REQUEST) | answers.errors(401, 403, 404, 409, 422),
)
async def get_request(job_id: JobId, _caller: Reader, rooms: TheRooms) -> Response:
    return Response(await read.request_text(rooms.database, job_id), media_type="application/json")


@router.get(
    "/{job_id}/attempts",
    operation_id="list_attempts",
    summary="Every attempt of a job, the first one first",
    responses=answers.ok({"items": [examples.ATTEMPT], "next": None}) | answers.errors(401, 403, 404, 409, 422),
)
async def list_attempts(job_id: JobId, _caller: Reader, rooms: TheRooms) -> Page[Attempt]:
    return Page(items=await read.attempts(rooms.database, job_id))


@router.get(
    "/{job_id}/events",
    operation_id="list_events",
    summary="What happened to a job, oldest first: who moved it, when and why",
    responses=answers.ok({"items": [examples.EVENT], "next": None}) | answers.errors(401, 403, 404, 409, 422),
)
async def list_events(
    job_id: JobId, _caller: Reader, rooms: TheRooms, after: After = None, limit: Limit = 200
) -> Page[Event]:
    page = await read.events(rooms.database, job_id, after=after, limit=limit)
    return page if len(page.items) == limit else page.model_copy(update={"next": None})


@router.post(
    "/{job_id}/cancel",
    status_code=202,
    operation_id="cancel_job",
    summary="Ask a job to end; it is cancelled once nothing of it runs any more",
    responses=answers.ok(examples.JOB | {"state": "cancelled"}, 202) | answers.errors(401, 403, 404, 409, 422),
)
async def cancel_job(job_id: JobId, caller: Submitter, rooms: TheRooms) -> Job:
    return await cancel(rooms.known, caller, job_id)


@router.post(
    "/{job_id}/rerun",
    status_code=202,
    operation_id="rerun_job",
    summary="A new job from the same request, changed by a JSON merge patch",
    responses=answers.ok(examples.JOB | {"rerun_of": "j81f3k2abq"}, 202) | answers.errors(401, 403, 404, 409, 422, 503),
)
async def rerun_job(
    job_id: JobId,
    caller: Submitter,
    rooms: TheRooms,
    response: Response,
    body: Rerun | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Job:
    wanted = body or Rerun()
    job = await rerun(
        rooms.known, caller, job_id, wanted.overrides, latest=wanted.latest, idempotency_key=idempotency_key
    )
    response.headers["Location"] = f"/v1/jobs/{job.job_id}"
    return job


def _labels(given: list[str]) -> dict[str, str]:
    problems = [
        FieldProblem(path=f"query.label[{index}]", expected="name=value", got=text[:120])
        for index, text in enumerate(given)
        if "=" not in text
    ]
    if problems:
        raise Invalid("a label filter is name=value", code="invalid_call", fields=problems, mend="label=team=risk")
    return dict(text.split("=", 1) for text in given)
