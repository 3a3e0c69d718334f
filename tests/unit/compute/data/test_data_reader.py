"""Readings end to end: the documented request, counts, fingerprints, changes, and empty splits."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railyard.compute.data import Reader
from railyard.errors import AttemptError
from railyard.spec.attempt import DataAccess

Ask = Callable[..., Any]
DAY = date(2018, 1, 1)


@pytest.fixture
def charges(tmp_path: Path) -> Path:
    """A bucket folder with the file of the documented request: one row per six hours over 400 days."""
    file = tmp_path / "bucket" / "to" / "parquet" / "fraud_data.parq"
    file.parent.mkdir(parents=True)
    moments = [datetime(2017, 12, 15, tzinfo=UTC) + timedelta(hours=6 * n) for n in range(1600)]
    dice = random.Random(0)
    pl.DataFrame(
        {
            "created_at": moments,
            "charge_type": [dice.choice(["card", "ach", None]) for _ in moments],
            "charge_amount": [dice.choice([5.0, 10.0, 10.01, 250.0, None]) for _ in moments],
            "charge_country": [dice.choice(["US", "CA", "GB", None]) for _ in moments],
            "has_fraud_dispute": [dice.random() < 0.1 for _ in moments],
            "is_fraudulent": [dice.random() < 0.1 for _ in moments],
            "unused": [dice.random() for _ in moments],
        }
    ).write_parquet(file, row_group_size=100)
    return tmp_path / "bucket"


SEED_FILTERS = [
    {"feature_name": "created_at", "predicate": "GtEq", "feature_value": {"string_val": "2018-01-01"}},
    {"feature_name": "created_at", "predicate": "LtEq", "feature_value": {"string_val": "2019-01-01"}},
    {"feature_name": "charge_amount", "predicate": "Gt", "feature_value": {"float_val": 10.00}},
    {"feature_name": "charge_country", "predicate": "IsIn", "feature_value": {"string_vals": ["US", "CA"]}},
]
SEED_HOLDOUT = {
    "sampling_function": "DATE_RANGE",
    "date_range_sampling": {"date_column": "created_at", "start_date": "2018-10-01", "end_date": "2019-01-01"},
}
SEED_NAMES = ["created_at", "charge_type", "charge_amount", "charge_country", "has_fraud_dispute"]


def test_the_documented_request_filters_then_splits(charges: Path, ask: Ask, reader: Ask) -> None:
    path = "s3://path/to/parquet/fraud_data.parq"
    request = ask(path, SEED_NAMES, filters=SEED_FILTERS, holdout=SEED_HOLDOUT, label="is_fraudulent")
    fetched = reader(request, DataAccess(buckets={"path": str(charges)})).fetch()
    frame = pl.read_parquet(charges / "to/parquet/fraud_data.parq")
    start, middle, end = (datetime(y, m, 1, tzinfo=UTC) for y, m in ((2018, 1), (2018, 10), (2019, 1)))
    kept = frame.filter(
        pl.col("created_at").is_between(start, end),
        pl.col("charge_amount") > 10,
        pl.col("charge_country").is_in(["US", "CA"]),
    ).select(*SEED_NAMES, "is_fraudulent")
    assert fetched.training.equals(kept.filter(pl.col("created_at") < middle))
    assert fetched.holdout is not None
    assert fetched.holdout.equals(kept.filter(pl.col("created_at") >= middle))
    summary = fetched.summary
    assert summary.rows_read == 1600
    assert summary.rows_after_filters == kept.height == summary.rows_train + summary.rows_holdout
    assert summary.rows_train_after_holdout == 0
    assert 0 < summary.bytes_read < summary.bytes_total
    assert summary.fingerprint.files[0].path == path
    assert summary.fingerprint.files[0].sha256 is not None
    assert list(summary.fingerprint.schema_) == list(summary.columns) == [*SEED_NAMES, "is_fraudulent"]
    assert summary.warnings == ()
    assert not summary.experimental


def test_a_row_exactly_at_the_end_of_the_range_is_held_out(charges: Path, ask: Ask, reader: Ask) -> None:
    fetched = reader(ask(charges, ["created_at"], holdout=SEED_HOLDOUT)).fetch()
    assert fetched.holdout["created_at"].max() == datetime(2019, 1, 1, tzinfo=UTC)
    assert fetched.holdout["created_at"].min() == datetime(2018, 10, 1, tzinfo=UTC)


def test_training_rows_after_the_holdout_are_kept_counted_and_warned_about(
    charges: Path, ask: Ask, reader: Ask
) -> None:
    fetched = reader(ask(charges, ["created_at"], holdout=SEED_HOLDOUT)).fetch()
    later = fetched.training.filter(pl.col("created_at") > datetime(2019, 1, 1, tzinfo=UTC)).height
    assert fetched.summary.rows_train_after_holdout == later > 0
    assert any(f"{later} training rows are later than the holdout" in note for note in fetched.summary.warnings)


def test_without_a_holdout_block_everything_trains(charges: Path, ask: Ask, reader: Ask) -> None:
    for holdout in (None, {"sampling_function": "NONE"}):
        fetched = reader(ask(charges, ["created_at"], holdout=holdout)).fetch()
        assert fetched.holdout is None
        assert fetched.summary.rows_train == 1600
        assert fetched.summary.rows_train_after_holdout is None
        assert fetched.summary.rows_holdout == 0


def test_projection_and_filters_lower_the_bytes_read(charges: Path, ask: Ask, reader: Ask) -> None:
    one = reader(ask(charges, ["created_at"])).summary()
    two = reader(ask(charges, ["created_at", "unused"])).summary()
    late = {"feature_name": "created_at", "predicate": "Gt", "feature_value": {"string_val": "2018-06-01"}}
    fewer = reader(ask(charges, ["created_at", "unused"], filters=[late])).summary()
    assert one.bytes_read < two.bytes_read < two.bytes_total == one.bytes_total
    assert fewer.bytes_read < two.bytes_read


DATES = st.none() | st.dates(DAY, date(2018, 1, 9))
KEYS = st.none() | st.integers(0, 5)
SAMPLINGS: st.SearchStrategy[dict[str, Any] | None] = st.one_of(
    st.none(),
    st.just({"sampling_function": "NONE"}),
    st.integers(0, 9).map(
        lambda seed: {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.4, "seed": seed}}
    ),
    st.just({"sampling_function": "HASH", "hash_sampling": {"column": "k", "fraction": 0.4}}),
    st.just({"sampling_function": "COLUMN", "column_sampling": {"column": "k", "holdout_values": [0, 1]}}),
    st.dates(date(2018, 1, 3), date(2018, 1, 9)).map(
        lambda end: {
            "sampling_function": "DATE_RANGE",
            "date_range_sampling": {"date_column": "t", "start_date": "2018-01-03", "end_date": str(end)},
        }
    ),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(KEYS, DATES), min_size=1, max_size=25), SAMPLINGS, st.integers(1, 3))
def test_training_and_holdout_are_disjoint_and_together_everything(
    ask: Ask, tmp_path_factory: pytest.TempPathFactory, rows: Any, holdout: Any, files: int
) -> None:
    folder = tmp_path_factory.mktemp("split")
    frame = pl.DataFrame(rows, schema={"k": pl.Int64, "t": pl.Date}, orient="row").with_row_index("row")
    for number in range(files):
        frame[number::files].write_parquet(folder / f"{number}.parquet", row_group_size=4)
    reader = Reader(ask(folder, ["row", "k", "t"], holdout=holdout), DataAccess(), scratch=folder)
    try:
        fetched = reader.fetch()
    except AttemptError as error:
        assert error.report.code in ("empty_train", "empty_holdout")  # noqa: PT017
        return
    train = fetched.training["row"].to_list()
    held = fetched.holdout["row"].to_list() if fetched.holdout is not None else []
    assert sorted(train + held) == list(range(len(rows)))
    assert (fetched.summary.rows_train, fetched.summary.rows_holdout) == (len(train), len(held))
    if holdout and holdout["sampling_function"] != "NONE":
        column = {"DATE_RANGE": "t", "HASH": "k", "COLUMN": "k"}.get(holdout["sampling_function"])
        assert column is None or fetched.holdout[column].null_count() == 0


def test_rows_come_in_the_order_of_names_then_of_rows_every_time(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    for name in ("b", "a", "c/a", "B", "a-1"):
        file = tmp_path / f"{name}.parquet"
        file.parent.mkdir(exist_ok=True)
        pl.DataFrame({"f": [name] * 300, "n": range(300)}).write_parquet(file, row_group_size=50)
    request = ask(tmp_path, ["f", "n"], holdout={"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.5}})
    readings = [reader(request).fetch() for _ in range(3)]
    assert all(one.training.equals(readings[0].training) for one in readings)
    order = readings[0].training["f"].unique(maintain_order=True).to_list()
    assert order == ["B", "a-1", "a", "b", "c/a"]
    for _, rows in readings[0].training.group_by("f"):
        assert rows["n"].is_sorted()


def test_a_random_split_outlives_a_move_and_a_new_file(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    holdout = {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.5}}

    def held(folder: Path) -> set[int]:
        return set(reader(ask(folder, ["n"], holdout=holdout)).fetch().holdout["n"].to_list())

    (tmp_path / "one").mkdir()
    pl.DataFrame({"n": range(100)}).write_parquet(tmp_path / "one" / "b.parquet")
    before = held(tmp_path / "one")
    (tmp_path / "one").rename(tmp_path / "two")
    pl.DataFrame({"n": range(100, 200)}).write_parquet(tmp_path / "two" / "a.parquet")
    assert {n for n in held(tmp_path / "two") if n < 100} == before


def test_filters_do_not_move_a_row_across_the_split(charges: Path, ask: Ask, reader: Ask) -> None:
    holdout = {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.5}}
    every = reader(ask(charges, ["created_at"], holdout=holdout)).fetch()
    some = reader(ask(charges, ["created_at"], holdout=holdout, filters=SEED_FILTERS)).fetch()
    assert set(some.holdout["created_at"]) <= set(every.holdout["created_at"])
    assert set(some.training["created_at"]) <= set(every.training["created_at"])


def test_the_same_data_has_the_same_fingerprint_and_other_data_another(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    file = tmp_path / "data.parquet"

    def digest(names: list[str], rows: list[int], **rest: Any) -> str:
        pl.DataFrame({"a": rows, "b": rows}).write_parquet(file)
        return str(reader(ask(file, names, **rest)).summary().fingerprint.sha256)

    first = digest(["a"], [1, 2])
    assert digest(["a"], [1, 2]) == first
    keep = {"feature_name": "a", "predicate": "Gt", "feature_value": {"int_val": 1}}
    others = {digest(["b"], [1, 2]), digest(["a"], [1, 3]), digest(["a"], [1, 2], filters=[keep])}
    assert len(others | {first}) == 4


def test_a_fingerprint_is_json_like_the_other_records(charges: Path, ask: Ask, reader: Ask) -> None:
    dumped = reader(ask(charges, ["created_at"])).summary().model_dump(mode="json", by_alias=True)
    assert json.loads(json.dumps(dumped))["fingerprint"]["schema"] == {
        "created_at": "Datetime(time_unit='us', time_zone='UTC')"
    }


def overwrite(file: Path) -> None:
    pl.DataFrame({"a": range(50)}).write_parquet(file)


def shrink(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize("change", [overwrite, shrink, Path.unlink])
@pytest.mark.parametrize("read", ["fetch", "batches", "summary"])
def test_a_file_that_changes_after_it_was_opened_is_told_as_changed(
    tmp_path: Path, ask: Ask, reader: Ask, change: Callable[[Path], None], read: str
) -> None:
    file = tmp_path / "data.parquet"
    pl.DataFrame({"a": range(100)}).write_parquet(file)
    made = reader(ask(file, ["a"]))
    made.schema()
    change(file)
    with pytest.raises(AttemptError) as caught:
        list(made.batches("training")) if read == "batches" else getattr(made, read)()
    assert caught.value.report.code == "data_changed"
    assert str(file) in caught.value.message


def test_a_change_between_two_readings_of_one_reader_is_noticed(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    file = tmp_path / "data.parquet"
    pl.DataFrame({"a": range(100)}).write_parquet(file)
    made = reader(ask(file, ["a"]))
    made.fetch()
    overwrite(file)
    with pytest.raises(AttemptError, match="changed while it was being read"):
        made.fetch()


def refusal(made: Reader) -> AttemptError:
    found = []
    for read in (made.fetch, made.summary, lambda: list(made.batches("training"))):
        with pytest.raises(AttemptError) as caught:
            read()
        found.append(caught.value)
    assert len({one.report.model_dump_json() for one in found}) == 1
    return found[0]


def test_filters_that_leave_nothing_are_told_with_their_values(charges: Path, ask: Ask, reader: Ask) -> None:
    filters = [
        {"feature_name": "charge_amount", "predicate": "Gt", "feature_value": {"float_val": 1e9}},
        {"feature_name": "charge_country", "predicate": "IsIn", "feature_value": {"string_vals": ["US", "CA"]}},
    ]
    error = refusal(reader(ask(charges, ["created_at"], filters=filters, holdout=SEED_HOLDOUT)))
    assert error.report.code == "empty_train"
    assert "none of 1600 rows satisfies charge_amount Gt 1000000000.0 and charge_country IsIn US, CA" in error.message


def test_an_empty_date_range_is_told_with_the_dates_there_are(charges: Path, ask: Ask, reader: Ask) -> None:
    block = {"date_column": "created_at", "start_date": "2031-01-01", "end_date": "2031-12-31"}
    error = refusal(
        reader(ask(charges, ["created_at"], holdout={"sampling_function": "DATE_RANGE", "date_range_sampling": block}))
    )
    assert error.report.code == "empty_holdout"
    assert "created_at from 2031-01-01 to 2031-12-31, both included" in error.message
    assert "goes from 2017-12-15 00:00:00+00:00 to 2019-01-18 18:00:00+00:00" in error.message
    assert error.report.evidence["rows_after_filters"] == 1600


def test_a_holdout_that_takes_everything_leaves_nothing_to_train_on(charges: Path, ask: Ask, reader: Ask) -> None:
    block = {"date_column": "created_at", "start_date": "2000-01-01", "end_date": "2031-12-31"}
    error = refusal(
        reader(ask(charges, ["created_at"], holdout={"sampling_function": "DATE_RANGE", "date_range_sampling": block}))
    )
    assert error.report.code == "empty_train"
    assert "takes all of the 1600 rows" in error.message


def test_a_holdout_value_that_never_occurs_is_told(charges: Path, ask: Ask, reader: Ask) -> None:
    block = {"column": "charge_country", "holdout_values": ["usa"]}
    error = refusal(
        reader(ask(charges, ["created_at"], holdout={"sampling_function": "COLUMN", "column_sampling": block}))
    )
    assert error.report.code == "empty_holdout"
    assert "charge_country is one of usa" in error.message
    assert "of them have no charge_country" in error.message


def test_a_source_without_rows_is_told(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    pl.DataFrame({"a": []}, schema={"a": pl.Int64}).write_parquet(tmp_path / "none.parquet")
    error = refusal(reader(ask(tmp_path, ["a"])))
    assert error.report.code == "empty_train"
    assert "the source holds no row" in error.message


def test_a_column_may_have_any_name(tmp_path: Path, ask: Ask, reader: Ask) -> None:
    names = ["a.b", "with space", "Ünï", "^a", "**", "row"]
    pl.DataFrame({name: [n, 9] for n, name in enumerate(names)}).write_parquet(tmp_path / "odd.parquet")
    keep = {"feature_name": "^a", "predicate": "Eq", "feature_value": {"int_val": 3}}
    fetched = reader(ask(tmp_path, names, filters=[keep])).fetch()
    assert fetched.training.rows() == [tuple(range(6))]


@pytest.mark.parametrize("name", ["*", "^a.*$"])
def test_a_name_that_the_engine_reads_as_a_pattern_is_refused(tmp_path: Path, ask: Ask, reader: Ask, name: str) -> None:
    pl.DataFrame({"a": [1], name: [2]}).write_parquet(tmp_path / "odd.parquet")
    with pytest.raises(AttemptError, match="is a pattern to the engine"):
        reader(ask(tmp_path, [name])).fetch()
