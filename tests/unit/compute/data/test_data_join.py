"""Several sources: an inner join on unique keys; everything ambiguous is refused."""

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


def source(path: Path, *names: str) -> dict[str, Any]:
    return {"names": list(names), "source": "file", "path": str(path)}


@pytest.fixture
def joined(tmp_path: Path, ask: Ask) -> Callable[..., Any]:
    """A request over frames, written as `0.parquet`, `1.parquet`, …; each names all its columns but the keys."""

    def make(*frames: pl.DataFrame, on: tuple[str, ...] = ("k",), names: Any = None, **rest: Any) -> Any:
        features = []
        for index, frame in enumerate(frames):
            frame.write_parquet(tmp_path / f"{index}.parquet", row_group_size=2)
            mine = names[index] if names else frame.columns
            features.append(source(tmp_path / f"{index}.parquet", *mine))
        return ask(
            "unused", ["unused"], data={"features": features, "join_on": list(on), **rest.pop("data", {})}, **rest
        )

    return make


ORDERS = pl.DataFrame({"k": ["b", "a", "b", None, "x", "c"], "amount": [1, 2, 3, 4, 5, 6]})
SHOPS = pl.DataFrame({"k": ["a", "b", "c", None, "unused"], "city": ["A", "B", "C", "N", "U"], "open": [True] * 5})


def test_rows_come_from_the_first_source_in_its_order(joined: Ask, reader: Ask) -> None:
    fetched = reader(joined(ORDERS, SHOPS)).fetch()
    assert fetched.training.rows() == [
        ("b", 1, "B", True),
        ("a", 2, "A", True),
        ("b", 3, "B", True),
        ("c", 6, "C", True),
    ]
    assert fetched.training.columns == ["k", "amount", "city", "open"]
    assert fetched.summary.rows_read == 4
    assert fetched.summary.columns_available == 4
    assert len(fetched.summary.fingerprint.files) == 2


def test_filters_on_either_side_and_on_keys_apply(joined: Ask, reader: Ask) -> None:
    filters = [
        {"feature_name": "city", "predicate": "NotEq", "feature_value": {"string_val": "A"}},
        {"feature_name": "amount", "predicate": "Lt", "feature_value": {"int_val": 6}},
        {"feature_name": "k", "predicate": "NotEq", "feature_value": {"string_val": "zzz"}},
    ]
    fetched = reader(joined(ORDERS, SHOPS, filters=filters)).fetch()
    assert fetched.training["amount"].to_list() == [1, 3]
    assert (fetched.summary.rows_read, fetched.summary.rows_after_filters) == (4, 2)


def test_batches_and_counts_agree_with_frames(joined: Ask, reader: Ask) -> None:
    block = {"column": "city", "holdout_values": ["B"]}
    request = joined(ORDERS, SHOPS, holdout={"sampling_function": "COLUMN", "column_sampling": block})
    fetched = reader(request).fetch()
    for split, frame in (("training", fetched.training), ("holdout", fetched.holdout)):
        assert pl.concat([pl.DataFrame(batch) for batch in reader(request).batches(split, 1)]).equals(frame)
    assert reader(request).summary() == fetched.summary


def test_three_sources_on_two_keys(joined: Ask, reader: Ask) -> None:
    facts = pl.DataFrame({"k": [1, 1, 2], "d": ["x", "y", "x"], "v": [10, 11, 20]})
    first = pl.DataFrame({"k": [1, 2], "d": ["x", "x"], "p": [True, False]})
    second = pl.DataFrame({"k": [2, 1], "d": ["x", "x"], "q": [0.5, 1.5]})
    fetched = reader(joined(facts, first, second, on=("k", "d"))).fetch()
    assert fetched.training.rows() == [(1, "x", 10, True, 1.5), (2, "x", 20, False, 0.5)]


def test_a_right_source_with_a_repeated_key_is_refused_with_an_example(joined: Ask, reader: Ask) -> None:
    twice = pl.concat([SHOPS, SHOPS.filter(pl.col("k") == "b")])
    with pytest.raises(
        AttemptError, match=r"1\.parquet holds the same join key more than once \(k = b; 2 rows in all\)"
    ) as e:
        reader(joined(ORDERS, twice)).fetch()
    assert e.value.report.code == "schema_mismatch"


def test_repeated_null_keys_are_no_keys(joined: Ask, reader: Ask) -> None:
    nulls = pl.concat([SHOPS, SHOPS.filter(pl.col("k").is_null())])
    assert reader(joined(ORDERS, nulls)).fetch().training.height == 4


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        ({"k": [1], "a": [1]}, {"k": [1], "a": [2]}, "column a is named by 2 sources"),
        ({"k": [1], "a": [1]}, {"k": ["1"], "b": [2]}, "join column k is Int64 in"),
        ({"k": [1.0], "a": [1]}, {"k": [1.0], "b": [2]}, "floats are no join keys"),
        ({"j": [1], "a": [1]}, {"k": [1], "b": [2]}, "no column k to join on"),
    ],
)
def test_what_cannot_be_joined_is_refused(
    joined: Ask, reader: Ask, left: dict[str, Any], right: dict[str, Any], words: str
) -> None:
    with pytest.raises(AttemptError, match=words) as caught:
        reader(joined(pl.DataFrame(left), pl.DataFrame(right))).fetch()
    assert caught.value.report.code == "schema_mismatch"


def test_an_unnamed_column_that_two_sources_hold_is_ambiguous_and_naming_it_settles_it(
    joined: Ask, reader: Ask
) -> None:
    left, right = pl.DataFrame({"k": [1], "a": [1], "y": [0]}), pl.DataFrame({"k": [1], "b": [2], "y": [9]})
    with pytest.raises(AttemptError, match="column y is found in 2 sources"):
        reader(joined(left, right, names=(["a"], ["b"]), label="y")).fetch()
    fetched = reader(joined(left, right, names=(["a"], ["b", "y"]), label="y")).fetch()
    assert fetched.training.to_dicts() == [{"a": 1, "b": 2, "y": 9, "k": 1}]


def test_a_column_named_in_the_wrong_source_is_missing_there(joined: Ask, reader: Ask) -> None:
    left, right = pl.DataFrame({"k": [1], "a": [1]}), pl.DataFrame({"k": [1], "b": [2]})
    with pytest.raises(AttemptError, match=r"0\.parquet has no column b"):
        reader(joined(left, right, names=(["a", "b"], ["k"]))).fetch()


def test_a_column_that_no_source_holds_is_told_with_all_columns(joined: Ask, reader: Ask) -> None:
    with pytest.raises(AttemptError, match="the join of 2 sources has no column cty; available: k, amount, city, open"):
        reader(joined(ORDERS, SHOPS, label="cty")).fetch()


def test_a_join_without_partners_leaves_nothing_to_train_on(joined: Ask, reader: Ask) -> None:
    with pytest.raises(AttemptError, match="nothing is left to train on") as caught:
        reader(joined(ORDERS, SHOPS.filter(pl.col("k") == "unused"))).fetch()
    assert caught.value.report.code == "empty_train"


def test_a_plan_counts_the_first_source_and_all_columns(joined: Ask) -> None:
    found = plan(joined(ORDERS, SHOPS), DataAccess())
    assert found.columns == {"k": "String", "amount": "Int64", "city": "String", "open": "Boolean"}
    assert (found.rows_total, found.files) == (6, 2)
