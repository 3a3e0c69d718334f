"""A Postgres SQL source through ADBC on a real server, by its Unix socket: types, read-only, time, and faults."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import create_engine, make_url, text

from railyard.compute.data import Reader, plan
from railyard.errors import AttemptError
from railyard.spec.attempt import DataAccess
from railyard.spec.request import TrainingRequest
from railyard.validation import check_request

TABLE = "data_source_sales"


def request_for(query: str, *names: str, **data: Any) -> TrainingRequest:
    source = {"names": list(names), "source": "sql", "connection": "shop", "query": query}
    return check_request(
        {
            "model_description": "a test",
            "model_name": "test",
            "owner": "tests",
            "project": "tests",
            "trainer": "tests",
            "data": {"features": [source], **data},
            "train": {"workflow_name": "Test"},
        }
    )


@pytest.fixture(scope="module")
def shop(postgres_url: str) -> Iterator[str]:
    """A table of 200,000 sales; the URL."""
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE IF EXISTS {TABLE}"))
        connection.execute(
            text(
                f"CREATE TABLE {TABLE} AS SELECT i AS id, timestamptz '2018-01-01 00:00Z' + i * interval '1 minute' AS at,"
                " (i / 100.0)::numeric(10, 2) AS exact, (i / 3.0)::numeric AS loose, md5(i::text)::uuid AS key,"
                " CASE WHEN i % 2 = 0 THEN 'even' END AS kind, i % 5 = 0 AS flag, json_build_object('i', i) AS extra"
                " FROM generate_series(0, 199999) i"
            )
        )
    yield postgres_url
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {TABLE}"))
    engine.dispose()


@pytest.fixture
def reader(shop: str, tmp_path: Path) -> Callable[..., Reader]:
    def make(request: TrainingRequest, url: str = shop, seconds: int = 60) -> Reader:
        access = DataAccess(connections={"shop": url}, sql_timeout_seconds=seconds)
        return Reader(request, access, scratch=tmp_path)

    return make


def refusal(made: Reader) -> AttemptError:
    with pytest.raises(AttemptError) as caught:
        made.fetch()
    return caught.value


def test_a_query_is_snapshotted_filtered_and_split(reader: Callable[..., Reader]) -> None:
    request = request_for(
        f"SELECT * FROM {TABLE} ORDER BY id",
        "id",
        "exact",
        "kind",
        filters=[{"feature_name": "at", "predicate": "Lt", "feature_value": {"string_val": "2018-01-02"}}],
        holdout_sampling={
            "sampling_function": "DATE_RANGE",
            "date_range_sampling": {
                "date_column": "at",
                "start_date": "2018-01-01T12:00",
                "end_date": "2018-01-01T23:59:00",
            },
        },
    )
    made = reader(request)
    fetched = made.fetch()
    assert fetched.summary.experimental
    assert (fetched.summary.rows_read, fetched.summary.rows_train, fetched.summary.rows_holdout) == (200_000, 720, 720)
    assert fetched.training["id"].to_list() == list(range(720))
    (snapshot,) = made.snapshots()
    assert pl.read_parquet(snapshot).height == 200_000


def test_postgres_types_become_types_to_train_on(reader: Callable[..., Reader], shop: str) -> None:
    names = ["id", "at", "exact", "loose", "key", "kind", "flag", "extra"]
    request = request_for(f"SELECT * FROM {TABLE} WHERE id < 3 ORDER BY id", *names)
    fetched = reader(request).fetch()
    assert dict(fetched.training.schema) == {
        "id": pl.Int32,
        "at": pl.Datetime("us", "UTC"),
        "exact": pl.Decimal(10, 2),
        "loose": pl.Float64,
        "key": pl.String,
        "kind": pl.String,
        "flag": pl.Boolean,
        "extra": pl.String,
    }
    assert fetched.training["key"][0] == "cfcd2084-95d5-65ef-66e7-dff9f98764da"
    assert fetched.training["loose"].to_list() == pytest.approx([0, 1 / 3, 2 / 3])
    assert [note for note in fetched.summary.warnings if note.startswith("column loose")]
    planned = plan(request, DataAccess(connections={"shop": shop}))
    assert planned.columns == {name: str(dtype) for name, dtype in fetched.training.schema.items()}
    assert planned.rows_total is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (f"DELETE FROM {TABLE} RETURNING id", "read-only transaction"),
        ("CREATE TABLE mine (id int)", "read-only transaction"),
        (f"WITH gone AS (DELETE FROM {TABLE} RETURNING id) SELECT id FROM gone", "read-only transaction"),
        ("SELECT set_config('transaction_read_only', 'off', false) AS id", "must be set before any query"),
        ("SET TRANSACTION READ WRITE", "must be set before any query"),
        ("SELECT 1 AS id; SELECT 2 AS id", "multiple commands"),
        ("SELECT id FROM nowhere", 'relation "nowhere" does not exist'),
        (f"SELECT nope FROM {TABLE}", 'column "nope" does not exist'),
        ("SELEC 1", "syntax error"),
    ],
)
def test_a_query_that_fails_is_told_in_the_databases_words_and_changes_nothing(
    reader: Callable[..., Reader], shop: str, query: str, words: str
) -> None:
    error = refusal(reader(request_for(query, "id")))
    assert error.report.code == "data_not_found"
    assert words in error.message
    with create_engine(shop).connect() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {TABLE}")).scalar() == 200_000


def test_a_query_that_takes_too_long_is_stopped(reader: Callable[..., Reader]) -> None:
    error = refusal(reader(request_for("SELECT 1 AS id FROM pg_sleep(60)", "id"), seconds=1))
    assert error.report.code == "timeout"
    assert "ran longer than 1 s" in error.message


def test_a_wrong_password_is_told_without_telling_it(reader: Callable[..., Reader], shop: str) -> None:
    if not make_url(shop).password:
        pytest.skip("this server asks for no password")
    wrong = make_url(shop).set(password="a-wrong-word").render_as_string(hide_password=False)
    error = refusal(reader(request_for("SELECT 1 AS id", "id"), wrong))
    assert "password authentication failed" in error.message
    assert "a-wrong-word" not in str(error) + error.report.model_dump_json()


def test_a_server_that_is_away_is_unavailable(reader: Callable[..., Reader]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = refusal(reader(request_for("SELECT 1 AS id", "id"), f"postgresql://u:p@127.0.0.1:{port}/db"))
    assert error.report.code == "storage_unavailable"
