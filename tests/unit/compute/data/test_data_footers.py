"""Footers by their last bytes: sizes, statistics, and files that are broken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from railyard.compute.data.filters import condition
from railyard.compute.data.footers import Footer, read_footer
from railyard.errors import AttemptError
from railyard.spec.request import Filter

Ask = Callable[..., Any]


def footer_of(path: Path) -> Footer:
    data = path.read_bytes()
    return read_footer(len(data), lambda count: data[len(data) - count :], str(path))


def groups(footer: Footer, column: str, predicate: str, **value: Any) -> list[int]:
    one = Filter.model_validate({"feature_name": column, "predicate": predicate, "feature_value": value or None})
    return [group.index for group in footer.groups([condition(one, footer.schema[column])])]


@pytest.fixture
def ten_groups(tmp_path: Path) -> Footer:
    """Ten row groups of ten rows; every column grows with the row."""
    rows = range(100)
    base = datetime(2018, 1, 1)
    frame = pl.DataFrame(
        {
            "i": rows,
            "u": pl.Series(rows, dtype=pl.UInt64) + 2**63,
            "f": pl.Series([float(row) for row in rows], dtype=pl.Float32),
            "s": [f"{row:03}" for row in rows],
            "c": pl.Series([f"{row:03}" for row in rows], dtype=pl.Categorical),
            "d": pl.Series(rows, dtype=pl.Int32).cast(pl.Date),
            "ms": pl.Series(rows, dtype=pl.Int64).cast(pl.Datetime("ms")),
            "ns": pl.Series(rows, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC")),
            "m": pl.Series([Decimal(row) / 2 for row in rows], dtype=pl.Decimal(10, 2)),
            "n": [None if row < 50 else row for row in rows],
            "t": [base] * 100,
        }
    )
    file = tmp_path / "ten.parquet"
    frame.write_parquet(file, row_group_size=10)
    return footer_of(file)


@pytest.mark.parametrize(
    ("column", "predicate", "value", "expected"),
    [
        ("i", "Eq", {"int_val": 55}, [5]),
        ("i", "Gt", {"float_val": 79.5}, [8, 9]),
        ("i", "IsIn", {"int_vals": [5, 95, 1000]}, [0, 9]),
        ("u", "Lt", {"int_val": 2**63 + 10}, [0]),
        ("f", "GtEq", {"float_val": 90.0}, [9]),
        ("s", "LtEq", {"string_val": "010"}, [0, 1]),
        ("c", "Eq", {"string_val": "042"}, [4]),
        ("d", "Lt", {"string_val": "1970-01-11"}, [0]),
        ("ms", "GtEq", {"string_val": "1970-01-01T00:00:00.090"}, [9]),
        ("ns", "Eq", {"string_val": "1970-01-01T00:00:00.000000033Z"}, [3]),
        ("m", "Gt", {"float_val": 47.0}, [9]),
        ("n", "IsNull", {}, [0, 1, 2, 3, 4]),
        ("n", "IsNotNull", {}, [5, 6, 7, 8, 9]),
        ("n", "NotEq", {"int_val": 1}, [5, 6, 7, 8, 9]),
        ("t", "Gt", {"string_val": "2020-01-01"}, []),
    ],
)
def test_statistics_leave_only_the_groups_that_can_match(
    ten_groups: Footer, column: str, predicate: str, value: dict[str, Any], expected: list[int]
) -> None:
    assert groups(ten_groups, column, predicate, **value) == expected


def test_groups_know_their_first_row(ten_groups: Footer) -> None:
    assert [(group.offset, group.rows) for group in ten_groups.groups([])] == [(10 * n, 10) for n in range(10)]


def test_bytes_are_those_of_the_columns_and_groups_read(ten_groups: Footer) -> None:
    everything = ten_groups.compressed(None)
    assert everything == sum(ten_groups.compressed([name]) for name in ten_groups.schema)
    assert ten_groups.compressed(["i"]) == sum(ten_groups.compressed(["i"], [one]) for one in ten_groups.groups([]))
    assert ten_groups.compressed([]) == ten_groups.compressed(None, []) == 0


def test_nested_columns_and_names_with_dots_are_counted_once(tmp_path: Path) -> None:
    table = pa.table({"a": [[1, 2], [3]], "a.b": [1, 2], "s": [{"x": 1, "y.z": 2.0}, {"x": 2, "y.z": 3.0}]})
    pq.write_table(table, tmp_path / "nested.parquet")
    found = footer_of(tmp_path / "nested.parquet")
    assert sum(found.compressed([name]) for name in ("a", "a.b", "s")) == found.compressed(None)
    assert groups(found, "a.b", "Eq", int_val=9) == []
    assert groups(found, "a", "IsNotNull") == [0]


def test_a_file_without_statistics_rules_out_nothing(tmp_path: Path) -> None:
    pl.DataFrame({"i": range(10)}).write_parquet(tmp_path / "plain.parquet", statistics=False)
    assert groups(footer_of(tmp_path / "plain.parquet"), "i", "Eq", int_val=99) == [0]


def test_nan_in_statistics_rules_out_nothing(tmp_path: Path) -> None:
    pq.write_table(pa.table({"f": [float("nan"), 1.0]}), tmp_path / "nan.parquet")
    assert groups(footer_of(tmp_path / "nan.parquet"), "f", "Eq", float_val=1.0) == [0]


def test_a_very_wide_file_needs_a_second_read(tmp_path: Path) -> None:
    names = [f"column_with_a_rather_long_name_{n:05}" for n in range(1500)]
    pl.DataFrame({name: [n] for n, name in enumerate(names)}).write_parquet(tmp_path / "wide.parquet")
    data = (tmp_path / "wide.parquet").read_bytes()
    asked: list[int] = []

    def tail(count: int) -> bytes:
        asked.append(count)
        return data[len(data) - count :]

    assert list(read_footer(len(data), tail, "wide").schema) == names
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: b"", "it is empty"),
        (lambda data: b"PAR1", "its last bytes are"),
        (lambda data: data[: len(data) // 2], "its last bytes are"),
        (lambda data: b"a,b\n1,2\n3,4\n5,6\n", "its last bytes are"),
        (lambda data: data[:-8] + (2**31).to_bytes(4, "little") + b"PAR1", "its footer claims"),
        (lambda data: data[:-60] + b"\xff" * 52 + data[-8:], ""),
    ],
)
def test_a_broken_file_is_named_with_the_engines_words(
    tmp_path: Path, ask: Ask, reader: Ask, damage: Callable[[bytes], bytes], words: str
) -> None:
    file = tmp_path / "broken.parquet"
    pl.DataFrame({"a": range(1000)}).write_parquet(file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(AttemptError) as caught:
        reader(ask(file, ["a"])).schema()
    assert caught.value.report.code == "data_not_found"
    assert str(file) in caught.value.message
    assert words in caught.value.message


def test_pages_that_cannot_be_read_name_the_file(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    for name in ("1", "2"):
        pl.DataFrame({"a": range(100_000)}).write_parquet(tmp_path / f"{name}.parquet", row_group_size=20_000)
    bad = tmp_path / "2.parquet"
    data = bytearray(bad.read_bytes())
    data[100:5000] = b"\xff" * 4900
    bad.write_bytes(data)
    for read in (lambda made: made.fetch(), lambda made: list(made.batches("training"))):
        with pytest.raises(AttemptError, match=r"2\.parquet cannot be read as Parquet") as caught:
            read(reader(ask(tmp_path, ["a"])))
        assert caught.value.report.code == "data_not_found"
