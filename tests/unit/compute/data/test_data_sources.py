"""Paths lead to files in one order: file, folder, glob, partitions, mapped buckets; what is not there is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from railyard.compute.data.sources import fixed_prefix, glob_regex, hive_values, locate, readable
from railyard.errors import AttemptError
from railyard.spec.attempt import DataAccess

NOTHING = DataAccess()
Ask = Callable[..., Any]


def put(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns or {"a": [1]}).write_parquet(path)
    return path


def keys(path: Path | str, access: DataAccess = NOTHING) -> list[str]:
    return [file.key for file in locate(str(path), access).files]


def refusal(path: Path | str, access: DataAccess = NOTHING) -> AttemptError:
    with pytest.raises(AttemptError) as caught:
        locate(str(path), access)
    assert caught.value.report.code == "data_not_found"
    return caught.value


def test_a_file_is_itself_whatever_its_name(tmp_path: Path) -> None:
    for name in ("data.parquet", "no-suffix", "_hidden.parquet", "with space and %20.parquet", "brackets[1].parquet"):
        put(tmp_path / name)
        assert keys(tmp_path / name) == [name]


def test_a_folder_gives_its_parquet_files_sorted_and_leaves_out_notes(tmp_path: Path) -> None:
    for name in ("b.parquet", "a/2.parq", "a/1.pq", "a-b.parquet", "_SUCCESS", "_tmp/x.parquet", ".x.parquet", "n.csv"):
        put(tmp_path / name)
    assert keys(tmp_path) == ["a-b.parquet", "a/1.pq", "a/2.parq", "b.parquet"]
    assert keys(f"{tmp_path}/") == keys(tmp_path)


def test_a_glob_stays_in_its_folder_and_two_stars_cross_folders(tmp_path: Path) -> None:
    for name in ("x/1.parquet", "x/2.parquet", "y/1.parquet", "x/z/3.parquet", "x/1.csv", "top.parquet"):
        put(tmp_path / name)
    assert keys(tmp_path / "*.parquet") == ["top.parquet"]
    assert keys(tmp_path / "*" / "1.parquet") == ["x/1.parquet", "y/1.parquet"]
    assert keys(tmp_path / "x" / "[12].parquet") == ["1.parquet", "2.parquet"]
    assert keys(tmp_path / "x" / "?.*") == ["1.parquet", "2.parquet"]
    assert keys(tmp_path / "**" / "*.parquet") == keys(tmp_path)
    assert keys(tmp_path / "x*") == ["x/1.parquet", "x/2.parquet", "x/z/3.parquet"]


def test_keys_do_not_depend_on_where_the_source_lies(tmp_path: Path) -> None:
    for root in ("here", "there/deep"):
        put(tmp_path / root / "d=1" / "a.parquet")
    assert keys(tmp_path / "here") == keys(tmp_path / "there/deep") == ["d=1/a.parquet"]


def test_file_urls_and_home_are_local_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a b.parquet")
    assert keys(f"file://{tmp_path}/a%20b.parquet") == ["a b.parquet"]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keys("~/a b.parquet") == ["a b.parquet"]


def test_a_relative_path_begins_in_the_folder_of_the_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "started" / "in.parquet", a=[1, 2])
    put(tmp_path / "beside.parquet")
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path / "scratch")  # where an attempt runs
    access = DataAccess(folder=str(tmp_path / "started"))
    assert keys("in.parquet", access) == ["in.parquet"]
    assert keys("../beside.parquet", access) == ["beside.parquet"]
    assert keys(tmp_path / "beside.parquet", access) == ["beside.parquet"]
    monkeypatch.chdir(tmp_path)
    assert keys("started/in.parquet") == ["in.parquet"]


def test_a_mapped_bucket_is_a_folder_and_keeps_its_s3_name(tmp_path: Path) -> None:
    put(tmp_path / "to" / "parquet" / "fraud_data.parq")
    access = DataAccess(buckets={"path": str(tmp_path)})
    (found,) = locate("s3://path/to/parquet/fraud_data.parq", access).files
    assert found.uri == "s3://path/to/parquet/fraud_data.parq"
    assert found.path == str(tmp_path / "to/parquet/fraud_data.parq")
    assert not found.remote
    assert keys("s3://path/to", access) == ["parquet/fraud_data.parq"]
    assert locate("s3://path/to/*", access).files[0].uri == found.uri


def test_a_mapped_bucket_cannot_be_left(tmp_path: Path) -> None:
    put(tmp_path / "secret.parquet")
    (tmp_path / "bucket").mkdir()
    assert (
        "leaves its bucket"
        in refusal("s3://b/../secret.parquet", DataAccess(buckets={"b": str(tmp_path / "bucket")})).message
    )


def test_what_is_not_there_is_told_with_what_is(tmp_path: Path) -> None:
    put(tmp_path / "real.parquet")
    assert "holds real.parquet" in refusal(tmp_path / "reel.parquet").message
    assert "nor does the folder" in refusal(tmp_path / "no" / "where.parquet").message
    assert "holds no Parquet file" in refusal(tmp_path / "*.parq").message
    (tmp_path / "empty").mkdir()
    assert "holds no Parquet file" in refusal(tmp_path / "empty").message
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "rows.csv").write_text("a\n1\n")
    assert "there is rows.csv" in refusal(tmp_path / "csv").message


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a.parquet", True),
        ("x/a.parq", True),
        ("_year=2018/a.parquet", True),
        ("a.csv", False),
        ("_temporary/a.parquet", False),
        ("x/.a.parquet", False),
    ],
)
def test_names_with_an_underscore_or_a_dot_are_no_data(key: str, expected: bool) -> None:
    assert readable(key) is expected


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("a/*.parquet", "a/x.parquet", True),
        ("a/*.parquet", "a/b/x.parquet", False),
        ("a/**/x.parquet", "a/x.parquet", True),
        ("a/**/x.parquet", "a/b/c/x.parquet", True),
        ("a/**", "a/b/c/x.parquet", True),
        ("a/day=*", "a/day=1/x.parquet", True),
        ("a/day=*", "a/days/x.parquet", False),
        ("a/[!b]/x", "a/c/x", True),
        ("a/[!b]/x", "a/b/x", False),
        ("a/[ab]?", "a/bx", True),
        ("a.b/*", "aXb/c", False),
        ("a/[", "a/[", True),
    ],
)
def test_a_glob_over_keys_means_what_a_glob_over_files_means(pattern: str, key: str, expected: bool) -> None:
    assert (glob_regex(pattern).fullmatch(key) is not None) is expected


def test_the_fixed_part_of_a_glob() -> None:
    assert fixed_prefix("a/b/*/c") == "a/b"
    assert fixed_prefix("/*/c") == "/"
    assert fixed_prefix("*") == ""


def test_partitions_need_the_same_names_in_every_file() -> None:
    assert hive_values(["d=1/e=x/f.parquet", "d=2/e=y%2Fz/f.parquet"]) == {"d": ["1", "2"], "e": ["x", "y/z"]}
    assert hive_values(["d=__HIVE_DEFAULT_PARTITION__/f.parquet"]) == {"d": [None]}
    assert hive_values(["d=1/f.parquet", "f.parquet"]) == {}
    assert hive_values(["f.parquet"]) == hive_values([]) == {}


def test_partitions_are_columns_with_types_that_filter_and_prune(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    for day in ("2018-01-01", "2018-01-02", "2018-01-03"):
        for country in ("US", "CA"):
            put(tmp_path / f"day={day}" / f"country={country}" / "hour=07" / "p.parquet", a=[int(day[-1])] * 3)
    filters = [
        {"feature_name": "day", "predicate": "GtEq", "feature_value": {"string_val": "2018-01-02"}},
        {"feature_name": "country", "predicate": "NotEq", "feature_value": {"string_val": "CA"}},
        {"feature_name": "hour", "predicate": "Eq", "feature_value": {"int_val": 7}},
    ]
    made = reader(ask(tmp_path, ["country", "a", "day", "hour"], filters=filters))
    fetched = made.fetch()
    assert dict(made.schema()) == {"country": pl.String, "a": pl.Int64, "day": pl.Date, "hour": pl.Int64}
    assert fetched.training["a"].to_list() == [2] * 3 + [3] * 3
    assert fetched.training["country"].unique().to_list() == ["US"]
    assert 0 < fetched.summary.bytes_read == fetched.summary.bytes_total // 3
    assert fetched.summary.rows_read == 18


def test_the_default_partition_is_null(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    for value in ("1", "__HIVE_DEFAULT_PARTITION__"):
        put(tmp_path / f"k={value}" / "p.parquet")
    assert reader(ask(tmp_path, ["k"])).fetch().training["k"].to_list() == [1, None]
    filters = [{"feature_name": "k", "predicate": "IsNull"}]
    assert reader(ask(tmp_path, ["a"], filters=filters)).fetch().training["k"].to_list() == [None]


def test_a_column_stored_in_the_files_wins_over_the_folders_name(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    put(tmp_path / "k=1" / "p.parquet", k=[7])
    assert reader(ask(tmp_path, ["k"])).fetch().training["k"].to_list() == [7]


def test_partition_like_folders_above_the_source_are_not_columns(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    put(tmp_path / "k=1" / "p.parquet")
    with pytest.raises(AttemptError, match="no column k"):
        reader(ask(tmp_path / "k=1", ["a", "k"])).fetch()


def test_files_of_one_source_must_agree_on_types(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    put(tmp_path / "1.parquet", a=[1], b=[1])
    put(tmp_path / "2.parquet", a=["x"])
    with pytest.raises(AttemptError, match=r"column a is String in .*2\.parquet and Int64 in the files before it"):
        reader(ask(tmp_path, ["a"])).fetch()
    with pytest.raises(AttemptError, match=r"2\.parquet has no column b, other files of .* have"):
        reader(ask(tmp_path, ["b"])).fetch()


def test_a_file_whose_column_is_all_null_takes_the_others_type(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    put(tmp_path / "1.parquet", a=[None, None])
    put(tmp_path / "2.parquet", a=["x", None])
    filters = [{"feature_name": "a", "predicate": "Eq", "feature_value": {"string_val": "x"}}]
    assert reader(ask(tmp_path, ["a"])).fetch().training["a"].to_list() == [None, None, "x", None]
    assert reader(ask(tmp_path, ["a"], filters=filters)).fetch().training["a"].to_list() == ["x"]


def test_a_column_that_is_null_everywhere_is_null(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    put(tmp_path / "1.parquet", a=[None, None], b=[1, 2])
    compared = {"feature_name": "a", "predicate": "NotEq", "feature_value": {"string_val": "x"}}
    empty = {"feature_name": "a", "predicate": "IsNull"}
    assert reader(ask(tmp_path, ["a", "b"], filters=[empty])).fetch().training.rows() == [(None, 1), (None, 2)]
    with pytest.raises(AttemptError, match="nothing is left"):
        reader(ask(tmp_path, ["b"], filters=[compared])).fetch()
