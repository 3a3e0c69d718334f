"""Several sources as one, by inner join.

The first gives the rows and their order; the others are looked up by keys that are unique in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from railyard.compute.data.filters import Condition, expression
from railyard.compute.data.problems import mismatch
from railyard.compute.data.projection import Projection
from railyard.compute.data.table import ROW, Table, engine_errors


@dataclass(frozen=True)
class Right:
    """A source that is looked up, held in memory as a whole."""

    keys: pl.DataFrame
    """Every key it holds."""
    rows: pl.DataFrame
    """The rows that its filters leave."""


def check_keys(tables: Sequence[Table], keys: Sequence[str]) -> None:
    """Raises AttemptError `schema_mismatch` where a key has different types, or one that has no exact equality."""
    for key in keys:
        first = tables[0].schema[key]
        if first.is_float():
            raise mismatch(
                f"column {key} is {first} in {tables[0].where}: floats are no join keys",
                "join on whole numbers, text or dates",
                column=key,
                type=str(first),
            )
        for table in tables[1:]:
            if table.schema[key] != first:
                raise mismatch(
                    f"join column {key} is {first} in {tables[0].where} and {table.schema[key]} in {table.where}",
                    "write the column with the same type in every source",
                    column=key,
                    types=[str(first), str(table.schema[key])],
                )


def load_rights(
    tables: Sequence[Table], projection: Projection, conditions: Sequence[Sequence[Condition]]
) -> list[Right]:
    """Reads every source but the first. Raises AttemptError `schema_mismatch` where a key occurs twice."""
    return [
        _load(tables[index], projection.per_source[index], projection.keys, conditions[index])
        for index in range(1, len(tables))
    ]


def _load(table: Table, columns: Sequence[str], keys: Sequence[str], conditions: Sequence[Condition]) -> Right:
    frames = []
    for part in table.parts:
        with engine_errors(part.file):
            frames.append(table.scan(part, columns, ()).drop(ROW).collect())
    whole = pl.concat(frames).drop_nulls(list(keys))
    repeated = whole.select(keys).filter(pl.struct(keys).is_duplicated())
    if repeated.height:
        example = ", ".join(f"{key} = {value}" for key, value in zip(keys, repeated.row(0), strict=True))
        raise mismatch(
            f"{table.where} holds the same join key more than once ({example}; {repeated.height} rows in all)",
            "a joined source must be unique on join_on: aggregate it, or put it first in features",
            keys=list(keys),
            rows=repeated.height,
        )
    kept = whole.filter(*(expression(wanted) for wanted in conditions)) if conditions else whole
    return Right(whole.select(keys), kept)


def join(rows: pl.DataFrame, rights: Sequence[Right], keys: Sequence[str]) -> pl.DataFrame:
    """Adds the columns of every right source; rows without a partner fall out; the order stays."""
    for right in rights:
        rows = rows.join(right.rows, on=list(keys), how="inner", maintain_order="left")
    return rows


def count_matches(table: Table, rights: Sequence[Right], keys: Sequence[str]) -> int:
    """Rows of the join before any filter."""
    found = 0
    for part in table.parts:
        with engine_errors(part.file):
            rows = table.scan(part, keys, ()).collect()
        for right in rights:
            rows = rows.join(right.keys, on=list(keys), how="semi")
        found += rows.height
    return found
