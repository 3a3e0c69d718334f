from __future__ import annotations

import pytest

from railyard.compute.runner.patience import GaveUp, persist, wait_before, worth_another_try
from railyard.errors import (
    Conflict,
    Invalid,
    NotFound,
    RailyardError,
    RateLimited,
    ServerError,
    Unauthorized,
    Unavailable,
    Unreachable,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def failing(times: int, error: Exception) -> object:
    left = [times]

    def call() -> str:
        if left[0]:
            left[0] -= 1
            raise error
        return "done"

    return call


@pytest.mark.parametrize(
    "error", [Unreachable("x"), Unavailable("x"), RateLimited("x"), ServerError("x"), ValueError("a proxy's page")]
)
def test_trouble_that_may_pass_is_waited_out(error: Exception) -> None:
    clock = Clock()
    assert persist(failing(20, error), until=1000, sleep=clock.sleep, clock=clock) == "done"  # type: ignore[arg-type]
    assert clock.now > 60


@pytest.mark.parametrize("error", [Invalid("x"), Unauthorized("x"), NotFound("x"), Conflict("x"), RailyardError("x")])
def test_a_refusal_is_raised_at_once(error: Exception) -> None:
    clock = Clock()
    assert not worth_another_try(error)
    with pytest.raises(type(error)):
        persist(failing(1, error), until=1000, sleep=clock.sleep, clock=clock)  # type: ignore[arg-type]
    assert clock.now == 0


def test_the_time_that_is_up_ends_the_waiting_with_its_cause() -> None:
    clock = Clock()
    with pytest.raises(GaveUp) as caught:
        persist(failing(10**6, Unreachable("gone")), until=30, sleep=clock.sleep, clock=clock)  # type: ignore[arg-type]
    assert isinstance(caught.value.__cause__, Unreachable)
    assert 29 < clock.now <= 31


def test_who_wants_to_stop_is_heard_within_a_quarter_of_a_second() -> None:
    clock = Clock()
    with pytest.raises(GaveUp):
        persist(
            failing(10**6, Unreachable("gone")),  # type: ignore[arg-type]
            until=1000,
            stop=lambda: clock.now > 20,
            sleep=clock.sleep,
            clock=clock,
        )
    assert clock.now <= 20.5


def test_waits_grow_to_ten_seconds_and_no_further() -> None:
    assert 0.1 <= wait_before(1) <= 0.25
    assert all(5 <= wait_before(tried) <= 10 for tried in (8, 50, 10**6))
