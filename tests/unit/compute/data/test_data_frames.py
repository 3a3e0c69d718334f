"""Frames in the workflow's form keep their types."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from railyard.compute.data import convert

BIG = 2**53 + 1


@pytest.fixture
def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "whole": [1, 2, 3],
            "holes": pl.Series([BIG, None, 3], dtype=pl.Int64),
            "tiny": pl.Series([1, None, 3], dtype=pl.UInt8),
            "flag": [True, False, True],
            "maybe": [True, None, False],
            "real": pl.Series([0.5, None, 1.5], dtype=pl.Float32),
            "text": ["a", None, "c"],
            "kind": pl.Series(["x", "y", None], dtype=pl.Categorical),
            "rank": pl.Series(["lo", "hi", None], dtype=pl.Enum(["lo", "hi"])),
            "day": [date(2018, 1, 1), None, date(2018, 1, 3)],
            "at": pl.Series([datetime(2018, 1, 1, tzinfo=UTC), None, None], dtype=pl.Datetime("us", "UTC")),
            "money": pl.Series([Decimal("1.10"), None, Decimal("2.00")], dtype=pl.Decimal(10, 2)),
        }
    )


def test_pandas_keeps_every_type(frame: pl.DataFrame) -> None:
    found = convert(frame, "pandas")
    assert list(found.columns) == frame.columns
    assert {name: str(kind) for name, kind in found.dtypes.items()} == {
        "whole": "int64",
        "holes": "Int64",
        "tiny": "UInt8",
        "flag": "bool",
        "maybe": "boolean",
        "real": "float32",
        "text": str(pd.Series(["a"]).dtype),
        "kind": "category",
        "rank": "category",
        "day": "datetime64[ms]",
        "at": "datetime64[us, UTC]",
        "money": "object",
    }
    assert found["holes"][0] == BIG
    assert found["money"][0] == Decimal("1.10")
    assert list(found["rank"].cat.categories) == ["lo", "hi"]
    assert found.isna().sum().to_dict() == {name: frame[name].null_count() for name in frame.columns}


@pytest.mark.parametrize("columns", [["holes"], ["holes", "maybe"], ["whole"], ["holes", "whole", "maybe", "text"]])
def test_pandas_keeps_rows_and_the_order_of_columns(frame: pl.DataFrame, columns: list[str]) -> None:
    found = convert(frame.select(columns), "pandas")
    assert list(found.columns) == columns
    assert found.shape == (3, len(columns))


def test_frames_without_rows_keep_their_types(frame: pl.DataFrame) -> None:
    found = convert(frame.clear(), "pandas")
    assert found.shape == (0, frame.width)
    assert str(found["holes"].dtype) == "int64"
    assert convert(frame.clear(), "arrow").num_rows == 0


def test_polars_is_handed_over_as_it_is(frame: pl.DataFrame) -> None:
    assert convert(frame, "polars") is frame


def test_arrow_comes_in_types_that_every_library_reads(frame: pl.DataFrame) -> None:
    found = convert(frame, "arrow")
    assert isinstance(found, pa.Table)
    assert found.schema.field("text").type in (pa.string(), pa.large_string())
    assert pl.DataFrame(found).equals(frame)


def test_another_form_is_refused(frame: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match="expected pandas, polars or arrow, got 'spark'"):
        convert(frame, "spark")  # type: ignore[arg-type]
