"""What a request would run, read, take and cost, said before anything is started."""

from __future__ import annotations

from decimal import Decimal

from railyard.control.executors.places import Broken, Place
from railyard.control.intake import checks, store
from railyard.control.intake.access import data_access
from railyard.control.intake.caller import Caller
from railyard.control.intake.known import Known
from railyard.control.intake.params import check_params
from railyard.control.intake.prepare import Prepared, prepare
from railyard.control.jobs.cost import meter, total
from railyard.errors import Invalid, RailyardError
from railyard.spec.attempt import CodeRef, PlanAnswer, PlanQuestion
from railyard.spec.base import Money, dump
from railyard.spec.records import Plan
from railyard.spec.result import ErrorReport
from railyard.validation import parse_request

ASK_SECONDS = 10.0
"""How long the look at the sources may take."""
_UNSEEN = PlanAnswer(columns={}, rows_total=None, rows_estimated=None, bytes_estimated=None, files=0)


async def plan(known: Known, caller: Caller, text: str) -> Plan:
    """Checks a request as `submit` does, looks at its sources without reading data, and estimates from earlier jobs.

    Raises what `submit` raises, and Invalid with the runner's own code where the sources do not fit the request.
    """
    caller.require("submit")
    prepared = await prepare(known, caller, parse_request(text))
    answer, warnings = await _look(known, prepared)
    if answer.error is not None:
        raise _refused(answer.error)
    check_params(answer.param_schema, prepared.request.train.custom_params)
    request, size = prepared.request, prepared.size
    async with known.database.transaction() as connection:
        seconds, jobs_seen = await store.earlier(connection, request.train.workflow_name)
        ahead = await store.ahead(connection, request.compute_resource, request.priority)
    cost = estimated(prepared, seconds)
    return Plan(
        resolved_request=dump(request),
        code=prepared.code.code_id,
        compute_resource=request.compute_resource,
        cpu=size.cpu,
        memory_bytes=size.memory_bytes,
        columns=answer.columns,
        rows_total=answer.rows_total,
        rows_estimated=answer.rows_estimated,
        bytes_estimated=answer.bytes_estimated,
        seconds_estimated=seconds,
        jobs_seen=jobs_seen,
        cost=cost,
        queue_position=ahead + 1,
        warnings=(*checks.warnings(request, prepared.code), *over_budget(prepared, cost), *warnings),
    )


async def _look(known: Known, prepared: Prepared) -> tuple[PlanAnswer, tuple[str, ...]]:
    """The runner's answer about the sources; an empty one with the reason where it cannot be had now."""
    place = await known.places.place(prepared.code.code_id)
    if isinstance(place, Broken):
        raise Invalid("the code's runtime cannot be built", code="runtime_build", why=place.message, mend=place.mend)
    if not isinstance(place, Place):
        return _UNSEEN, (f"{place.message}: the sources were not looked at; plan again when it is ready",)
    question = PlanQuestion(
        request=prepared.request,
        code=CodeRef(
            code_id=prepared.code.code_id,
            folder=place.folder,
            project=place.project,
            git_sha=place.git_sha,
            dirty=place.dirty,
            runtime=place.runtime.key,
        ),
        data=data_access(prepared.request, known.settings()),
    )
    try:
        found = await known.executor.ask(place.runtime, "plan", dump(question), timeout_seconds=ASK_SECONDS)
    except RailyardError as error:
        return _UNSEEN, (f"the sources were not looked at: {error.message}",)
    return PlanAnswer.model_validate(found), ()


def estimated(prepared: Prepared, seconds: float | None) -> Money:
    """Money for one attempt of this length; unpriced where length or price is unknown."""
    if seconds is None:
        return Money()
    size = prepared.size
    metered = meter(
        cpu=size.cpu, memory_bytes=size.memory_bytes, gpu=size.gpu, price=size.compute_class.price, seconds=seconds
    )
    cost = total([metered])
    return cost.model_copy(update={"basis": "estimated"}) if cost.amount is not None else cost


def over_budget(prepared: Prepared, cost: Money) -> tuple[str, ...]:
    """A word where the estimate is above the request's own limit, or cannot be compared with it."""
    limit = prepared.request.max_cost
    if limit is None:
        return ()
    if cost.amount is None or cost.currency != limit.currency:
        return (
            "max_cost cannot be held against an estimate: the class has no price in its currency, or no job ran before",
        )
    if cost.amount > Decimal(str(limit.amount)):
        return (f"the estimate {cost.amount} {cost.currency} is above max_cost {limit.amount:g} {limit.currency}",)
    return ()


def _refused(report: ErrorReport) -> RailyardError:
    return Invalid(
        report.message, code=report.code, why=f"found in step {report.step}" if report.step else "", mend=report.mend,
        detail=report.evidence,
    )  # fmt: skip
