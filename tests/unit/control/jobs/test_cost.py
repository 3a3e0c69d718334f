"""Cost: requested resources times price times time, exact, and never 0 for unknown."""

from __future__ import annotations

from decimal import Decimal

import pytest

from railyard.control.jobs.cost import meter, total
from railyard.spec.records import Price

PRICE = Price(cpu_hour=0.05, gb_hour=0.01, gpu_hour=2.0, currency="EUR")
GIB = 2**30


def test_an_hour_of_everything() -> None:
    part = meter(cpu=2, memory_bytes=8 * GIB, gpu=1, price=PRICE, seconds=3600)
    assert part.amount == Decimal("2.18")
    assert part.formula == "(2 cpu × 0.05 + 8.00 GB × 0.01 + 1 gpu × 2) EUR/h × 1.0000 h"
    assert total([part]).core_hours == 2


def test_without_a_price_there_are_core_hours_and_no_amount() -> None:
    money = total([meter(cpu=2, memory_bytes=GIB, gpu=0, price=None, seconds=1800)])
    assert (money.amount, money.basis, money.core_hours) == (None, "unpriced", 1.0)
    assert money.formula == "2 cpu × 0.5000 h, unpriced"


def test_the_sum_is_rounded_once_at_the_end() -> None:
    parts = [meter(cpu=1, memory_bytes=0, gpu=0, price=PRICE, seconds=3) for _ in range(3)]
    exact = sum((part.amount or Decimal(0)) for part in parts)
    assert total(parts).amount == exact.quantize(Decimal("0.00000001"))


def test_amounts_in_different_currencies_are_not_added_up() -> None:
    dollars = PRICE.model_copy(update={"currency": "USD"})
    parts = [meter(cpu=1, memory_bytes=GIB, gpu=0, price=price, seconds=3600) for price in (PRICE, dollars)]
    money = total(parts)
    assert money.amount is None
    assert "EUR/h" in money.formula
    assert "USD/h" in money.formula


def test_nothing_run_costs_nothing_known() -> None:
    assert total([]).amount is None


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e9])
def test_amounts_grow_with_time(seconds: float) -> None:
    amount = meter(cpu=1, memory_bytes=GIB, gpu=0, price=PRICE, seconds=seconds).amount
    assert amount is not None
    assert float(amount) == pytest.approx(seconds * 0.06 / 3600)
