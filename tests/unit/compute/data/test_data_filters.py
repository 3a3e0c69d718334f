"""The ten predicates: against an oracle in plain Python, with pushdown, with statistics, and without either."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railyard.compute.data import Reader
from railyard.compute.data.filters import Bounds, Condition, condition, expression, may_hold
from railyard.errors import AttemptError
from railyard.spec.attempt import DataAccess
from railyard.spec.request import PREDICATES, Filter

Ask = Callable[..., Any]
ORDERED = ("Eq", "NotEq", "Lt", "LtEq", "Gt", "GtEq")
EPOCH = datetime(1970, 1, 1)


def a_filter(predicate: str, value: dict[str, Any] | None = None, column: str = "c") -> Filter:
    return Filter.model_validate({"feature_name": column, "predicate": predicate, "feature_value": value})


def comparable(cell: Any) -> Any:
    """A cell or literal as something that Python compares exactly; None for what satisfies no comparison."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, bool | str):
        return cell
    if isinstance(cell, datetime):
        naive = cell.astimezone(UTC).replace(tzinfo=None) if cell.tzinfo else cell
        return Fraction((naive - EPOCH) // timedelta(microseconds=1), 10**6)
    if isinstance(cell, date):
        return Fraction((cell - EPOCH.date()).days * 86400)
    return cell if isinstance(cell, float) and math.isinf(cell) else Fraction(cell)


def satisfies(cell: Any, predicate: str, wanted: list[Any]) -> bool:
    """What the contract says, in plain Python."""
    if predicate in ("IsNull", "IsNotNull"):
        return (cell is None) == (predicate == "IsNull")
    value = comparable(cell)
    if value is None:
        return False
    if predicate in ("IsIn", "NotIn"):
        return (value in wanted) == (predicate == "IsIn")
    other = wanted[0]
    return bool(
        {
            "Eq": value == other,
            "NotEq": value != other,
            "Lt": value < other,
            "LtEq": value <= other,
            "Gt": value > other,
            "GtEq": value >= other,
        }[predicate]
    )


small = st.integers(-3, 3)
halves = st.integers(-6, 6).map(lambda n: n / 2)
moments = st.integers(-4, 4).map(lambda n: EPOCH + timedelta(hours=12 * n))
texts = st.sampled_from(["", "A", "CA", "US", "Ünï", "us", "\U0001f680"])
NUMBERS = st.one_of(
    small.map(lambda n: ({"int_val": n}, n)),
    halves.map(lambda x: ({"float_val": x}, x)),
    st.sampled_from([300, -(2**40)]).map(lambda n: ({"int_val": n}, n)),
)
NUMBER_LISTS = st.one_of(
    st.lists(small, max_size=3).map(lambda ns: ({"int_vals": ns}, ns)),
    st.lists(halves, max_size=3).map(lambda xs: ({"float_vals": xs}, xs)),
)
MOMENTS = moments.flatmap(
    lambda m: st.sampled_from(
        [{"string_val": m.isoformat()}, {"timestamp_val": f"{m.isoformat()}Z"}]
        + ([{"string_val": m.date().isoformat()}] if m.hour == 0 else [])
    ).map(lambda value: (value, m))
)
MOMENT_LISTS = st.lists(moments, max_size=3).map(lambda ms: ({"string_vals": [m.isoformat() for m in ms]}, ms))
WORDS = texts.map(lambda text: ({"string_val": text}, text))
WORD_LISTS = st.lists(texts, max_size=3).map(lambda words: ({"string_vals": words}, words))
FLAGS = st.booleans().map(lambda flag: ({"bool_val": flag}, flag))

CASES: list[tuple[pl.DataType, st.SearchStrategy[Any], Any, Any]] = [
    *((kind, small, NUMBERS, NUMBER_LISTS) for kind in (pl.Int8(), pl.Int16(), pl.Int64())),
    (pl.UInt8(), st.integers(0, 3), NUMBERS, NUMBER_LISTS),
    *(
        (kind, st.one_of(halves, st.sampled_from([math.nan, math.inf, -math.inf, -0.0])), NUMBERS, NUMBER_LISTS)
        for kind in (pl.Float32(), pl.Float64())
    ),
    (pl.Decimal(10, 1), halves.map(lambda x: Decimal(repr(x))), NUMBERS, NUMBER_LISTS),
    (pl.Date(), moments.map(datetime.date), MOMENTS, MOMENT_LISTS),
    *(
        (kind, moments.map(lambda m: m.replace(tzinfo=UTC)) if kind.time_zone else moments, MOMENTS, MOMENT_LISTS)
        for kind in (pl.Datetime("ms"), pl.Datetime("us", "UTC"), pl.Datetime("ns", "America/New_York"))
    ),
    (pl.String(), texts, WORDS, WORD_LISTS),
    (pl.Categorical(), texts, WORDS, WORD_LISTS),
    (pl.Enum(["", "A", "CA", "US", "Ünï", "us", "\U0001f680"]), texts, WORDS, WORD_LISTS),
    (pl.Boolean(), st.booleans(), FLAGS, None),
]


@st.composite
def columns_and_filters(draw: st.DrawFn) -> tuple[pl.Series, list[tuple[Filter, list[Any]]]]:
    dtype, cells, single, several = draw(st.sampled_from(CASES))
    values = draw(st.lists(st.none() | cells, max_size=12))
    filters = []
    for _ in range(draw(st.integers(1, 2))):
        allowed = [p for p in PREDICATES if dtype != pl.Boolean or p in ("Eq", "NotEq", "IsNull", "IsNotNull")]
        predicate = draw(st.sampled_from(allowed))
        if predicate in ("IsNull", "IsNotNull"):
            filters.append((a_filter(predicate), []))
        elif predicate in ("IsIn", "NotIn"):
            value, wanted = draw(several)
            filters.append((a_filter(predicate, value), [comparable(one) for one in wanted]))
        else:
            value, one = draw(single)
            filters.append((a_filter(predicate, value), [comparable(one)]))
    return pl.Series("c", values, dtype=dtype, strict=False), filters


@settings(max_examples=300, deadline=None)
@given(columns_and_filters())
def test_every_predicate_on_every_type_keeps_what_plain_python_keeps(
    case: tuple[pl.Series, list[tuple[Filter, list[Any]]]],
) -> None:
    column, filters = case
    frame = pl.DataFrame({"c": column}).with_row_index()
    kept = frame.filter(*(expression(condition(one, column.dtype)) for one, _ in filters))["index"].to_list()
    cells = column.to_list()
    assert kept == [i for i, cell in enumerate(cells) if all(satisfies(cell, one.predicate, w) for one, w in filters)]


@settings(max_examples=120, deadline=None)
@given(columns_and_filters())
def test_pushdown_and_statistics_give_the_rows_that_filtering_afterwards_gives(
    ask: Ask, case: tuple[pl.Series, list[tuple[Filter, list[Any]]]]
) -> None:
    column, filters = case
    frame = pl.DataFrame({"c": column, "row": range(len(column))}).with_columns(pl.col("row").cast(pl.Int64))
    expected = frame.filter(*(expression(condition(one, column.dtype)) for one, _ in filters))["row"].to_list()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.parquet"
        frame.write_parquet(file, row_group_size=3)
        given_filters = [one.model_dump(exclude_none=True) for one, _ in filters]
        reader = Reader(ask(file, ["row"], filters=given_filters), DataAccess(), scratch=Path(folder))
        if not expected:
            with pytest.raises(AttemptError, match="nothing is left"):
                reader.fetch()
            with pytest.raises(AttemptError, match="nothing is left"):
                list(reader.batches("training"))
            return
        assert reader.fetch().training["row"].to_list() == expected
        assert [row for b in reader.batches("training", 2) for row in b.column("row").to_pylist()] == expected


@settings(max_examples=200, deadline=None)
@given(columns_and_filters())
def test_statistics_never_rule_out_a_group_that_holds_a_match(
    case: tuple[pl.Series, list[tuple[Filter, list[Any]]]],
) -> None:
    column, filters = case
    for one, _ in filters:
        wanted = condition(one, column.dtype)
        matches = pl.DataFrame({"c": column}).filter(expression(wanted)).height
        known = column.cast(pl.String) if column.dtype in (pl.Categorical, pl.Enum) else column.to_physical()
        known = known.drop_nulls()
        known = known.drop_nans() if column.dtype.is_float() else known
        values = column.drop_nulls().to_list() if isinstance(column.dtype, pl.Decimal) else known.to_list()
        low, high = (min(values), max(values)) if values else (None, None)
        if column.dtype.is_float() and column.is_nan().any():
            low = high = None
        if len(column) and not may_hold(wanted, Bounds(len(column), low, high, column.null_count())):
            assert matches == 0
        assert may_hold(wanted, Bounds(len(column))) or wanted.operator == "never"


@pytest.mark.parametrize(
    ("operator", "values", "bounds", "verdict"),
    [
        ("eq", (5,), Bounds(9, 1, 4, 0), False),
        ("eq", (4,), Bounds(9, 1, 4, 0), True),
        ("ne", (4,), Bounds(9, 4, 4, 0), True),
        ("lt", (1,), Bounds(9, 1, 4, 0), False),
        ("le", (1,), Bounds(9, 1, 4, 0), True),
        ("gt", (4,), Bounds(9, 1, 4, 0), False),
        ("ge", (4,), Bounds(9, 1, 4, 0), True),
        ("in", (0, 5), Bounds(9, 1, 4, 0), False),
        ("in", (0, 2), Bounds(9, 1, 4, 0), True),
        ("null", (), Bounds(9, 1, 4, 0), False),
        ("null", (), Bounds(9, 1, 4, 1), True),
        ("null", (), Bounds(9), True),
        ("not_null", (), Bounds(9, nulls=9), False),
        ("any", (), Bounds(9, nulls=9), False),
        ("gt", (0,), Bounds(9, nulls=9), False),
        ("never", (), Bounds(9), False),
    ],
)
def test_the_verdict_over_statistics(operator: Any, values: Any, bounds: Bounds, verdict: bool) -> None:
    assert may_hold(Condition("c", pl.Int64(), operator, values), bounds) is verdict


@pytest.mark.parametrize(
    ("predicate", "value", "dtype", "expected"),
    [
        ("Gt", {"string_val": "10"}, pl.Int64(), "a number"),
        ("Gt", {"float_val": 1.0}, pl.String(), "a string"),
        ("Eq", {"timestamp_val": "2018-01-01"}, pl.String(), "a string"),
        ("IsIn", {"string_vals": ["US"]}, pl.Float64(), "a number"),
        ("IsIn", {"int_vals": [1]}, pl.Boolean(), "Eq, NotEq"),
        ("Lt", {"bool_val": True}, pl.Boolean(), "Eq, NotEq"),
        ("Eq", {"bool_val": True}, pl.Int8(), "a number"),
        ("GtEq", {"string_val": "2018-99-01"}, pl.Datetime("us"), "a date or timestamp"),
        ("Eq", {"int_val": 1}, pl.List(pl.Int64), "no value at all"),
    ],
)
def test_a_filter_of_the_wrong_type_is_refused_with_the_columns_type(
    predicate: str, value: dict[str, Any], dtype: pl.DataType, expected: str
) -> None:
    with pytest.raises(AttemptError) as caught:
        condition(a_filter(predicate, value), dtype)
    assert caught.value.report.code == "schema_mismatch"
    assert f"column c is {dtype}: expected {expected}" in caught.value.message


@pytest.mark.parametrize("dtype", [pl.List(pl.Int64), pl.Struct({"a": pl.Int64}), pl.Time(), pl.Binary()])
def test_null_predicates_work_on_types_that_compare_with_nothing(dtype: pl.DataType) -> None:
    frame = pl.DataFrame({"c": pl.Series([None, None], dtype=dtype)})
    assert frame.filter(expression(condition(a_filter("IsNull"), dtype))).height == 2
    assert frame.filter(expression(condition(a_filter("IsNotNull"), dtype))).height == 0


def test_a_large_identifier_is_not_rounded() -> None:
    frame = pl.DataFrame({"c": [2**53, 2**53 + 1]})
    kept = frame.filter(expression(condition(a_filter("Eq", {"int_val": 2**53 + 1}), pl.Int64())))
    assert kept["c"].to_list() == [2**53 + 1]


def test_nan_is_no_null_and_satisfies_no_comparison() -> None:
    frame = pl.DataFrame({"c": [math.nan, None, 1.0]})

    def kept(predicate: str, value: dict[str, Any] | None = None) -> int:
        return frame.filter(expression(condition(a_filter(predicate, value), pl.Float64()))).height

    assert kept("IsNotNull") == 2
    assert kept("IsNull") == 1
    assert [kept(p, {"float_val": 5.0}) for p in ORDERED] == [0, 1, 1, 1, 0, 0]
    assert kept("NotIn", {"float_vals": [5.0]}) == 1
    assert kept("NotIn", {"float_vals": []}) == 1
    assert kept("IsIn", {"float_vals": []}) == 0
