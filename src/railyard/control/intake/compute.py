"""Compute classes: what a request gets, what it may ask for, and how full each class is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from railyard.control.executors.base import Capacity
from railyard.control.intake import store
from railyard.control.intake.known import Known
from railyard.control.intake.store import InUse
from railyard.errors import Invalid, nearest
from railyard.spec.records import ComputeClass, ComputeState, FieldProblem
from railyard.spec.request import Resources, memory_bytes


@dataclass(frozen=True, kw_only=True)
class Size:
    """What one attempt of a request gets."""

    compute_class: ComputeClass
    cpu: float
    memory_bytes: int
    gpu: int


def find_class(name: str, classes: Mapping[str, ComputeClass]) -> ComputeClass:
    """The class of this name, whatever its case. Raises Invalid with the nearest name."""
    for known, found in classes.items():
        if known.casefold() == name.casefold():
            return found
    problem = FieldProblem(
        path="compute_resource",
        expected=f"one of {', '.join(classes)}",
        got=f'"{name}"',
        nearest=nearest(name, classes),
    )
    raise Invalid(
        f'there is no compute class "{name}"',
        code="unknown_compute_class",
        fields=[problem],
        mend=f"set compute_resource to {problem.nearest}"
        if problem.nearest
        else "railyard compute list shows the classes",
    )


def size(compute_class: ComputeClass, wanted: Resources, capacity: Capacity) -> Size:
    """What the request gets, held against the limits of the class and of the machine. Raises Invalid."""
    found = Size(
        compute_class=compute_class,
        cpu=wanted.cpu if wanted.cpu is not None else compute_class.cpu,
        memory_bytes=memory_bytes(wanted.memory or compute_class.memory),
        gpu=wanted.gpu if wanted.gpu is not None else compute_class.gpu,
    )
    _within_class(found, compute_class)
    _within_capacity(found, capacity)
    return found


def _within_class(found: Size, compute_class: ComputeClass) -> None:
    most_cpu = compute_class.max_cpu if compute_class.max_cpu is not None else compute_class.cpu
    most_memory = compute_class.max_memory or compute_class.memory
    problems = []
    if found.cpu > most_cpu:
        problems.append(_beyond("resources.cpu", f"at most {most_cpu:g}", f"{found.cpu:g}", f"{most_cpu:g}"))
    if found.memory_bytes > memory_bytes(most_memory):
        problems.append(_beyond("resources.memory", f"at most {most_memory}", _shown(found.memory_bytes), most_memory))
    if found.gpu > compute_class.gpu:
        problems.append(
            _beyond("resources.gpu", f"at most {compute_class.gpu}", str(found.gpu), str(compute_class.gpu))
        )
    if problems:
        raise Invalid(
            f"resources ask for more than the class {compute_class.name} allows",
            code="beyond_class",
            fields=problems,
            mend="ask for less, or choose a larger class: railyard compute list",
        )


def _within_capacity(found: Size, capacity: Capacity) -> None:
    name = found.compute_class.name
    problems = []
    if found.gpu > capacity.gpu:
        has = f"{capacity.gpu} GPUs" if capacity.gpu else "no GPU"
        problems.append(
            _beyond("compute_resource", f"a class that fits: this server has {has}", f"{name} with {found.gpu} GPU")
        )
    if found.cpu > capacity.cpu:
        problems.append(_beyond("resources.cpu", f"at most {capacity.cpu:g}, all there is", f"{found.cpu:g}"))
    if found.memory_bytes > capacity.memory_bytes:
        problems.append(
            _beyond(
                "resources.memory", f"at most {_shown(capacity.memory_bytes)}, all there is", _shown(found.memory_bytes)
            )
        )
    if problems:
        raise Invalid(
            f"a job of the class {name} could never start here",
            code="beyond_capacity",
            fields=problems,
            mend="choose another class or ask for less: railyard compute list",
        )


def _beyond(path: str, expected: str, got: str, nearest_value: str | None = None) -> FieldProblem:
    return FieldProblem(path=path, expected=expected, got=got, nearest=nearest_value)


def _shown(amount: int) -> str:
    return f"{amount // 2**20}Mi"


async def states(known: Known) -> tuple[ComputeState, ...]:
    """Every class with what runs, what waits, and how many more of its default size would fit now."""
    known.settings()
    async with known.database.transaction() as connection:
        waiting, used = await store.queued(connection), await store.in_use(connection)
    return tuple(
        ComputeState(
            compute_class=compute_class,
            running=used[name].attempts if name in used else 0,
            queued=waiting.get(name, 0),
            free=free(compute_class, known.capacity, used),
        )
        for name, compute_class in known.classes.items()
    )


def free(compute_class: ComputeClass, capacity: Capacity, used: Mapping[str, InUse]) -> int:
    """How many more attempts of the class's own size fit beside what all classes use together."""
    room = [
        (capacity.cpu - sum(use.cpu for use in used.values())) / compute_class.cpu,
        (capacity.memory_bytes - sum(use.memory_bytes for use in used.values())) / memory_bytes(compute_class.memory),
    ]
    if compute_class.gpu:
        room.append((capacity.gpu - sum(use.gpu for use in used.values())) / compute_class.gpu)
    if compute_class.slots is not None:
        mine = used[compute_class.name].attempts if compute_class.name in used else 0
        room.append(compute_class.slots - mine)
    return max(0, int(min(room)))
