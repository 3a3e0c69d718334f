"""Carries out a decision about one job: the shared step between `decide` and `store.move`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from railyard.control.jobs import store
from railyard.control.jobs.facts import Policy, facts, larger_size
from railyard.control.jobs.states import Decision, Move, Observation, decide
from railyard.spec.states import State

KINDS: Mapping[State, str] = {
    "queued": "retried",
    "starting": "claimed",
    "running": "started",
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""The kind of the event that each transition leaves."""


async def consider(
    connection: AsyncConnection,
    row: Any,
    seen: Observation,
    policy: Policy,
    *,
    by: str,
    values: Mapping[str, Any] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> tuple[Decision, bool]:
    """Decides about the job in `row` (from `store.job_facts`) and carries out a move.

    Answers the decision and whether it was a move that happened: False where somebody else moved the job first.
    """
    decision = decide(facts(row, policy), seen, row.now, policy.clocks)
    if not isinstance(decision, Move):
        return decision, False
    size = larger_size(row, policy.classes[decision.next_class]) if decision.next_class else None
    moved = await store.move(
        connection, row, decision, by=by, kind=KINDS[decision.to_state], values=values, size=size, detail=detail
    )
    return decision, moved
