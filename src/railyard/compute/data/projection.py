"""Which columns are read, and from which source each of them comes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from railyard.compute.data.problems import listed, mismatch, missing_columns
from railyard.compute.data.table import Table
from railyard.spec.request import TrainingRequest, needed_columns


@dataclass(frozen=True)
class Projection:
    """The columns a reading delivers, and what each source contributes (join keys come first in every source)."""

    columns: tuple[str, ...]
    """In the order of `needed_columns`."""
    schema: pl.Schema
    """Of `columns`."""
    per_source: tuple[tuple[str, ...], ...]
    keys: tuple[str, ...]


def project(request: TrainingRequest, tables: Sequence[Table], derived: Collection[str] = ()) -> Projection:
    """Assigns every needed column to its source.

    A name in `derived` is left out where no source holds it, because `preprocess` adds it later; filters, holdout and
    join run before `preprocess`, so that what they read must be in the source. Raises AttemptError `schema_mismatch`: a
    column that is missing (with the available ones and the nearest), that two sources offer, or that has two types.
    """
    data = request.data
    keys = data.join_on
    early = {condition.feature_name for condition in data.filters} | set(keys)
    early |= {data.holdout_sampling.column} if data.holdout_sampling and data.holdout_sampling.column else set()
    named = [set(source.names) - set(keys) for source in data.features]
    owners: dict[str, int] = {}
    missing: list[str] = []
    for column in needed_columns(request):
        _refuse_pattern(column)
        if column in keys:
            continue
        holders = [index for index, table in enumerate(tables) if column in table.schema]
        asked = [index for index, names in enumerate(named) if column in names]
        if len(asked) > 1:
            raise _twice(column, [tables[index].where for index in asked], "named by")
        if asked and asked[0] not in holders and not (column in derived and column not in early):
            tables[asked[0]].check([column])
        if asked and asked[0] in holders:
            owners[column] = asked[0]
        elif len(holders) > 1:
            raise _twice(column, [tables[index].where for index in holders], "found in")
        elif holders:
            owners[column] = holders[0]
        elif column in early or column not in derived:
            missing.append(column)
    if missing:
        raise _missing(missing, tables, set(derived) & set(missing))
    per_source = []
    for index, table in enumerate(tables):
        mine = [*keys, *(column for column, owner in owners.items() if owner == index)]
        table.check(mine, " to join on" if not set(keys) <= set(table.schema) else "")
        per_source.append(tuple(mine))
    columns = tuple(column for column in needed_columns(request) if column in owners or column in keys)
    whole = {column: tables[owners.get(column, 0)].schema[column] for column in columns}
    return Projection(columns, pl.Schema(whole), tuple(per_source), keys)


def _refuse_pattern(column: str) -> None:
    """The engine reads `*` and `^…$` as patterns over all columns, so a column of that name cannot be told from one."""
    if column == "*" or (column.startswith("^") and column.endswith("$")):
        raise mismatch(
            f"the column name {column} is a pattern to the engine", "rename the column in the source", column=column
        )


def _twice(column: str, places: Sequence[str], how: str) -> Exception:
    return mismatch(
        f"column {column} is {how} {len(places)} sources: {listed(places)}",
        "list it in the names of one source alone, or rename it in the data; only join_on may be shared",
        column=column,
        sources=list(places),
    )


def _missing(missing: Sequence[str], tables: Sequence[Table], derived: Collection[str]) -> Exception:
    available = list(dict.fromkeys(name for table in tables for name in table.schema))
    where = tables[0].where if len(tables) == 1 else f"the join of {len(tables)} sources"
    why = f" (filters, holdout and join run before preprocess adds {listed(sorted(derived))})" if derived else ""
    return missing_columns(missing, available, where, why)
