"""SQL sources: read-only, one statement, in time, snapshotted before anything else sees the rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from railyard.compute.data import plan
from railyard.errors import AttemptError
from railyard.spec.attempt import DataAccess

duckdb = pytest.importorskip("duckdb")
Ask = Callable[..., Any]
ENDLESS = "SELECT sum(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b"
ENDLESS_LITE = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) AS n FROM t"


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    file = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "CREATE TABLE sales AS SELECT range AS id, DATE '2018-01-01' + CAST(range % 100 AS INTEGER) AS day,"
            " CAST(range AS DECIMAL(10, 2)) / 2 AS amount, CASE WHEN range % 3 = 0 THEN NULL ELSE 'c' || range % 7 END AS who"
            " FROM range(1000)"
        )
    return file


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    file = tmp_path / "notes.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE notes (id INTEGER, text TEXT, score REAL)")
        connection.executemany(
            "INSERT INTO notes VALUES (?, ?, ?)", [(n, f"n{n}", None if n < 3 else n / 2) for n in range(9)]
        )
    connection.close()
    return file


@pytest.fixture
def access(warehouse: Path, notes: Path) -> DataAccess:
    return DataAccess(
        connections={"sales": f"duckdb:///{warehouse}", "notes": f"sqlite:///{notes}", "memory": "duckdb:///"},
        sql_timeout_seconds=1,
    )


@pytest.fixture
def query(ask: Ask) -> Ask:
    def make(connection: str, text: str, *names: str, **rest: Any) -> Any:
        source = {"names": list(names), "source": "sql", "connection": connection, "query": text}
        return ask("unused", ["unused"], data={"features": [source]}, **rest)

    return make


def test_a_query_is_snapshotted_and_read_like_any_parquet(query: Ask, reader: Ask, access: DataAccess) -> None:
    filters = [{"feature_name": "day", "predicate": "Lt", "feature_value": {"string_val": "2018-01-03"}}]
    holdout = {"sampling_function": "HASH", "hash_sampling": {"column": "id", "fraction": 0.5}}
    request = query("sales", "SELECT * FROM sales ORDER BY id;", "id", "amount", filters=filters, holdout=holdout)
    made = reader(request, access)
    fetched = made.fetch()
    assert fetched.summary.experimental
    assert (fetched.summary.rows_read, fetched.summary.rows_after_filters) == (1000, 20)
    assert dict(fetched.training.schema)["amount"].is_decimal() or dict(fetched.training.schema)["amount"].is_float()
    (snapshot,) = made.snapshots()
    assert pl.read_parquet(snapshot)["id"].to_list() == list(range(1000))
    assert fetched.summary.fingerprint.files[0].path == "sql://sales"
    assert fetched.summary.fingerprint.files[0].sha256
    assert made.summary() == fetched.summary


def test_every_reading_of_one_reader_sees_the_snapshot(
    query: Ask, reader: Ask, access: DataAccess, warehouse: Path
) -> None:
    made = reader(query("sales", "SELECT id FROM sales", "id"), access)
    assert made.fetch().training.height == 1000
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("DELETE FROM sales")
    assert made.fetch().training.height == 1000


@pytest.mark.parametrize("text", ["SELECT * FROM sales", "WITH t AS (SELECT * FROM sales) SELECT * FROM t -- note"])
def test_a_plan_asks_for_columns_alone(query: Ask, access: DataAccess, text: str) -> None:
    found = plan(query("sales", text, "id"), access)
    assert {"id": "Int64", "day": "Date", "who": "String"}.items() <= found.columns.items()
    assert (found.rows_total, found.rows_estimated, found.bytes_estimated) == (None, None, None)
    with pytest.raises(AttemptError, match="the query on connection sales has no column idd"):
        plan(query("sales", text, "idd"), access)


def test_another_database_is_reached_by_its_sqlalchemy_url(query: Ask, reader: Ask, access: DataAccess) -> None:
    request = query("notes", "SELECT * FROM notes WHERE text LIKE 'n%' ORDER BY id", "id", "text", "score")
    fetched = reader(request, access).fetch()
    assert fetched.training["score"].to_list() == [None, None, None, *(n / 2 for n in range(3, 9))]
    assert plan(request, access).columns.keys() == {"id", "text", "score"}


def test_a_query_without_rows_is_an_empty_source(query: Ask, reader: Ask, access: DataAccess) -> None:
    for connection, table in (("sales", "sales"), ("notes", "notes")):
        with pytest.raises(AttemptError, match="the source holds no row") as caught:
            reader(query(connection, f"SELECT id FROM {table} WHERE id < 0", "id"), access).fetch()
        assert caught.value.report.code == "empty_train"


@pytest.mark.parametrize(
    ("connection", "text", "words"),
    [
        ("sales", "DELETE FROM sales", "read-only"),
        ("sales", "SELECT 1 AS id; SELECT 2 AS id", "expected one statement"),
        ("sales", "COPY sales TO 'out.csv'", "disabled by configuration"),
        ("sales", "SELECT * FROM read_csv('/etc/passwd')", "disabled by configuration"),
        ("sales", "SET enable_external_access = true", "locked"),
        ("sales", "SELECT nope FROM sales", "nope"),
        ("sales", "SELEC 1", "syntax error"),
        ("memory", "SELECT * FROM nowhere", "nowhere"),
        ("notes", "DELETE FROM notes", "readonly"),
        ("notes", "SELECT 1; SELECT 2", "one statement"),
        ("notes", "SELECT nope FROM notes", "nope"),
    ],
)
def test_a_query_that_fails_is_told_in_the_databases_words(
    query: Ask, reader: Ask, access: DataAccess, notes: Path, connection: str, text: str, words: str
) -> None:
    with pytest.raises(AttemptError, match=words) as caught:
        reader(query(connection, text, "id"), access).fetch()
    assert caught.value.report.code == "data_not_found"
    assert sqlite3.connect(notes).execute("SELECT count(*) FROM notes").fetchone() == (9,)


@pytest.mark.parametrize(("connection", "text"), [("sales", ENDLESS), ("notes", ENDLESS_LITE)])
def test_a_query_that_takes_too_long_is_stopped(
    query: Ask, reader: Ask, access: DataAccess, connection: str, text: str
) -> None:
    with pytest.raises(AttemptError, match=f"connection {connection} ran longer than 1 s") as caught:
        reader(query(connection, text, "n"), access).fetch()
    assert caught.value.report.code == "timeout"


def test_a_connection_that_is_not_known_is_told(query: Ask, reader: Ask, access: DataAccess) -> None:
    with pytest.raises(AttemptError, match="there is no data connection warehouse") as caught:
        reader(query("warehouse", "SELECT 1", "a"), access).fetch()
    assert caught.value.report.code == "data_not_found"


def test_a_driver_that_is_not_installed_is_named(query: Ask, reader: Ask) -> None:
    access = DataAccess(connections={"w": "mysql+pymysql://u:secret-word@127.0.0.1/db"})
    with pytest.raises(AttemptError, match="needs the Python module pymysql") as caught:
        reader(query("w", "SELECT 1 AS a", "a"), access).fetch()
    assert "secret-word" not in str(caught.value)


def test_a_missing_database_file_is_told(query: Ask, reader: Ask, tmp_path: Path) -> None:
    access = DataAccess(connections={"w": f"duckdb:///{tmp_path}/none.duckdb"})
    with pytest.raises(AttemptError) as caught:
        reader(query("w", "SELECT 1 AS a", "a"), access).fetch()
    assert caught.value.report.code in ("data_not_found", "storage_unavailable")
    assert "none.duckdb" in caught.value.message


@pytest.mark.parametrize("connection", ["sales", "notes"])  # the table bears the same name
def test_a_column_given_twice_is_refused(query: Ask, reader: Ask, access: DataAccess, connection: str) -> None:
    with pytest.raises(AttemptError, match="gives the column id more than once") as caught:
        reader(query(connection, f"SELECT id, id FROM {connection}", "id"), access).schema()
    assert caught.value.report.code == "schema_mismatch"


def test_a_random_split_over_rows_in_no_order_is_warned_about(query: Ask, reader: Ask, access: DataAccess) -> None:
    holdout = {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.5}}
    loose = reader(query("sales", "SELECT id FROM sales", "id", holdout=holdout), access).summary()
    firm = reader(query("sales", "SELECT id FROM sales Order  By id", "id", holdout=holdout), access).summary()
    assert any("has no ORDER BY" in note for note in loose.warnings)
    assert firm.warnings == ()
