"""Real data sets, counted a second time by another engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import parts
import polars as pl
import pytest

from railyard.compute.data import Fetched, Reader, convert, plan
from railyard.spec.attempt import DataAccess
from railyard.spec.request import TrainingRequest
from railyard.validation import check_request

duckdb = pytest.importorskip("duckdb")


def request_for(*sources: tuple[Path, list[str]], **data: Any) -> TrainingRequest:
    features = [{"names": names, "source": "file", "path": str(path)} for path, names in sources]
    return check_request(
        {
            "model_description": "a test",
            "model_name": "test",
            "owner": "tests",
            "project": "tests",
            "trainer": "tests",
            "data": {"features": features, **data},
            "train": {"workflow_name": "Test"},
        }
    )


def fetch(request: TrainingRequest, scratch: Path) -> Fetched:
    return Reader(request, DataAccess(), scratch=scratch).fetch()


def count(path: Path, where: str) -> int:
    found = duckdb.sql(f"SELECT count(*) FROM read_parquet('{path}') WHERE {where}").fetchall()
    return int(found[0][0])


def condition(column: str, predicate: str, **value: Any) -> dict[str, Any]:
    return {"feature_name": column, "predicate": predicate, **({"feature_value": value} if value else {})}


def date_range(column: str, start: str, end: str) -> dict[str, Any]:
    block = {"date_column": column, "start_date": start, "end_date": end}
    return {"sampling_function": "DATE_RANGE", "date_range_sampling": block}


def test_fraud_is_split_by_time_and_skips_row_groups(tmp_path: Path) -> None:
    file = parts.data("fraud_sim/transactions.parquet")
    request = request_for(
        (file, ["tx_datetime", "tx_amount", "customer_id", "tx_fraud"]),
        filters=[
            condition("tx_datetime", "GtEq", string_val="2018-07-01"),
            condition("tx_amount", "Gt", float_val=10.5),
            condition("tx_datetime", "LtEq", string_val="2018-08-15"),
        ],
        holdout_sampling=date_range("tx_datetime", "2018-08-01", "2018-08-07"),
    )
    fetched = fetch(request, tmp_path)
    kept = "tx_datetime BETWEEN '2018-07-01' AND '2018-08-15' AND tx_amount > 10.5"
    inside = f"{kept} AND tx_datetime BETWEEN '2018-08-01' AND '2018-08-07'"
    assert fetched.holdout is not None
    assert fetched.summary.rows_read == 1_466_282
    assert fetched.summary.rows_after_filters == count(file, kept)
    assert fetched.holdout.height == count(file, inside)
    assert fetched.training.height + fetched.holdout.height == count(file, kept)
    assert fetched.summary.rows_train_after_holdout == count(file, f"{kept} AND tx_datetime > '2018-08-07'")
    assert fetched.summary.bytes_read < fetched.summary.bytes_total / 2
    estimate = plan(request, DataAccess()).rows_estimated
    assert estimate is not None
    assert fetched.summary.rows_after_filters <= estimate < 1_466_282


def test_flights_are_joined_with_their_planes(tmp_path: Path) -> None:
    flights, planes = parts.data("flights/nyc13_flights.parquet"), parts.data("flights/planes.parquet")
    request = request_for(
        (flights, ["date", "carrier", "distance", "arr_delay"]),
        (planes, ["manufacturer", "seats"]),
        join_on=["tailnum"],
        filters=[
            condition("arr_delay", "IsNotNull"),
            condition("seats", "GtEq", int_val=100),
            condition("carrier", "NotIn", string_vals=["UA", "AA"]),
        ],
        holdout_sampling=date_range("date", "2013-10-01", "2013-12-31"),
    )
    fetched = fetch(request, tmp_path)
    both = f"read_parquet('{flights}') f JOIN read_parquet('{planes}') p USING (tailnum)"
    kept = "arr_delay IS NOT NULL AND seats >= 100 AND carrier NOT IN ('UA', 'AA')"
    rows = duckdb.sql(
        f"SELECT count(*), count(*) FILTER ({kept}), count(*) FILTER ({kept} AND date >= '2013-10-01') FROM {both}"
    ).fetchall()[0]
    assert (fetched.summary.rows_read, fetched.summary.rows_after_filters, fetched.summary.rows_holdout) == rows
    assert fetched.training.columns == ["date", "carrier", "distance", "arr_delay", "manufacturer", "seats", "tailnum"]


def test_customers_stay_on_one_side_and_those_unknown_train(tmp_path: Path) -> None:
    file = parts.data("online_retail/lines.parquet")
    block = {"column": "customer_id", "fraction": 0.25}
    holdout = {"sampling_function": "HASH", "hash_sampling": block}
    fetched = fetch(request_for((file, ["customer_id", "quantity"]), holdout_sampling=holdout), tmp_path)
    assert fetched.holdout is not None
    held, trained = (set(frame["customer_id"].drop_nulls()) for frame in (fetched.holdout, fetched.training))
    assert held.isdisjoint(trained)
    assert 0.2 < len(held) / (len(held) + len(trained)) < 0.3
    assert fetched.holdout["customer_id"].null_count() == 0
    unknown = count(file, "customer_id IS NULL")
    assert fetched.training["customer_id"].null_count() == unknown
    assert f"{unknown} rows without customer_id went to training" in fetched.summary.warnings


def test_a_folder_with_train_and_test_is_one_source_and_pandas_keeps_its_types(tmp_path: Path) -> None:
    folder = parts.data("adult")
    holdout = {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.25, "seed": 0}}
    fetched = fetch(request_for((folder, ["age", "workclass", "label"]), holdout_sampling=holdout), tmp_path)
    again = fetch(request_for((folder, ["age", "workclass", "label"]), holdout_sampling=holdout), tmp_path)
    assert fetched.training.equals(again.training)
    assert fetched.summary == again.summary
    assert fetched.summary.rows_read == 32_561 + 16_281
    assert [Path(file.path).name for file in fetched.summary.fingerprint.files] == ["test.parquet", "train.parquet"]
    frame = convert(fetched.training, "pandas")
    assert (str(frame["age"].dtype), str(frame["label"].dtype)) == ("int32", "int8")


def test_millions_of_rows_stream_in_order(tmp_path: Path) -> None:
    file = parts.data("iowa_liquor/store_category_month.parquet")
    keep = condition("month", "GtEq", string_val="2019-01-01")
    reader = Reader(request_for((file, ["store", "month", "cents"]), filters=[keep]), DataAccess(), scratch=tmp_path)
    rows, cents = 0, 0
    for batch in reader.batches("training", 50_000):
        rows += batch.num_rows
        cents += int(pl.Series(batch.column("cents")).cast(pl.Int64).sum())
    expected = duckdb.sql(
        f"SELECT count(*), sum(cents) FROM read_parquet('{file}') WHERE month >= '2019-01-01'"
    ).fetchall()[0]
    assert (rows, cents) == expected
    assert reader.summary().rows_train == rows
