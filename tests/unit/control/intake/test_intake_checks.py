"""What a request is refused for before anything of it is looked up."""

from __future__ import annotations

from typing import Any

import pytest

from railyard.control.intake.checks import check_currency
from railyard.errors import Invalid
from railyard.spec.records import ComputeClass, Price
from railyard.spec.request import TrainingRequest


def _request(**changes: Any) -> TrainingRequest:
    value = {
        "model_description": "d", "model_name": "m", "owner": "o", "project": "p", "trainer": "t",
        "data": {"features": [{"names": ["x"], "source": "file", "path": "x.parquet"}]},
        "train": {"workflow_name": "W"},
    }  # fmt: skip
    return TrainingRequest.model_validate({**value, **changes})


def _class(currency: str | None) -> ComputeClass:
    price = Price(cpu_hour=1.0, currency=currency) if currency else None
    return ComputeClass(name="CPU", cpu=1, memory="1Gi", price=price)


def test_a_cap_in_another_currency_is_refused_naming_that_of_the_class() -> None:
    with pytest.raises(Invalid) as caught:
        check_currency(_request(max_cost={"amount": 1.0, "currency": "EUR"}), _class("USD"))
    (problem,) = caught.value.fields
    assert (caught.value.code, problem.path, problem.nearest) == ("other_currency", "max_cost.currency", "USD")


@pytest.mark.parametrize(
    ("cap", "priced"),
    [(None, "USD"), ({"amount": 1.0, "currency": "USD"}, "USD"), ({"amount": 1.0, "currency": "USD"}, None)],
)
def test_a_cap_that_may_hold_is_taken(cap: dict[str, Any] | None, priced: str | None) -> None:
    check_currency(_request(**({"max_cost": cap} if cap else {})), _class(priced))
