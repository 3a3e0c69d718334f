"""From rows to what decisions rest on, and the size a retry gets. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from railyard.control.jobs.cost import meter_row
from railyard.control.jobs.states import Clocks, JobFacts
from railyard.spec.records import ComputeClass
from railyard.spec.request import RetryPolicy, memory_bytes


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the operator configured and every decision needs."""

    classes: Mapping[str, ComputeClass]
    clocks: Clocks = field(default_factory=Clocks)


@dataclass(frozen=True, kw_only=True)
class Size:
    """What an attempt of a job gets."""

    compute_resource: str
    cpu: float
    memory_bytes: int
    gpu: int


def facts(row: Any, policy: Policy) -> JobFacts:
    """A row of `store.job_facts` as the facts of a decision."""
    here = policy.classes.get(row.compute_resource)
    maximum = row.max_cost
    return JobFacts(
        state=row.state,
        retry=RetryPolicy.model_validate(row.retry or {}),
        attempt=row.attempt,
        retries=row.retries,
        queued_at=row.not_before or row.created_at,
        not_before=row.not_before,
        cancel_requested=row.cancel_requested_at is not None,
        attempt_started_at=row.attempt_started_at or row.claimed_at,
        timeout_seconds=row.timeout_seconds,
        stop_reason=row.stop_reason,
        next_class=here.next_class if here and here.next_class in policy.classes else None,
        max_cost=Decimal(str(maximum["amount"])) if maximum else None,
        cost=_cost(row, maximum["currency"]) if maximum else None,
    )


def _cost(row: Any, currency: str) -> Decimal | None:
    """What the job has cost in this currency up to the database's now; None where nothing was priced in it."""
    spent: list[Decimal] = []
    if row.cost_amount is not None and row.cost_currency == currency:
        spent.append(row.cost_amount)
    if row.attempt_started_at is not None:
        live = meter_row(row, seconds_between(row.attempt_started_at, row.now))
        if live.amount is not None and live.currency == currency:
            spent.append(live.amount)
    return sum(spent, Decimal(0)) if spent else None


def seconds_between(start: datetime | None, end: datetime) -> float:
    """Seconds from start to end; 0 before a start."""
    return max(0.0, (end - start).total_seconds()) if start else 0.0


def larger_size(row: Any, compute_class: ComputeClass) -> Size:
    """What a retry on another class gets: never less than what the attempt had that ran out of memory."""
    return Size(
        compute_resource=compute_class.name,
        cpu=max(row.cpu, compute_class.cpu),
        memory_bytes=max(row.memory_bytes, memory_bytes(compute_class.memory)),
        gpu=max(row.gpu, compute_class.gpu),
    )
