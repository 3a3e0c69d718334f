"""A plan tells columns and upper bounds without reading a row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from railyard.compute.data import plan
from railyard.errors import AttemptError
from railyard.spec.attempt import DataAccess

Ask = Callable[..., Any]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for number in range(2):
        frame = pl.DataFrame({"n": range(number * 100, number * 100 + 100), "s": ["x"] * 100})
        frame.write_parquet(tmp_path / f"{number}.parquet", row_group_size=25)
    return tmp_path


def test_rows_and_bytes_are_bounded_by_statistics(source: Path, ask: Ask) -> None:
    keep = {"feature_name": "n", "predicate": "Gt", "feature_value": {"int_val": 160}}
    found = plan(ask(source, ["n"], filters=[keep]), DataAccess())
    everything = plan(ask(source, ["n", "s"]), DataAccess())
    assert found.columns == {"n": "Int64", "s": "String"}
    assert (found.rows_total, found.rows_estimated, found.files) == (200, 50, 2)
    assert (everything.rows_total, everything.rows_estimated) == (200, 200)
    assert 0 < found.bytes_estimated < everything.bytes_estimated  # type: ignore[operator]


def test_a_plan_agrees_with_the_reading_on_bytes(source: Path, ask: Ask, reader: Ask) -> None:
    keep = {"feature_name": "n", "predicate": "Gt", "feature_value": {"int_val": 160}}
    request = ask(source, ["n"], filters=[keep])
    assert plan(request, DataAccess()).bytes_estimated == reader(request).summary().bytes_read


def test_a_plan_reads_no_page(source: Path, ask: Ask) -> None:
    """The pages are overwritten; only the footers are whole."""
    for file in source.iterdir():
        data = bytearray(file.read_bytes())
        footer = int.from_bytes(data[-8:-4], "little") + 8
        data[4:-footer] = bytes(len(data) - footer - 4)
        file.write_bytes(data)
    assert plan(ask(source, ["n"]), DataAccess()).rows_total == 200


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"names": ["m"]}, "schema_mismatch"),
        ({"path": "nowhere"}, "data_not_found"),
        (
            {"filters": [{"feature_name": "s", "predicate": "Gt", "feature_value": {"int_val": 1}}]},
            "schema_mismatch",
        ),
        (
            {
                "holdout": {
                    "sampling_function": "DATE_RANGE",
                    "date_range_sampling": {"date_column": "n", "start_date": "2018-01-01", "end_date": "2018-02-01"},
                }
            },
            "schema_mismatch",
        ),
    ],
)
def test_a_plan_refuses_what_the_reading_would_refuse(
    source: Path, ask: Ask, part: dict[str, Any], reason: str
) -> None:
    with pytest.raises(AttemptError) as caught:
        plan(ask(source / part.pop("path", ""), part.pop("names", ["n"]), **part), DataAccess())
    assert caught.value.report.code == reason


def test_derived_columns_are_exempt(source: Path, ask: Ask) -> None:
    assert plan(ask(source, ["n"], label="late"), DataAccess(), derived=["late"]).rows_total == 200
