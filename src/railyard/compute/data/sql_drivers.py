"""How each kind of database answers a query: read-only, in one statement, within a time, as Arrow batches.

The drivers are heavy and optional, so each is imported where its connection is opened.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

BATCH_ROWS = 65_536
"""Rows per row group of a snapshot: what is held in memory while it is written."""


@dataclass(frozen=True)
class Answer:
    """Rows of a query as Arrow in types that Parquet knows; `batches` may be read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    warnings: tuple[str, ...] = ()


@contextmanager
def duckdb(url: str, text: str, timeout_seconds: float) -> Iterator[Answer]:
    """`duckdb:////folder/file.duckdb` (the settings made it absolute), opened read-only and locked in: the query
    reaches no other file, no extension and no setting.
    """
    import duckdb as engine

    path = unquote(urlsplit(url).path)[1:] or ":memory:"
    locked: dict[str, Any] = {"enable_external_access": "false", "lock_configuration": "true"}
    with engine.connect(path, read_only=path != ":memory:", config=locked) as connection:
        if len(engine.extract_statements(text)) != 1:
            raise ValueError("expected one statement")
        with _deadline(timeout_seconds, connection.interrupt):
            rows = connection.sql(text)
            if rows is None:
                raise ValueError("expected a statement that gives rows")
            reader = rows.to_arrow_reader(BATCH_ROWS)
            yield Answer(reader.schema, iter(reader))


@contextmanager
def postgres(url: str, text: str, timeout_seconds: float) -> Iterator[Answer]:
    """Any Postgres URL (a SQLAlchemy driver name in it is ignored), through ADBC, also by Unix socket."""
    import adbc_driver_postgresql.dbapi as adbc

    options = f"-c statement_timeout={int(timeout_seconds * 1000)} -c default_transaction_read_only=on"
    plain = re.sub(r"^postgres\w*(\+\w+)?://", "postgresql://", url)
    given = re.search(r"[?&]options=([^&]*)", plain)
    if given:
        plain = plain[: given.start(1)] + quote(f"{unquote(given[1])} {options}") + plain[given.end(1) :]
    else:
        plain += ("&" if "?" in plain else "?") + f"options={quote(options)}"
    with adbc.connect(plain) as connection, connection.cursor() as cursor:
        # After the first statement of a transaction Postgres refuses to make it writable, so the query itself cannot.
        cursor.execute("SELECT 1")
        cursor.fetchall()
        cursor.execute(text)
        reader = cursor.fetch_record_batch()
        schema, warnings = storable(reader.schema)
        yield Answer(schema, (stored(batch, schema) for batch in reader), warnings)


@contextmanager
def sqlalchemy(url: str, text: str, timeout_seconds: float) -> Iterator[Answer]:
    """Any other SQLAlchemy URL whose driver is installed. Never commits; the whole result is held in memory once."""
    from sqlalchemy import create_engine, pool

    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
        driver = connection.connection.dbapi_connection
        interrupt = getattr(driver, "interrupt", None) or getattr(driver, "cancel", None)
        with _deadline(timeout_seconds, interrupt or (lambda: None)):
            result = connection.execution_options(stream_results=True).exec_driver_sql(text)
            names = list(result.keys())
            # Positions until the end: a frame, unlike an answer, cannot hold a name twice.
            places = [str(place) for place in range(len(names))]
            frames = [
                pl.DataFrame([tuple(row) for row in rows], schema=places, orient="row", infer_schema_length=None)
                for rows in result.partitions(BATCH_ROWS)
            ]
        connection.rollback()
    whole = pl.concat(frames, how="vertical_relaxed") if frames else pl.DataFrame(schema=places)
    table = whole.to_arrow(compat_level=pl.CompatLevel.oldest()).rename_columns(names)
    yield Answer(table.schema, iter(table.to_batches(BATCH_ROWS)))


@contextmanager
def _deadline(seconds: float, interrupt: Callable[[], Any]) -> Iterator[None]:
    """Calls `interrupt` when the time is up."""
    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def storable(schema: pa.Schema) -> tuple[pa.Schema, tuple[str, ...]]:
    """Postgres's own types as types that Parquet and the engine know, with a warning where that loses something."""
    fields, warnings = [], []
    for field in schema:
        kind, lost = _plain_type(field)
        fields.append(pa.field(field.name, kind))
        warnings += [f"column {field.name}: {lost}"] if lost else []
    return pa.schema(fields), tuple(warnings)


def _plain_type(field: pa.Field) -> tuple[pa.DataType, str]:
    if not isinstance(field.type, pa.BaseExtensionType):
        return field.type, ""
    kind = getattr(field.type, "type_name", field.type.extension_name)
    if kind == "numeric":
        # Postgres packs numeric(precision, scale) into one number, plus 4.
        packed = int((field.metadata or {}).get(b"POSTGRESQL:typmod", b"-1")) - 4
        precision, scale = packed >> 16, packed & 0x7FF
        if packed > 0 and 0 < precision <= 38 and scale <= precision:
            return pa.decimal128(precision, scale), ""
        return (
            pa.float64(),
            "numeric without precision is read as a 64-bit float; cast it in the query to keep every digit",
        )
    if kind in ("uuid", "arrow.uuid"):
        return pa.string(), ""
    return field.type.storage_type, ""


def stored(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch in the types of `storable`."""
    columns = [_plain(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _plain(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    values = column.storage if isinstance(column, pa.ExtensionArray) else column
    if values.type == wanted:
        return values
    if pa.types.is_string(wanted) and not pa.types.is_string(values.type):
        return pa.array([None if raw is None else str(uuid.UUID(bytes=raw)) for raw in values.to_pylist()], wanted)
    return pc.cast(values, wanted)
