"""What attempts cost: requested resources times the price of their class times the time between start and end."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from railyard.spec.base import Money
from railyard.spec.records import Price

_PLACES = Decimal("0.00000001")
"""Kept by the API, so that a thousand small jobs still add up; people are shown four decimals."""
GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Metered:
    """The cost of one attempt, exact until it is shown."""

    amount: Decimal | None
    currency: str | None
    core_seconds: float
    formula: str


def meter(*, cpu: float, memory_bytes: int, gpu: int, price: Price | None, seconds: float) -> Metered:
    """One attempt. Without a price there are core-hours and no amount."""
    hours, gibibytes = seconds / 3600, memory_bytes / GIB
    if price is None:
        return Metered(
            amount=None, currency=None, core_seconds=cpu * seconds, formula=f"{cpu:g} cpu × {hours:.4f} h, unpriced"
        )
    hourly = (
        Decimal(str(cpu)) * Decimal(str(price.cpu_hour))
        + Decimal(memory_bytes) / GIB * Decimal(str(price.gb_hour))
        + Decimal(gpu) * Decimal(str(price.gpu_hour))
    )
    parts = [f"{cpu:g} cpu × {price.cpu_hour:g}", f"{gibibytes:.2f} GB × {price.gb_hour:g}"]
    parts += [f"{gpu} gpu × {price.gpu_hour:g}"] if gpu else []
    return Metered(
        amount=hourly * Decimal(str(seconds)) / 3600,
        currency=price.currency,
        core_seconds=cpu * seconds,
        formula=f"({' + '.join(parts)}) {price.currency}/h × {hours:.4f} h",
    )


def total(parts: list[Metered]) -> Money:
    """The sum over attempts. Amounts in different currencies are not added up: the formula lists them."""
    core_hours = round(sum(part.core_seconds for part in parts) / 3600, 6)
    formula = " + ".join(part.formula for part in parts if part.formula)
    priced = [part for part in parts if part.amount is not None]
    currencies = {part.currency for part in priced}
    if len(currencies) != 1:
        return Money(core_hours=core_hours, formula=formula)
    amount = sum((part.amount for part in priced if part.amount is not None), Decimal(0))
    return Money(
        amount=amount.quantize(_PLACES),
        currency=currencies.pop(),
        basis="metered",
        core_hours=core_hours,
        formula=formula,
    )


def meter_row(row: Any, seconds: float) -> Metered:
    """The cost of an attempt's row with `cpu, memory_bytes, gpu, price` after so many seconds."""
    price = Price.model_validate(row.price) if row.price else None
    return meter(cpu=row.cpu, memory_bytes=row.memory_bytes, gpu=row.gpu, price=price, seconds=max(0.0, seconds))
