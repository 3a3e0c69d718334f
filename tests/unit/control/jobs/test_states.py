"""What should happen to a job, case by case, and over every sequence of events that hypothesis can think of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railyard.control.jobs.retries import backoff_seconds, retries_allowed
from railyard.control.jobs.states import (
    ALLOWED,
    TRANSITIONS,
    Alive,
    CancelAsked,
    CannotStart,
    Claimed,
    Clocks,
    Committed,
    Decision,
    Failed,
    Gone,
    JobFacts,
    Looked,
    Move,
    Note,
    Observation,
    Reported,
    Stay,
    Stop,
    Unseen,
    decide,
    diagram,
    is_end_of_attempt,
    table,
)
from railyard.spec.reasons import END_REASONS, RETRY_BUDGETS, RetryBudget
from railyard.spec.request import OutOfMemoryRetry, RetryPolicy
from railyard.spec.result import ErrorReport
from railyard.spec.states import FINAL_STATES, STATES

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CLOCKS = Clocks(queue_timeout_seconds=3600, retry_wait_seconds=5, timeout_slack_seconds=15)
NO_RETRIES = RetryPolicy(infrastructure=0, preempted=0)


def facts(**changes: Any) -> JobFacts:
    values: dict[str, Any] = {
        "state": "running", "retry": RetryPolicy(), "attempt": 1, "queued_at": NOW, "timeout_seconds": 100,
        "attempt_started_at": NOW,
    }  # fmt: skip
    return JobFacts(**{**values, **changes})


def seen_at(job: JobFacts, seen: Observation, now: datetime = NOW) -> Decision:
    return decide(job, seen, now, CLOCKS)


def told(code: str = "user_code") -> Failed:
    return Failed(ErrorReport(code=code, message=f"it was {code}"))  # type: ignore[arg-type]


def ended(job: JobFacts, seen: Observation, now: datetime = NOW) -> Move:
    decision = seen_at(job, seen, now)
    assert isinstance(decision, Move)
    return decision


def test_every_state_is_reached_and_only_final_ones_are_never_left() -> None:
    assert {row.to_state for row in TRANSITIONS} == set(STATES)
    assert {row.from_state for row in TRANSITIONS} == (set(STATES) - FINAL_STATES) | {None}
    assert len(ALLOWED) == len(TRANSITIONS)


@pytest.mark.parametrize("state", ["queued", "starting", "running"])
def test_what_cannot_be_seen_changes_nothing(state: str) -> None:
    assert seen_at(facts(state=state, cancel_requested=True), Unseen()) == Stay()


def test_a_claimed_job_starts_and_one_that_waits_for_a_retry_does_not() -> None:
    queued = facts(state="queued", attempt=0, attempt_started_at=None)
    assert ended(queued, Claimed()).to_state == "starting"
    waiting = replace(queued, not_before=NOW + timedelta(seconds=1))
    assert seen_at(waiting, Claimed()) == Stay()
    assert ended(waiting, Claimed(), NOW + timedelta(seconds=1)).to_state == "starting"


def test_a_queued_job_fails_when_it_can_never_start() -> None:
    queued = facts(state="queued", attempt=0)
    broken = ended(queued, CannotStart("runtime_build", "uv says no", "loosen the pin"))
    assert (broken.to_state, broken.reason, broken.message) == ("failed", "runtime_build", "uv says no")
    late = ended(queued, Looked(), NOW + timedelta(seconds=3601))
    assert (late.to_state, late.reason) == ("failed", "queue_timeout")
    assert seen_at(queued, Looked(), NOW + timedelta(seconds=3600)) == Stay()


def test_a_job_whose_budget_is_spent_is_not_started_again() -> None:
    queued = facts(state="queued", max_cost=Decimal(2), cost=Decimal(2))
    assert ended(queued, Claimed()).reason == "budget"
    assert ended(replace(queued, cost=Decimal("1.99")), Claimed()).to_state == "starting"
    assert ended(replace(queued, cost=None), Claimed()).to_state == "starting"


def test_cancel_is_at_once_when_queued_and_only_noted_when_active() -> None:
    assert ended(facts(state="queued", attempt=0), CancelAsked()).to_state == "cancelled"
    assert seen_at(facts(), CancelAsked()) == Note()
    assert seen_at(facts(cancel_requested=True), CancelAsked()) == Stay()


def test_a_cancelled_attempt_is_stopped_while_it_lives_and_cancelled_when_gone() -> None:
    job = facts(cancel_requested=True)
    assert seen_at(job, Alive()) == Stop("cancelled_by_user")
    assert seen_at(job, told()) == Stay()
    assert ended(job, Gone()).to_state == "cancelled"
    assert ended(job, Committed()).to_state == "succeeded"


def test_an_attempt_over_its_time_is_stopped_after_the_runner_had_its_chance() -> None:
    assert seen_at(facts(), Alive(), NOW + timedelta(seconds=115)) == Stay()
    assert seen_at(facts(), Alive(), NOW + timedelta(seconds=116)) == Stop("timeout")
    assert seen_at(facts(attempt_started_at=None), Alive(), NOW + timedelta(days=9)) == Stay()


@pytest.mark.parametrize("seen", [Gone({"signal": 9}), told("cancelled_by_user")])
def test_an_attempt_that_the_platform_stopped_ends_for_the_platforms_reason(seen: Observation) -> None:
    move = ended(facts(stop_reason="timeout", retry=NO_RETRIES), seen)
    assert (move.to_state, move.reason) == ("failed", "timeout")
    assert ended(facts(stop_reason="timeout", retry=NO_RETRIES), told("bad_label")).reason == "bad_label"


def test_a_runner_ended_by_a_stranger_is_lost_not_cancelled() -> None:
    assert ended(facts(retry=NO_RETRIES), told("cancelled_by_user")).reason == "lost"


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        ({}, "lost"),
        ({"exit_code": 0}, "lost"),
        ({"signal": 9}, "lost"),
        ({"exit_code": 137}, "lost"),
        ({"out_of_memory": True, "signal": 9}, "out_of_memory"),
        ({"preempted": True}, "preempted"),
        ({"node_lost": True}, "node_lost"),
        ({"signal": 11}, "user_code"),
        ({"exit_code": 139}, "user_code"),
        ({"exit_code": 3}, "user_code"),
        ({"exit_code": None, "signal": None}, "lost"),
    ],
)
def test_the_reason_of_a_silent_end_comes_from_the_evidence(evidence: dict[str, Any], reason: str) -> None:
    move = ended(facts(retry=NO_RETRIES), Gone(evidence))
    assert (move.to_state, move.reason) == ("failed", reason)
    assert move.error is not None
    assert move.error.evidence == evidence


def test_out_of_memory_tells_peak_and_limit() -> None:
    move = ended(facts(retry=NO_RETRIES), Gone({"out_of_memory": True, "peak_memory": 2**30, "memory_limit": 2**30}))
    assert move.message == "the attempt was killed for memory: it used 1024 MiB of 1024 MiB"


def test_the_platforms_faults_never_eat_the_users_retries() -> None:
    job = facts(retry=RetryPolicy(user_code=1, infrastructure=1))
    lost = ended(job, Gone())
    assert (lost.to_state, lost.budget) == ("queued", "infrastructure")
    again = replace(job, retries={"infrastructure": 1})
    assert ended(again, Gone()).to_state == "failed"
    assert ended(again, told("user_code")).budget == "user_code"


def test_a_retry_waits_longer_each_time_to_ten_minutes() -> None:
    assert [backoff_seconds(used, 5) for used in (0, 1, 2, 7, 10**6)] == [5, 10, 20, 600, 600]
    assert backoff_seconds(3, 0) == 0
    move = ended(facts(retries={"infrastructure": 2}), Gone())
    assert move.not_before == NOW + timedelta(seconds=20)
    assert move.message == "attempt 1 ended: lost; tried again in 20 s (retry 3 of 5, budget infrastructure)"


def test_out_of_memory_moves_to_the_next_class_only_where_the_request_lets_it() -> None:
    policy = RetryPolicy(out_of_memory=OutOfMemoryRetry(max=1))
    assert ended(facts(retry=policy, next_class="HIGH_MEMORY"), told("out_of_memory")).next_class == "HIGH_MEMORY"
    assert ended(facts(retry=policy), told("out_of_memory")).next_class is None
    stays = RetryPolicy(out_of_memory=OutOfMemoryRetry(max=1, next_class=False))
    assert ended(facts(retry=stays, next_class="HIGH_MEMORY"), told("out_of_memory")).next_class is None
    assert ended(facts(retry=RetryPolicy(user_code=1), next_class="X"), told()).next_class is None
    assert ended(facts(), told("out_of_memory")).to_state == "failed"


@pytest.mark.parametrize("reason", END_REASONS)
def test_every_reason_has_a_budget_and_without_one_left_the_job_fails(reason: str) -> None:
    if reason == "cancelled_by_user":
        return
    move = ended(facts(retry=NO_RETRIES), told(reason))
    assert (move.to_state, move.reason) == ("failed", reason)


@pytest.mark.parametrize("budget", get_args(RetryBudget))
def test_every_budget_is_known(budget: RetryBudget) -> None:
    allowed = retries_allowed(RetryPolicy(), budget)
    assert allowed is None or allowed >= 0


def test_the_docs_are_drawn_from_the_table() -> None:
    assert "| `queued` → `starting` | schedule | capacity and quota are claimed; the attempt row exists |" in table()
    assert table().count("\n") == len(TRANSITIONS) + 2
    drawn = diagram()
    assert drawn.startswith("stateDiagram-v2\n    [*] --> queued: submit\n")
    assert "    running --> succeeded: runner\n" in drawn


REPORTS = st.sampled_from(END_REASONS).map(lambda code: Failed(ErrorReport(code=code, message="m")))
EVIDENCE = st.fixed_dictionaries(
    {},
    optional={
        "exit_code": st.integers(-1, 300), "signal": st.none() | st.integers(1, 64), "out_of_memory": st.booleans(),
        "preempted": st.booleans(), "node_lost": st.booleans(),
    },
)  # fmt: skip
EVENTS = st.one_of(
    st.sampled_from([Looked(), Claimed(), Reported(), Committed(), Alive(), Unseen(), CancelAsked()]),
    st.sampled_from(END_REASONS).map(lambda reason: CannotStart(reason, "m")),
    REPORTS,
    EVIDENCE.map(Gone),
)


def applied(job: JobFacts, decision: Decision, now: datetime) -> JobFacts:
    """What the store makes of a decision."""
    if isinstance(decision, Note):
        return replace(job, cancel_requested=True)
    if isinstance(decision, Stop):
        return replace(job, stop_reason=job.stop_reason or decision.reason)
    if isinstance(decision, Stay):
        return job
    changes: dict[str, Any] = {"state": decision.to_state}
    if decision.to_state == "starting":
        changes |= {"attempt": job.attempt + 1, "attempt_started_at": now, "stop_reason": None, "not_before": None}
    if decision.budget:
        changes |= {"retries": {**job.retries, decision.budget: job.retries.get(decision.budget, 0) + 1}}
        changes |= {"not_before": decision.not_before, "queued_at": decision.not_before}
    return replace(job, **changes)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(EVENTS, st.floats(0, 400)), max_size=60),
    st.builds(
        RetryPolicy, user_code=st.integers(0, 3), infrastructure=st.integers(0, 3), preempted=st.integers(0, 3),
        out_of_memory=st.builds(OutOfMemoryRetry, max=st.integers(0, 2)),
    ),
)  # fmt: skip
def test_no_final_state_is_ever_left_whatever_happens(
    events: list[tuple[Observation, float]], retry: RetryPolicy
) -> None:
    now, job = NOW, facts(state="queued", attempt=0, attempt_started_at=None, retry=retry)
    for seen, seconds in events:
        now += timedelta(seconds=seconds)
        decision = seen_at(job, seen, now)
        if job.state in FINAL_STATES:
            assert decision == Stay()
        if isinstance(decision, Move):
            assert (job.state, decision.to_state) in ALLOWED
            if decision.to_state == "failed":
                assert decision.reason in END_REASONS
            if decision.to_state == "cancelled":
                assert job.cancel_requested or isinstance(seen, CancelAsked)
            if is_end_of_attempt(job.state, decision.to_state) and decision.to_state == "queued":
                assert decision.error is not None
                allowed = retries_allowed(retry, RETRY_BUDGETS[decision.error.code])
                assert allowed is None or job.retries.get(str(decision.budget), 0) < allowed
        if isinstance(decision, Stop):
            assert job.state in ("starting", "running")
        job = applied(job, decision, now)
    assert job.attempt <= 1 + sum(job.retries.values())
