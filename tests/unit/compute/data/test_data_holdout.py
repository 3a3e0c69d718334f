"""The five holdout functions: golden vectors, boundaries, and train + holdout = everything, nothing twice."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railyard.compute.data.holdout import canonical_texts, hash_number, random_numbers, splitter, threshold
from railyard.compute.data.table import ROW
from railyard.errors import AttemptError
from railyard.spec.request import HoldoutSampling


def rule(block: dict[str, Any]) -> HoldoutSampling:
    return HoldoutSampling.model_validate(block)


def date_range(column: str, start: str, end: str) -> dict[str, Any]:
    block = {"date_column": column, "start_date": start, "end_date": end}
    return {"sampling_function": "DATE_RANGE", "date_range_sampling": block}


def by_hash(column: str, fraction: float = 0.5, salt: str = "") -> dict[str, Any]:
    return {"sampling_function": "HASH", "hash_sampling": {"column": column, "fraction": fraction, "salt": salt}}


def by_column(column: str, *values: Any) -> dict[str, Any]:
    return {"sampling_function": "COLUMN", "column_sampling": {"column": column, "holdout_values": list(values)}}


def at_random(fraction: float = 0.5, seed: int = 0) -> dict[str, Any]:
    return {"sampling_function": "RANDOM", "random_sampling": {"fraction": fraction, "seed": seed}}


def mask(block: dict[str, Any], frame: pl.DataFrame, key: str = "data.parquet") -> list[bool]:
    made = splitter(rule(block), frame.schema)
    assert made is not None
    found = made.mask(frame.with_row_index(ROW), key)
    assert found.dtype == pl.Boolean
    assert found.null_count() == 0
    return found.to_list()


GOLDEN_HASH = {
    ("", ""): 0x85CB739D64BCDE7E,
    ("", "customer-1"): 0x3C7605AFCDA972F9,
    ("", "42"): 0x6EB868E03410ACBA,
    ("spring", "42"): 0xB675A9DD018E52BB,
    ("", "2018-01-31T00:00:00.000000000Z"): 0xB23424BAC1B83A9B,
    ("", "Ünï"): 0x678754ADA2D4C25B,
}
GOLDEN_RANDOM = {
    (0, "data.parquet"): [649069837126241783, 15039225337233899034, 4357238209895385766],
    (7, "data.parquet"): [7689718793015562119, 8689631653834009273, 17873383812567198415],
    (0, "day=2018-01-01/part-0.parquet"): [6898855603818722775, 15619986022385601245, 13105610462242832419],
}


@pytest.mark.parametrize(("given_key", "expected"), GOLDEN_HASH.items())
def test_hash_numbers_never_change(given_key: tuple[str, str], expected: int) -> None:
    assert hash_number(*given_key) == expected


@pytest.mark.parametrize(("given_key", "expected"), GOLDEN_RANDOM.items())
def test_random_numbers_never_change(given_key: tuple[int, str], expected: list[int]) -> None:
    assert random_numbers(*given_key, np.arange(3, dtype=np.uint64)).tolist() == expected


def test_hash_numbers_are_what_the_docstring_states() -> None:
    digest = hashlib.sha256(b"railyard-holdout-hash-1\x00spring\x0042").digest()
    assert hash_number("spring", "42") == int.from_bytes(digest[:8], "big")


def test_random_numbers_are_what_the_docstring_states() -> None:
    state = int.from_bytes(hashlib.sha256(b"railyard-holdout-random-1\x007\x00a/b.parquet").digest()[:8], "big")
    expected = []
    for row in (0, 1, 2**32):
        z = (state + (row + 1) * 0x9E3779B97F4A7C15) % 2**64
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        expected.append(z ^ (z >> 31))
    assert random_numbers(7, "a/b.parquet", np.array([0, 1, 2**32], dtype=np.uint64)).tolist() == expected


@pytest.mark.parametrize(
    ("keys", "texts"),
    [
        (pl.Series(["a", None, ""], dtype=pl.String), ["a", None, ""]),
        (pl.Series(["a", None], dtype=pl.Categorical), ["a", None]),
        (pl.Series([12, None, -3], dtype=pl.Int8), ["12", None, "-3"]),
        (pl.Series([12, 2**64 - 1], dtype=pl.UInt64), ["12", "18446744073709551615"]),
        (
            pl.Series([12.0, -0.0, 0.1, float("nan"), 1e300], dtype=pl.Float64),
            ["12", "0", "0.1", None, str(int(1e300))],
        ),
        (pl.Series([float("inf"), float("-inf")]), ["inf", "-inf"]),
        (pl.Series([0.5, 0.1], dtype=pl.Float32), ["0.5", "0.10000000149011612"]),
        (
            pl.Series([Decimal("12.00"), Decimal("-0.50"), Decimal("0.00"), Decimal("100")], dtype=pl.Decimal(10, 2)),
            ["12", "-0.5", "0", "100"],
        ),
        (pl.Series([True, False, None]), ["true", "false", None]),
        (pl.Series([date(2018, 1, 31), date(1, 1, 1)]), ["2018-01-31", "0001-01-01"]),
        (pl.Series([datetime(2018, 1, 31)], dtype=pl.Datetime("ms")), ["2018-01-31T00:00:00.000000000Z"]),
        (pl.Series([datetime(2018, 1, 31)], dtype=pl.Datetime("ns", "UTC")), ["2018-01-31T00:00:00.000000000Z"]),
        (
            pl.Series([datetime(2018, 1, 31)]).dt.replace_time_zone("Europe/Berlin"),
            ["2018-01-30T23:00:00.000000000Z"],
        ),
    ],
)
def test_a_key_has_one_text_whatever_its_type(keys: pl.Series, texts: list[str | None]) -> None:
    assert canonical_texts(keys) == texts


def test_the_same_customers_are_held_out_when_the_columns_type_changes() -> None:
    numbers = pl.DataFrame({"k": list(range(200))})
    expected = mask(by_hash("k", 0.3), numbers)
    for dtype in (pl.Int16, pl.UInt32, pl.Float64, pl.Decimal(10, 3), pl.String):
        assert mask(by_hash("k", 0.3), numbers.select(pl.col("k").cast(dtype))) == expected


@pytest.mark.parametrize("dtype", [pl.Datetime("ms"), pl.Datetime("us", "UTC"), pl.Datetime("ns", "Asia/Tokyo")])
def test_a_date_range_includes_both_ends(dtype: pl.DataType) -> None:
    moments = ["2018-09-30T23:59:59.999", "2018-10-01T00:00:00", "2018-12-31T23:59:59", "2019-01-01T00:00:00"]
    moments.append("2019-01-01T00:00:00.001")
    texts = pl.Series("t", moments).str.to_datetime(time_unit="ns", time_zone="UTC")
    column = texts.cast(pl.Datetime(dtype.time_unit, "UTC"))  # type: ignore[attr-defined]
    zone = dtype.time_zone  # type: ignore[attr-defined]
    column = column.dt.convert_time_zone(zone) if zone else column.dt.replace_time_zone(None)
    found = mask(date_range("t", "2018-10-01", "2019-01-01"), pl.DataFrame({"t": column}))
    assert found == [False, True, True, True, False]


def test_a_date_range_over_dates_includes_the_whole_last_day() -> None:
    frame = pl.DataFrame({"t": [date(2018, 9, 30), date(2018, 10, 1), date(2019, 1, 1), date(2019, 1, 2), None]})
    assert mask(date_range("t", "2018-10-01", "2019-01-01"), frame) == [False, True, True, False, False]
    assert mask(date_range("t", "2018-10-01T06:00", "2019-01-01T06:00"), frame) == [False, False, True, False, False]


def test_a_date_range_over_text_takes_plain_dates_only() -> None:
    frame = pl.DataFrame({"t": ["2018-10-01", "2019-01-01", None, "2019-01-02"]})
    assert mask(date_range("t", "2018-10-01", "2019-01-01"), frame) == [True, True, False, False]
    with pytest.raises(AttemptError, match="found '2019-01-01T10:00:00'"):
        mask(date_range("t", "2018-10-01", "2019-01-01"), pl.DataFrame({"t": ["2018-10-01", "2019-01-01T10:00:00"]}))
    with pytest.raises(AttemptError, match="plain dates"):
        mask(date_range("t", "2018-10-01T00:00", "2019-01-01"), frame)


@pytest.mark.parametrize(
    ("block", "frame"),
    [
        (date_range("c", "2018-01-01", "2018-02-01"), pl.DataFrame({"c": [20180101]})),
        (by_hash("c"), pl.DataFrame({"c": [[1]]})),
        (by_column("c", "test"), pl.DataFrame({"c": [1]})),
        (by_column("c", 1), pl.DataFrame({"c": ["test"]})),
        (by_column("c", True), pl.DataFrame({"c": [1]})),
    ],
)
def test_a_rule_that_does_not_fit_its_column_is_refused_with_the_columns_type(
    block: dict[str, Any], frame: pl.DataFrame
) -> None:
    with pytest.raises(AttemptError) as caught:
        splitter(rule(block), frame.schema)
    assert caught.value.report.code == "schema_mismatch"
    assert str(frame.schema["c"]) in caught.value.message


@pytest.mark.parametrize(
    ("values", "cells", "expected"),
    [
        (["test"], ["train", "test", None], [False, True, False]),
        ([1, 2.0], [0, 1, 2, None], [False, True, True, False]),
        ([1.5], [1, 2], [False, False]),
        ([True], [True, False, None], [True, False, False]),
        (["2018-01-01"], [date(2018, 1, 1), date(2018, 1, 2)], [True, False]),
    ],
)
def test_a_column_says_which_side(values: list[Any], cells: list[Any], expected: list[bool]) -> None:
    assert mask(by_column("c", *values), pl.DataFrame({"c": cells})) == expected


def test_rows_of_one_key_stay_together_and_null_keys_train() -> None:
    frame = pl.DataFrame({"k": [None, *(f"c{n % 50}" for n in range(500)), None]})
    found = mask(by_hash("k", 0.4), frame)
    sides = pl.DataFrame({"k": frame["k"], "side": found}).drop_nulls().group_by("k").n_unique()
    assert sides["side"].to_list() == [1] * 50
    assert not found[0]
    assert not found[-1]


@pytest.mark.parametrize("block", [at_random(0.25, 3), by_hash("k", 0.25)])
def test_a_fraction_is_about_that_fraction(block: dict[str, Any]) -> None:
    frame = pl.DataFrame({"k": range(20_000)})
    assert 0.235 < sum(mask(block, frame)) / frame.height < 0.265


def test_another_seed_salt_or_file_gives_another_split() -> None:
    frame = pl.DataFrame({"k": range(200)})
    assert mask(at_random(seed=1), frame) != mask(at_random(seed=2), frame)
    assert mask(at_random(), frame, "a.parquet") != mask(at_random(), frame, "b.parquet")
    assert mask(by_hash("k", salt="a"), frame) != mask(by_hash("k", salt="b"), frame)


def test_a_larger_fraction_keeps_the_rows_of_a_smaller_one() -> None:
    frame = pl.DataFrame({"k": range(500)})
    for rule_of in (at_random, lambda fraction: by_hash("k", fraction)):
        few, many = mask(rule_of(0.2), frame), mask(rule_of(0.6), frame)
        assert all(more for one, more in zip(few, many, strict=True) if one)


def test_thresholds_are_exact() -> None:
    assert threshold(0.5) == 2**63
    assert threshold(0.25) == 2**62
    assert threshold(5e-324) + 1 > 0
    assert threshold(1 - 2**-53) == 2**64 - 2**11


BLOCKS = st.one_of(
    st.floats(0.05, 0.95).flatmap(lambda f: st.integers(0, 99).map(lambda seed: at_random(f, seed))),
    st.floats(0.05, 0.95).flatmap(lambda f: st.text("ab", max_size=2).map(lambda salt: by_hash("k", f, salt))),
    st.lists(st.integers(0, 5), min_size=1, max_size=3).map(lambda values: by_column("k", *values)),
    st.dates(date(2018, 1, 1), date(2018, 1, 9)).flatmap(
        lambda a: st.dates(a, date(2018, 1, 9)).map(lambda b: date_range("t", str(a), str(b)))
    ),
)
ROWS = st.lists(
    st.tuples(st.none() | st.integers(0, 5), st.none() | st.dates(date(2018, 1, 1), date(2018, 1, 9))), max_size=30
)


@settings(max_examples=200, deadline=None)
@given(BLOCKS, ROWS, st.integers(0, 30))
def test_a_row_keeps_its_side_however_the_rows_are_cut_into_pieces(
    block: dict[str, Any], rows: list[tuple[Any, Any]], at: int
) -> None:
    frame = pl.DataFrame(rows, schema={"k": pl.Int64, "t": pl.Date}, orient="row").with_row_index(ROW)
    made = splitter(rule(block), frame.schema)
    assert made is not None
    whole = made.mask(frame, "f").to_list()
    assert made.mask(frame[:at], "f").to_list() + made.mask(frame[at:], "f").to_list() == whole
    for value, side in zip(frame[made.column] if made.column else [], whole, strict=bool(made.column)):
        assert not (value is None and side)


def test_no_block_and_none_mean_no_holdout() -> None:
    assert splitter(None, pl.Schema()) is None
    assert splitter(rule({"sampling_function": "NONE"}), pl.Schema()) is None
