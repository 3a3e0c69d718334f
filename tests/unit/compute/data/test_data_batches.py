"""Batches: exact sizes, the same rows as frames, memory of one row group."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from railyard.compute.data import windows
from railyard.compute.data.batches import rebatch

Ask = Callable[..., Any]


@given(st.lists(st.integers(0, 7), max_size=12), st.integers(1, 9))
def test_batches_have_exactly_the_size_asked_for_and_keep_the_order(heights: list[int], rows: int) -> None:
    numbers = iter(range(1000))
    frames = [pl.DataFrame({"a": [next(numbers) for _ in range(height)]}, schema={"a": pl.Int64}) for height in heights]
    found = list(rebatch(iter(frames), rows))
    assert [value for batch in found for value in batch.column("a").to_pylist()] == list(range(sum(heights)))
    assert all(batch.num_rows == rows for batch in found[:-1])
    assert all(0 < batch.num_rows <= rows for batch in found)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Three files of several row groups; `n` counts through all of them."""
    for number in range(3):
        start = number * 1000
        frame = pl.DataFrame({"n": range(start, start + 1000), "k": [f"key-{n % 77}" for n in range(1000)]})
        frame.write_parquet(tmp_path / f"part-{number}.parquet", row_group_size=150)
    return tmp_path


HOLDOUTS = [
    {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.3, "seed": 5}},
    {"sampling_function": "HASH", "hash_sampling": {"column": "k", "fraction": 0.3}},
    {"sampling_function": "COLUMN", "column_sampling": {"column": "k", "holdout_values": ["key-1", "key-2"]}},
]
FILTERS = [
    {"feature_name": "n", "predicate": "GtEq", "feature_value": {"int_val": 380}},
    {"feature_name": "n", "predicate": "Lt", "feature_value": {"float_val": 2620.5}},
]


@pytest.mark.parametrize("holdout", HOLDOUTS)
@pytest.mark.parametrize("rows", [1, 64, 100_000])
def test_batches_hold_the_rows_of_fetch_in_the_same_order(
    many: Path, ask: Ask, reader: Ask, holdout: Any, rows: int
) -> None:
    request = ask(many, ["n"], filters=FILTERS, holdout=holdout)
    fetched = reader(request).fetch()
    for split, frame in (("training", fetched.training), ("holdout", fetched.holdout)):
        found = [value for batch in reader(request).batches(split, rows) for value in batch.column("n").to_pylist()]
        assert found == frame["n"].to_list()
    assert reader(request).summary() == fetched.summary
    both = fetched.training["n"].to_list() + fetched.holdout["n"].to_list()
    assert sorted(both) == list(range(380, 2621))


def test_huge_row_groups_are_cut(many: Path, ask: Ask, reader: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    request = ask(many, ["n"], filters=FILTERS, holdout=HOLDOUTS[0])
    expected = reader(request).fetch().training["n"].to_list()
    monkeypatch.setattr(windows, "PIECE_ROWS", 37)
    found = [value for batch in reader(request).batches("training", 50) for value in batch.column("n").to_pylist()]
    assert found == expected


@pytest.mark.parametrize(("limit", "files"), [(1, 16), (1500, 16), (5000, 16), (10**9, 2)])
def test_limits_of_a_reading_change_neither_rows_nor_order(
    many: Path, ask: Ask, reader: Ask, monkeypatch: pytest.MonkeyPatch, limit: int, files: int
) -> None:
    request = ask(many, ["n"], filters=FILTERS, holdout=HOLDOUTS[0])
    expected = reader(request).fetch()
    monkeypatch.setattr(windows, "BYTES_AT_ONCE", limit)
    monkeypatch.setattr(windows, "FILES_AT_ONCE", files)
    found = reader(request).fetch()
    assert found.training.equals(expected.training)
    assert found.holdout.equals(expected.holdout)


def test_an_unknown_split_and_a_size_below_one_are_refused_at_once(many: Path, ask: Ask, reader: Ask) -> None:
    made = reader(ask(many, ["n"]))
    with pytest.raises(ValueError, match='"training" or "holdout"'):
        made.batches("test")
    with pytest.raises(ValueError, match="at least 1"):
        made.batches("training", 0)


def test_without_a_holdout_its_batches_are_none(many: Path, ask: Ask, reader: Ask) -> None:
    assert list(reader(ask(many, ["n"])).batches("holdout")) == []


MEASURE = """
import resource, sys
from pathlib import Path
from railyard.compute.data import Reader
from railyard.spec.attempt import DataAccess
from railyard.validation import parse_request
reader = Reader(parse_request(Path(sys.argv[1]).read_text()), DataAccess(), scratch=Path(sys.argv[1]).parent)
batches = reader.batches("training", 10_000)
next(batches)
early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = 10_000 + sum(batch.num_rows for batch in batches)
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - early)
"""


def test_memory_does_not_grow_with_the_source(tmp_path: Path, ask: Ask) -> None:
    """128 MB of numbers that no encoding shrinks pass through a process that grows by less than half of that."""
    import numpy as np

    numbers = np.random.default_rng(0)
    for number in range(4):
        frame = pl.DataFrame({name: numbers.random(1_000_000) for name in "abcd"})
        frame.write_parquet(tmp_path / f"{number}.parquet", row_group_size=50_000, compression="uncompressed")
    holdout = {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.1}}
    (tmp_path / "request.json").write_text(ask(tmp_path, list("abcd"), holdout=holdout).model_dump_json())
    answer = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "request.json")], capture_output=True, text=True, check=True
    )
    rows, kilobytes = map(int, answer.stdout.split())
    assert 3_500_000 < rows < 3_700_000
    assert kilobytes < 64_000
