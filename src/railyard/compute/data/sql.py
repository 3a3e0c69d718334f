"""SQL sources: one read-only query by connection name, snapshotted to Parquet before anything looks at its rows.

Rows of a database change under a model, so the snapshot is what the job read, and the job is marked experimental.
Drivers: DuckDB, Postgres through ADBC, anything else by a SQLAlchemy URL whose driver the runtime holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import polars as pl
import pyarrow.parquet as pq

from railyard.compute.data.problems import DISK_FULL, disk_errors, first_lines, listed, mismatch, not_found
from railyard.compute.data.sql_drivers import BATCH_ROWS, Answer, duckdb, postgres, sqlalchemy
from railyard.errors import AttemptError
from railyard.spec.attempt import DataAccess
from railyard.spec.request import FeatureSource


@dataclass(frozen=True)
class Query:
    """A query of a request with the URL its connection leads to."""

    connection: str
    text: str
    url: str = field(repr=False)
    timeout_seconds: int

    @property
    def where(self) -> str:
        """The source in words."""
        return f"the query on connection {self.connection}"


def query_of(source: FeatureSource, access: DataAccess) -> Query:
    """Raises AttemptError `data_not_found` for a connection that this installation does not know."""
    name, text = source.connection or "", (source.query or "").strip().rstrip(";").rstrip()
    if name not in access.connections:
        raise not_found(
            f"there is no data connection {name}",
            "name one of the server's [connections], or add it to railyard.toml",
            connection=name,
        )
    return Query(name, text, access.connections[name], access.sql_timeout_seconds)


def snapshot(query: Query, file: Path) -> tuple[str, ...]:
    """Runs the query and writes its rows to a Parquet file; returns warnings.

    Raises AttemptError: `data_not_found` (the query fails, in the database's own words), `timeout`,
    `storage_unavailable` (no connection), `disk_full`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with disk_errors(file.parent), _answer(query, query.text) as answer:
        with pq.ParquetWriter(part, answer.schema, compression="zstd") as writer:
            for batch in answer.batches:
                writer.write_batch(batch, row_group_size=BATCH_ROWS)
        part.rename(file)
        return answer.warnings


def describe(query: Query) -> pl.Schema:
    """The columns that the query would give, without its rows. Raises as `snapshot` does."""
    # The text is the user's own query, run as the connection's read-only user either way.
    empty = f"SELECT * FROM (\n{query.text}\n) AS railyard_source LIMIT 0"  # noqa: S608
    with _answer(query, empty) as answer:
        return pl.Schema(pl.DataFrame(answer.schema.empty_table()).schema)


@contextmanager
def _answer(query: Query, text: str) -> Iterator[Answer]:
    scheme = urlsplit(query.url).scheme
    open_answer = duckdb if scheme == "duckdb" else postgres if scheme.startswith("postgres") else sqlalchemy
    try:
        with open_answer(query.url, text, query.timeout_seconds) as answer:
            _refuse_repeated(query, answer.schema.names)
            yield answer
    except AttemptError:
        raise
    except ModuleNotFoundError as error:
        raise not_found(
            f"connection {query.connection} needs the Python module {error.name}, which this runtime does not hold",
            f"add {error.name} to the lock of the code project",
            connection=query.connection,
        ) from None
    except Exception as error:
        # A full disk is an OSError too; so is a Postgres timeout, which ADBC reports while rows are fetched.
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise
        raise _failed(query, error) from None


def _refuse_repeated(query: Query, names: list[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise mismatch(
            f"{query.where} gives the column {listed(repeated)} more than once",
            "name each column once, with AS where two tables share a name",
            columns=repeated,
        )


def _failed(query: Query, error: Exception) -> AttemptError:
    password = unquote(urlsplit(query.url).password or "")
    words = first_lines(error)
    for secret in (password, quote(password, safe="")):
        words = words.replace(secret, "***") if secret else words
    low = words.lower()
    if any(sign in low for sign in ("statement timeout", "interrupt", "canceling statement")):
        return AttemptError(
            "timeout",
            f"{query.where} ran longer than {query.timeout_seconds} s",
            mend="select fewer rows, or raise sql_timeout_seconds in the server's settings",
            evidence={"connection": query.connection, "timeout_seconds": query.timeout_seconds},
        )
    signs = (
        "could not connect",
        "connection refused",
        "connection failed",
        "no such file or directory",
        "server closed",
        "could not translate host",
        "failed to connect",
        "timeout expired",
        "name or service",
    )
    if any(sign in low for sign in signs):
        return AttemptError(
            "storage_unavailable",
            f"connection {query.connection} does not answer: {words}",
            mend="check that the database is up and reachable from the machine that trains",
            evidence={"connection": query.connection},
        )
    return not_found(
        f"{query.where} failed: {words}", "run the query by hand with the same connection", query=query.text
    )
