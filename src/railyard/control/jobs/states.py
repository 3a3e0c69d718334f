"""What may happen to a job, as data, and what should happen to it, as a pure function.

`TRANSITIONS` is the whole life of a job. `decide` turns facts and one observation into one decision; it reads no
clock, no database and no network. Whoever carries a decision out does so by compare-and-set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from railyard.control.jobs.retries import backoff_seconds, retries_allowed
from railyard.spec.reasons import RETRY_BUDGETS, EndReason, RetryBudget, WaitReason
from railyard.spec.request import RetryPolicy
from railyard.spec.result import ErrorReport
from railyard.spec.states import ACTIVE_STATES, FINAL_STATES, State


@dataclass(frozen=True)
class Transition:
    """One arrow of the state diagram."""

    from_state: State | None
    to_state: State
    by: tuple[str, ...]
    """The duties and doors that may carry it out."""
    when: str


_TRY_AGAIN = "the attempt ended for a reason whose retry budget is not spent"
_NO_BUDGET = "the attempt ended and no retry budget is left"
_NOTHING_RUNS = "cancel was requested and nothing runs any more"
_CANNOT_START = "it can never start: queue timeout, runtime cannot be built, too large, budget spent"

TRANSITIONS: tuple[Transition, ...] = (
    Transition(None, "queued", ("submit",), "a valid request was accepted"),
    Transition("queued", "starting", ("schedule",), "capacity and quota are claimed; the attempt row exists"),
    Transition("queued", "failed", ("schedule",), _CANNOT_START),
    Transition("queued", "cancelled", ("submit",), "cancel was requested and nothing runs"),
    Transition("starting", "running", ("runner",), "the runner reported for the first time"),
    Transition("starting", "succeeded", ("runner",), "the result was accepted although the first report was lost"),
    Transition("running", "succeeded", ("runner",), "the result was accepted; it beats a pending cancel"),
    Transition("starting", "queued", ("runner", "reconcile", "rescue"), _TRY_AGAIN),
    Transition("running", "queued", ("runner", "reconcile", "rescue"), _TRY_AGAIN),
    Transition("starting", "failed", ("runner", "reconcile", "rescue"), _NO_BUDGET),
    Transition("running", "failed", ("runner", "reconcile", "rescue"), _NO_BUDGET),
    Transition("starting", "cancelled", ("reconcile", "rescue"), _NOTHING_RUNS),
    Transition("running", "cancelled", ("reconcile", "rescue"), _NOTHING_RUNS),
)
ALLOWED = frozenset((transition.from_state, transition.to_state) for transition in TRANSITIONS)


@dataclass(frozen=True, kw_only=True)
class JobFacts:
    """What a decision rests on: one row of jobs with its current attempt."""

    state: State
    retry: RetryPolicy
    attempt: int = 0
    retries: Mapping[str, int] = field(default_factory=dict)
    """Retries used, by budget."""
    queued_at: datetime
    """Since when it could have started: submit, or the end of the last wait for a retry."""
    not_before: datetime | None = None
    cancel_requested: bool = False
    attempt_started_at: datetime | None = None
    """First report of the current attempt, or its claim before that."""
    timeout_seconds: float
    stop_reason: EndReason | None = None
    """Why the platform has already asked the current attempt to end."""
    next_class: str | None = None
    """Where an out-of-memory retry goes."""
    max_cost: Decimal | None = None
    cost: Decimal | None = None
    """So far, in the currency of `max_cost`; None where there is no price."""


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """The configured waits, in seconds."""

    queue_timeout_seconds: float = 7 * 86400.0
    retry_wait_seconds: float = 5.0
    timeout_slack_seconds: float = 15.0
    """The runner ends an attempt at its timeout by itself and knows more; only after this is it ended from outside."""


@dataclass(frozen=True)
class Looked:
    """The schedule duty looks at a queued job."""


@dataclass(frozen=True)
class Claimed:
    """Capacity is there and the job is next."""


@dataclass(frozen=True)
class CannotStart:
    """It can never start."""

    reason: EndReason
    message: str
    mend: str = ""


@dataclass(frozen=True)
class Reported:
    """The runner's first report."""


@dataclass(frozen=True)
class Committed:
    """The runner delivered a result that holds."""


@dataclass(frozen=True)
class Failed:
    """The runner says that and why the attempt ended."""

    report: ErrorReport


@dataclass(frozen=True)
class Alive:
    """The executor sees the attempt."""


@dataclass(frozen=True)
class Gone:
    """The executor is sure that the attempt is no more; evidence as in executors.base.Observation."""

    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Unseen:
    """The executor could not be asked: this says nothing about the job."""


@dataclass(frozen=True)
class CancelAsked:
    """A user wants the job to end."""


Observation = Looked | Claimed | CannotStart | Reported | Committed | Failed | Alive | Gone | Unseen | CancelAsked


@dataclass(frozen=True)
class Stay:
    """Nothing is to be done."""


@dataclass(frozen=True)
class Note:
    """The cancel request is written down; the job goes on until nothing runs."""


@dataclass(frozen=True)
class Stop:
    """The executor is to end the attempt; `reason` is written down first."""

    reason: EndReason


@dataclass(frozen=True, kw_only=True)
class Move:
    """The job changes its state."""

    to_state: State
    reason: EndReason | WaitReason | None = None
    message: str | None = None
    error: ErrorReport | None = None
    """Of the attempt that ended."""
    not_before: datetime | None = None
    budget: RetryBudget | None = None
    """The budget a retry draws on."""
    next_class: str | None = None
    """The class a retry moves to."""


Decision = Stay | Note | Stop | Move


def decide(job: JobFacts, seen: Observation, now: datetime, clocks: Clocks) -> Decision:
    """What should happen to a job, given one observation. A final job stays as it is, whatever is seen."""
    if job.state in FINAL_STATES or isinstance(seen, Unseen):
        return Stay()
    if job.state == "queued":
        return _decide_queued(job, seen, now, clocks)
    return _decide_active(job, seen, now, clocks)


def _decide_queued(job: JobFacts, seen: Observation, now: datetime, clocks: Clocks) -> Decision:
    if isinstance(seen, CancelAsked) or job.cancel_requested:
        return _cancelled(None)
    if isinstance(seen, CannotStart):
        report = ErrorReport(code=seen.reason, message=seen.message, mend=seen.mend)
        return Move(to_state="failed", reason=seen.reason, message=seen.message, error=report)
    if job.max_cost is not None and job.cost is not None and job.cost >= job.max_cost:
        return _over_budget(job)
    if now - job.queued_at > timedelta(seconds=clocks.queue_timeout_seconds):
        message = f"it waited longer than the queue timeout of {clocks.queue_timeout_seconds:.0f} s"
        report = ErrorReport(
            code="queue_timeout",
            message=message,
            mend="ask for less, or for a class with free capacity: railyard compute list",
        )
        return Move(to_state="failed", reason="queue_timeout", message=message, error=report)
    if isinstance(seen, Claimed) and (job.not_before is None or job.not_before <= now):
        return Move(to_state="starting")
    return Stay()


def _decide_active(job: JobFacts, seen: Observation, now: datetime, clocks: Clocks) -> Decision:
    if isinstance(seen, Committed):
        return Move(to_state="succeeded")
    if isinstance(seen, Reported):
        return Move(to_state="running") if job.state == "starting" else Stay()
    if isinstance(seen, CancelAsked):
        return Stay() if job.cancel_requested else Note()
    if isinstance(seen, Alive):
        return _decide_alive(job, now, clocks)
    if isinstance(seen, Failed):
        # Only what the executor sees gone is over: until then a cancelled job keeps its place and its capacity.
        return Stay() if job.cancel_requested else _ended(job, _told(job, seen.report), now, clocks)
    if isinstance(seen, Gone):
        if job.cancel_requested:
            return _cancelled(job.attempt)
        return _ended(job, _inferred(job, seen.evidence), now, clocks)
    return Stay()


def _decide_alive(job: JobFacts, now: datetime, clocks: Clocks) -> Decision:
    if job.cancel_requested:
        return Stop("cancelled_by_user")
    if job.stop_reason is not None:
        return Stop(job.stop_reason)
    started = job.attempt_started_at
    if started is not None and now - started > timedelta(seconds=job.timeout_seconds + clocks.timeout_slack_seconds):
        return Stop("timeout")
    return Stay()


def _cancelled(attempt: int | None) -> Move:
    message = f"cancelled while attempt {attempt} was at work" if attempt else "cancelled before it started"
    return Move(to_state="cancelled", reason="cancelled_by_user", message=message)


def _over_budget(job: JobFacts) -> Move:
    message = f"its attempts cost {job.cost:.4f}, and max_cost is {job.max_cost}"
    report = ErrorReport(code="budget", message=message, mend="raise max_cost, or make the training smaller")
    return Move(to_state="failed", reason="budget", message=message, error=report)


def _ended(job: JobFacts, report: ErrorReport, now: datetime, clocks: Clocks) -> Move:
    """An attempt is over: try again where the budget of its reason allows, else the job fails."""
    budget = RETRY_BUDGETS[report.code]
    used = job.retries.get(budget, 0)
    allowed = retries_allowed(job.retry, budget)
    if allowed is not None and used >= allowed:
        return Move(to_state="failed", reason=report.code, message=report.message, error=report)
    wait = backoff_seconds(used, clocks.retry_wait_seconds)
    follow = job.next_class if budget == "out_of_memory" and job.retry.out_of_memory.next_class else None
    count = "any number" if allowed is None else str(allowed)
    where = f" on {follow}" if follow else ""
    return Move(
        to_state="queued",
        reason="waiting_retry",
        message=f"attempt {job.attempt} ended: {report.code}; tried again{where} in {wait:.0f} s "
        f"(retry {used + 1} of {count}, budget {budget})",
        error=report,
        not_before=now + timedelta(seconds=wait),
        budget=budget,
        next_class=follow,
    )


def _told(job: JobFacts, report: ErrorReport) -> ErrorReport:
    """The runner's word, unless the platform had ended the attempt, which the runner cannot know the reason of."""
    if job.stop_reason is not None and report.code == "cancelled_by_user":
        return _stopped(job, job.stop_reason, report.evidence)
    if report.code == "cancelled_by_user":
        message = "the attempt was told to end, and not by Railyard"
        return report.model_copy(update={"code": "lost", "message": message})
    return report


def _stopped(job: JobFacts, reason: EndReason, evidence: Mapping[str, Any]) -> ErrorReport:
    if reason == "timeout":
        message = f"the attempt ran longer than timeout_seconds, {job.timeout_seconds:.0f} s, and was ended"
        mend = "raise timeout_seconds, or make the training smaller"
    else:
        message, mend = f"the attempt was ended: {reason}", ""
    return ErrorReport(code=reason, message=message, mend=mend, evidence=dict(evidence))


_CRASHES = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV"}
"""Signals by which a program ends through what it did itself."""


def _inferred(job: JobFacts, evidence: Mapping[str, Any]) -> ErrorReport:
    """Why an attempt ended that did not say it, from what the executor knows."""
    if job.stop_reason is not None:
        return _stopped(job, job.stop_reason, evidence)
    code: EndReason
    exit_code, signal = evidence.get("exit_code"), evidence.get("signal")
    if signal is None and isinstance(exit_code, int) and exit_code > 128:
        signal = exit_code - 128
    if evidence.get("out_of_memory"):
        peak, limit = evidence.get("peak_memory"), evidence.get("memory_limit")
        used = f": it used {_mebibytes(peak)} of {_mebibytes(limit)}" if peak and limit else ""
        code, message = "out_of_memory", f"the attempt was killed for memory{used}"
        mend = "ask for more with resources.memory, or allow retry.out_of_memory on the next class"
    elif evidence.get("preempted"):
        code, message, mend = "preempted", "the node was taken away from the attempt", ""
    elif evidence.get("node_lost"):
        code, message, mend = "node_lost", "the node of the attempt does not answer any more", ""
    elif signal in _CRASHES:
        code, message = "user_code", f"the program crashed with {_CRASHES[signal]}"
        mend = "the log's last lines show where; native libraries crash like this"
    elif isinstance(exit_code, int) and 0 < exit_code <= 128:
        code, message = "user_code", f"the program ended with exit code {exit_code} and told no result"
        mend = "the log's last lines show where"
    else:
        how = f" (signal {signal})" if signal else ""
        code, message = "lost", f"the attempt disappeared without a word{how}"
        mend = "the platform tries again by itself; the log's last lines may tell more"
    return ErrorReport(code=code, message=message, mend=mend, evidence=dict(evidence))


def _mebibytes(amount: float) -> str:
    return f"{amount / 2**20:.0f} MiB"


def table() -> str:
    """The transitions as a Markdown table, for the docs."""
    lines = ["| From → to | Moved by | When |", "|---|---|---|"]
    for row in TRANSITIONS:
        start = f"`{row.from_state}`" if row.from_state else "–"
        lines.append(f"| {start} → `{row.to_state}` | {', '.join(row.by)} | {row.when} |")
    return "\n".join(lines) + "\n"


def diagram() -> str:
    """The transitions as a mermaid state diagram, for the docs."""
    lines = ["stateDiagram-v2"]
    for row in TRANSITIONS:
        lines.append(f"    {row.from_state or '[*]'} --> {row.to_state}: {', '.join(row.by)}")
    lines += [f"    {state} --> [*]" for state in sorted(FINAL_STATES)]
    return "\n".join(lines) + "\n"


Ending = Literal["succeeded", "failed", "cancelled"]


def attempt_ending(move: Move) -> Ending:
    """The final state of an attempt whose job moves on: a retry's attempt failed too."""
    if move.to_state == "succeeded" or move.to_state == "cancelled":
        return move.to_state
    return "failed"


def is_end_of_attempt(from_state: State, to_state: State) -> bool:
    """Whether a transition ends the current attempt."""
    return from_state in ACTIVE_STATES and to_state not in ACTIVE_STATES
