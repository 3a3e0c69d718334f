"""Compute classes: found whatever their case, held against limits, and how many more fit."""

from __future__ import annotations

import pytest

from railyard.control.executors.base import Capacity
from railyard.control.intake.compute import find_class, free, size
from railyard.control.intake.store import InUse
from railyard.errors import Invalid
from railyard.spec.records import ComputeClass
from railyard.spec.request import Resources

GIB = 2**30
SMALL = ComputeClass(name="CPU", cpu=1, memory="4Gi", max_cpu=4, max_memory="8Gi")
FIXED = ComputeClass(name="Fixed", cpu=2, memory="1Gi")
GPU = ComputeClass(name="GPU", cpu=1, memory="4Gi", gpu=1, slots=1)
CLASSES = {item.name: item for item in (SMALL, FIXED, GPU)}
HERE = Capacity(cpu=4.0, memory_bytes=16 * GIB)


def _paths(compute_class: ComputeClass, resources: Resources, capacity: Capacity = HERE) -> tuple[str, list[str]]:
    with pytest.raises(Invalid) as caught:
        size(compute_class, resources, capacity)
    return caught.value.code, [problem.path for problem in caught.value.fields]


@pytest.mark.parametrize("word", ["CPU", "cpu", "Cpu", "FIXED", "fixed"])
def test_a_class_is_found_whatever_its_case(word: str) -> None:
    assert find_class(word, CLASSES).name.casefold() == word.casefold()


@pytest.mark.parametrize(("word", "near"), [("CPUU", "CPU"), ("gp", "GPU"), ("mem-32", None), ("", None)])
def test_another_word_is_refused_with_the_nearest_class(word: str, near: str | None) -> None:
    with pytest.raises(Invalid) as caught:
        find_class(word, CLASSES)
    assert caught.value.code == "unknown_compute_class"
    assert caught.value.fields[0].nearest == near
    assert "CPU, Fixed, GPU" in caught.value.fields[0].expected


def test_what_is_not_asked_for_is_what_the_class_gives() -> None:
    found = size(SMALL, Resources(), HERE)
    assert (found.cpu, found.memory_bytes, found.gpu) == (1, 4 * GIB, 0)
    found = size(SMALL, Resources(cpu=2.5, memory="512Mi"), HERE)
    assert (found.cpu, found.memory_bytes) == (2.5, 512 * 2**20)


def test_a_class_without_limits_of_its_own_gives_no_more_than_it_has() -> None:
    assert size(FIXED, Resources(cpu=1.0), HERE).cpu == 1.0
    assert _paths(FIXED, Resources(cpu=2.5, memory="2Gi")) == ("beyond_class", ["resources.cpu", "resources.memory"])


def test_every_limit_that_is_passed_is_named_at_once() -> None:
    assert _paths(SMALL, Resources(cpu=5.0, memory="9Gi", gpu=1)) == (
        "beyond_class",
        ["resources.cpu", "resources.memory", "resources.gpu"],
    )


def test_what_no_machine_has_is_refused_though_the_class_allows_it() -> None:
    tiny = Capacity(cpu=1.0, memory_bytes=2 * GIB)
    assert _paths(SMALL, Resources(cpu=2.0), tiny) == ("beyond_capacity", ["resources.cpu", "resources.memory"])
    assert _paths(GPU, Resources()) == ("beyond_capacity", ["compute_resource"])


@pytest.mark.parametrize(
    ("compute_class", "used", "expected"),
    [
        (SMALL, {}, 4),  # 4 cores, 16 GiB / 4 GiB
        (SMALL, {"CPU": InUse(attempts=1, cpu=1, memory_bytes=8 * GIB, gpu=0)}, 2),  # memory decides
        (SMALL, {"Fixed": InUse(attempts=2, cpu=4, memory_bytes=GIB, gpu=0)}, 0),  # others count too
        (SMALL, {"Fixed": InUse(attempts=9, cpu=9, memory_bytes=GIB, gpu=0)}, 0),  # never below none
        (GPU, {}, 0),  # no device
        (GPU.model_copy(update={"gpu": 0, "slots": 3}), {"GPU": InUse(attempts=2, cpu=2, memory_bytes=GIB, gpu=0)}, 1),
    ],
)
def test_how_many_more_fit(compute_class: ComputeClass, used: dict[str, InUse], expected: int) -> None:
    assert free(compute_class, HERE, used) == expected
