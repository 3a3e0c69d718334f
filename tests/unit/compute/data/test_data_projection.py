"""Projection: the union the request needs, checked against the sources, with derived columns exempt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from railyard.errors import AttemptError

Ask = Callable[..., Any]


@pytest.fixture
def charges(tmp_path: Path) -> Path:
    file = tmp_path / "charges.parquet"
    columns = ("created_at", "charge_amount", "charge_country", "has_fraud_dispute", "unused")
    pl.DataFrame({name: [1, 2, 3] for name in columns}).write_parquet(file)
    return file


def test_everything_that_the_request_names_is_read_once_and_nothing_else(charges: Path, ask: Ask, reader: Ask) -> None:
    request = ask(
        charges,
        ["charge_amount"],
        filters=[{"feature_name": "created_at", "predicate": "IsNotNull"}] * 2,
        holdout={"sampling_function": "HASH", "hash_sampling": {"column": "charge_country", "fraction": 0.5}},
        classifier_features=["charge_amount"],
        label="has_fraud_dispute",
    )
    summary = reader(request).summary()
    expected = ("charge_amount", "created_at", "has_fraud_dispute", "charge_country")
    assert summary.columns == expected == tuple(reader(request).schema())
    assert tuple(reader(request).fetch().training.columns) == expected
    assert summary.columns_available == 5
    assert summary.bytes_read < summary.bytes_total


@pytest.mark.parametrize(
    "part",
    [
        {"names": ["charge_amont"]},
        {"label": "charge_amont"},
        {"classifier_features": ["charge_amont"]},
        {"filters": [{"feature_name": "charge_amont", "predicate": "IsNull"}]},
        {"data": {"date_column": "charge_amont"}},
        {
            "holdout": {
                "sampling_function": "COLUMN",
                "column_sampling": {"column": "charge_amont", "holdout_values": [1]},
            }
        },
    ],
)
def test_a_missing_column_is_told_with_the_available_ones_and_the_nearest(
    charges: Path, ask: Ask, reader: Ask, part: dict[str, Any]
) -> None:
    with pytest.raises(AttemptError) as caught:
        reader(ask(charges, part.pop("names", ["unused"]), **part)).schema()
    report = caught.value.report
    assert report.code == "schema_mismatch"
    assert "available: created_at, charge_amount, charge_country, has_fraud_dispute, unused" in report.message
    assert "charge_amont → charge_amount" in report.mend
    assert report.evidence["nearest"] == {"charge_amont": "charge_amount"}


def test_a_column_without_a_near_name_gets_other_advice(charges: Path, ask: Ask, reader: Ask) -> None:
    with pytest.raises(AttemptError) as caught:
        reader(ask(charges, ["zzz"])).schema()
    assert "derives" in caught.value.report.mend


def test_derived_columns_need_not_be_in_the_source(charges: Path, ask: Ask, reader: Ask) -> None:
    request = ask(charges, ["charge_amount"], label="late", classifier_features=["hour", "charge_amount"])
    assert tuple(reader(request, derived=("late", "hour")).schema()) == ("charge_amount",)
    with pytest.raises(AttemptError, match="no column hour"):
        reader(request, derived=("late",)).schema()


def test_a_derived_column_that_is_there_is_read(charges: Path, ask: Ask, reader: Ask) -> None:
    assert tuple(reader(ask(charges, ["unused"], label="charge_amount"), derived=("charge_amount",)).schema()) == (
        "unused",
        "charge_amount",
    )


def test_filters_run_before_preprocess_and_need_real_columns(charges: Path, ask: Ask, reader: Ask) -> None:
    request = ask(charges, ["unused"], filters=[{"feature_name": "late", "predicate": "IsNull"}])
    with pytest.raises(AttemptError, match="filters, holdout and join run before preprocess adds late"):
        reader(request, derived=("late",)).schema()
