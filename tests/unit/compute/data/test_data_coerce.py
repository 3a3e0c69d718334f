"""One coercion of values to a column's type, exact where the type is coarser than the value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from railyard.compute.data.coerce import Cut, cut, parse_instant, show_instant
from railyard.errors import AttemptError

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00", 0),
        ("1970-01-01 00:00:01", SECOND),
        ("1970-01-01T00:00:00.5Z", SECOND // 2),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T19:00:00-0500", 0),
        ("1969-12-31", -86400 * SECOND),
        ("2000-02-29", 951782400 * SECOND),
    ],
)
def test_dates_are_midnight_utc_and_naive_timestamps_are_utc(text: str, nanoseconds: int) -> None:
    assert parse_instant(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2018",
        "2018-1-1",
        "2018-02-30",
        "2018-13-01",
        "0000-01-01",
        "2018-01-01T24:00",
        "2018-01-01T10:00:60",
        "2018-01-01T10:00+25:00",
        "2018-01-01T10:00+01:75",
        "2018-01-01T10:00:00.1234567890",
        "2018-01-01 ",
        "2018-01-01\n",
        "٢٠١٨-٠١-٠١",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_instant(text)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-23 * 60, 23 * 60))
def test_instants_agree_with_the_standard_library(moment: datetime, offset: int) -> None:
    sign = "-" if offset < 0 else "+"
    zone = f"{sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    expected = moment.replace(tzinfo=UTC) - timedelta(minutes=offset)
    since = expected - datetime(1970, 1, 1, tzinfo=UTC)
    nanoseconds = (since.days * 86400 + since.seconds) * SECOND + since.microseconds * 1000
    assert (
        parse_instant(f"{moment.isoformat()}{zone}" if moment.microsecond else f"{moment:%4Y-%m-%dT%H:%M:%S}{zone}")
        == nanoseconds
    )
    assert parse_instant(show_instant(nanoseconds)) == nanoseconds


def test_instants_beyond_the_calendar_have_a_text_too() -> None:
    assert show_instant(10**30) == f"{10**30}ns"


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ("2018-01-02", pl.Date(), Cut(17533)),
        ("2018-01-02T12:00", pl.Date(), Cut(17533, exact=False)),
        ("1970-01-01T00:00:00.0015", pl.Datetime("ms"), Cut(1, exact=False)),
        ("1970-01-01T00:00:00.0015", pl.Datetime("us", "Europe/Berlin"), Cut(1500)),
        ("1969-12-31T23:59:59.9995Z", pl.Datetime("ms"), Cut(-1, exact=False)),
        ("9999-01-01", pl.Datetime("ns"), Cut(None, exact=False, beyond="above")),
        ("0001-01-01", pl.Datetime("ns"), Cut(None, exact=False, beyond="below")),
        (5, pl.Int8(), Cut(5)),
        (5.0, pl.Int64(), Cut(5)),
        (5.5, pl.Int64(), Cut(5, exact=False)),
        (-5.5, pl.Int64(), Cut(-6, exact=False)),
        (1000, pl.Int8(), Cut(None, exact=False, beyond="above")),
        (127.5, pl.Int8(), Cut(None, exact=False, beyond="above")),
        (-1, pl.UInt64(), Cut(None, exact=False, beyond="below")),
        (2**53 + 1, pl.Int64(), Cut(2**53 + 1)),
        (7, pl.Float64(), Cut(7.0)),
        (0.1, pl.Float32(), Cut(0.10000000149011612)),
        (1e300, pl.Float32(), Cut(3.4028234663852886e38, exact=False)),
        (0.1, pl.Decimal(10, 2), Cut(Decimal("0.10"))),
        (0.105, pl.Decimal(10, 2), Cut(Decimal("0.10"), exact=False)),
        (-0.105, pl.Decimal(10, 2), Cut(Decimal("-0.11"), exact=False)),
        (1e12, pl.Decimal(10, 2), Cut(None, exact=False, beyond="above")),
        ("x", pl.String(), Cut("x")),
        ("x", pl.Categorical(), Cut("x")),
        (True, pl.Boolean(), Cut(True)),
        ("anything", pl.Null(), Cut(None)),
    ],
)
def test_a_value_becomes_a_cut_between_the_values_of_the_type(value: object, dtype: pl.DataType, expected: Cut) -> None:
    assert cut(value, dtype, "c") == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ("5", pl.Int64()),
        ("5.0", pl.Float64()),
        (5, pl.String()),
        (True, pl.Int64()),
        (1, pl.Boolean()),
        ("true", pl.Boolean()),
        (20180101, pl.Date()),
        (1.5, pl.Datetime("us")),
        ("soon", pl.Datetime("us", "UTC")),
        ("2018-02-30", pl.Date()),
        ("x", pl.Decimal(10, 2)),
        ("x", pl.List(pl.String)),
        (1, pl.Struct({"a": pl.Int64})),
        ("10:00", pl.Time()),
        (1, pl.Duration("us")),
        ("x", pl.Binary()),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_the_columns_type(value: object, dtype: pl.DataType) -> None:
    with pytest.raises(AttemptError) as caught:
        cut(value, dtype, "the_column")  # type: ignore[arg-type]
    assert caught.value.report.code == "schema_mismatch"
    assert f"column the_column is {dtype}" in caught.value.message
    assert caught.value.report.evidence["type"] == str(dtype)
