"""Who is next: priority, then fair share, then age, within capacity and quota. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from railyard.control.executors.base import Capacity
from railyard.spec.reasons import EndReason, WaitReason
from railyard.spec.records import ComputeClass

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Waiter:
    """A queued job that could start now."""

    job_id: str
    owner: str
    compute_resource: str
    cpu: float
    memory_bytes: int
    gpu: int
    priority: int
    seq: int
    waited_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the active attempts of one owner in one class hold together."""

    owner: str
    compute_resource: str
    attempts: int
    cpu: float
    memory_bytes: int
    gpu: int


@dataclass(frozen=True)
class Claim:
    job_id: str


@dataclass(frozen=True)
class Wait:
    job_id: str
    reason: WaitReason
    message: str


@dataclass(frozen=True)
class Never:
    job_id: str
    reason: EndReason
    message: str
    mend: str


Verdict = Claim | Wait | Never


@dataclass(frozen=True, kw_only=True)
class Rules:
    capacity: Capacity
    classes: Mapping[str, ComputeClass]
    per_owner: int | None = None
    """Most attempts of one owner at once."""
    patience_seconds: float = 300.0
    """A job that has waited for capacity this long lets no other pass, so that small jobs cannot starve a large one."""


def share(waiting: Iterable[Waiter], held: Iterable[Held], rules: Rules) -> list[Verdict]:
    """One verdict for every waiter, in the order in which they were considered.

    Of equal priority the owner with the fewest active attempts comes next; an owner's own jobs keep their order.
    """
    use = _Use(held)
    lines = _lines(waiting)
    verdicts: list[Verdict] = []
    for priority in sorted(lines, reverse=True):
        owners, newest = lines[priority], -1
        while owners:
            owner = min(owners, key=lambda name: (use.of_owner[name], owners[name][0].seq))
            waiter = owners[owner].popleft()
            if not owners[owner]:
                del owners[owner]
            verdict = _judge(waiter, use, rules, overtaken=waiter.seq < newest)
            if isinstance(verdict, Claim):
                use.take(waiter)
                newest = max(newest, waiter.seq)
            elif verdict.reason in CAPACITY_REASONS and waiter.waited_seconds > rules.patience_seconds:
                use.kept_for = use.kept_for or waiter.job_id
            verdicts.append(verdict)
    return verdicts


CAPACITY_REASONS = frozenset({"waiting_capacity", "waiting_fair_share"})
"""Of a job that waits for room; which of the two it is may change with every run."""


class _Use:
    """What is in use, kept up to date while claims are made."""

    def __init__(self, held: Iterable[Held]) -> None:
        self.cpu, self.memory_bytes, self.gpu = 0.0, 0, 0
        self.of_owner: defaultdict[str, int] = defaultdict(int)
        self.of_class: defaultdict[str, int] = defaultdict(int)
        self.kept_for: str | None = None
        """The job that has waited so long that what comes free is kept for it."""
        for part in held:
            self.cpu += part.cpu
            self.memory_bytes += part.memory_bytes
            self.gpu += part.gpu
            self.of_owner[part.owner] += part.attempts
            self.of_class[part.compute_resource] += part.attempts

    def take(self, waiter: Waiter) -> None:
        self.cpu += waiter.cpu
        self.memory_bytes += waiter.memory_bytes
        self.gpu += waiter.gpu
        self.of_owner[waiter.owner] += 1
        self.of_class[waiter.compute_resource] += 1


def _lines(waiting: Iterable[Waiter]) -> dict[int, dict[str, deque[Waiter]]]:
    """Waiters by priority and owner, oldest first."""
    lines: defaultdict[int, defaultdict[str, deque[Waiter]]] = defaultdict(lambda: defaultdict(deque))
    for waiter in sorted(waiting, key=lambda found: found.seq):
        lines[waiter.priority][waiter.owner].append(waiter)
    return {priority: dict(owners) for priority, owners in lines.items()}


def _judge(waiter: Waiter, use: _Use, rules: Rules, *, overtaken: bool) -> Verdict:
    total = rules.capacity
    compute_class = rules.classes.get(waiter.compute_resource)
    if compute_class is None:
        message = f"the class {waiter.compute_resource} is not configured on this server"
        return Wait(waiter.job_id, "waiting_capacity", message)
    if waiter.cpu > total.cpu or waiter.memory_bytes > total.memory_bytes or waiter.gpu > total.gpu:
        message = f"it needs {_size(waiter.cpu, waiter.memory_bytes, waiter.gpu)}; all there is: {_all(total)}"
        mend = "ask for less with resources, or choose a smaller class: railyard compute list"
        return Never(waiter.job_id, "unschedulable", message, mend)
    if rules.per_owner is not None and use.of_owner[waiter.owner] >= rules.per_owner:
        message = f"{waiter.owner} has {use.of_owner[waiter.owner]} of {rules.per_owner} attempts at work"
        return Wait(waiter.job_id, "waiting_quota", message)
    if compute_class.slots is not None and use.of_class[waiter.compute_resource] >= compute_class.slots:
        used = use.of_class[waiter.compute_resource]
        message = f"the class {waiter.compute_resource} has {used} of {compute_class.slots} slots in use"
        return Wait(waiter.job_id, "waiting_quota", message)
    if use.kept_for is not None:
        message = f"{use.kept_for} has waited longer, and what comes free is kept for it"
        return Wait(waiter.job_id, "waiting_capacity", message)
    free = Capacity(
        cpu=total.cpu - use.cpu, memory_bytes=total.memory_bytes - use.memory_bytes, gpu=total.gpu - use.gpu
    )
    # Cores are added up as floats: a hair too little is enough.
    if waiter.cpu > free.cpu + 1e-9 or waiter.memory_bytes > free.memory_bytes or waiter.gpu > free.gpu:
        needs = f"it needs {_size(waiter.cpu, waiter.memory_bytes, waiter.gpu)}; free: {_free(free, total)}"
        if overtaken:
            message = (
                f"owners with fewer attempts than {waiter.owner} ({use.of_owner[waiter.owner]}) come first; {needs}"
            )
            return Wait(waiter.job_id, "waiting_fair_share", message)
        return Wait(waiter.job_id, "waiting_capacity", needs)
    return Claim(waiter.job_id)


def _size(cpu: float, memory_bytes: int, gpu: int) -> str:
    parts = [f"{cpu:g} cpu", f"{memory_bytes / GIB:.1f} GiB"] + ([f"{gpu} gpu"] if gpu else [])
    return ", ".join(parts)


def _all(total: Capacity) -> str:
    return _size(total.cpu, total.memory_bytes, total.gpu)


def _free(free: Capacity, total: Capacity) -> str:
    parts = [
        f"{max(0.0, free.cpu):g} of {total.cpu:g} cpu",
        f"{max(0, free.memory_bytes) / GIB:.1f} of {total.memory_bytes / GIB:.1f} GiB",
    ]
    parts += [f"{max(0, free.gpu)} of {total.gpu} gpu"] if total.gpu else []
    return ", ".join(parts)
