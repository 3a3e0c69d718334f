"""A request's data block against its sources: opened, checked, ready to read.

Nothing here reads rows, except where a SQL source is snapshotted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from railyard.compute.data import sql
from railyard.compute.data.filters import Condition, condition
from railyard.compute.data.holdout import Splitter, splitter
from railyard.compute.data.join import check_keys
from railyard.compute.data.projection import Projection, project
from railyard.compute.data.sources import DataFile, Located, local_stamp, locate
from railyard.compute.data.table import Table, open_files
from railyard.spec.attempt import DataAccess
from railyard.spec.request import FeatureSource, TrainingRequest


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before the first row is read."""

    tables: tuple[Table, ...]
    projection: Projection
    conditions: tuple[tuple[Condition, ...], ...]
    """The filters of each source, on its own columns."""
    splitter: Splitter | None
    snapshots: tuple[Path, ...] = ()
    """Parquet files that SQL sources were written to."""

    def reads(self, index: int) -> tuple[str, ...]:
        """The columns read from one source."""
        return self.projection.per_source[index]

    @property
    def bytes_read(self) -> int:
        """Compressed bytes of the columns read, less row groups ruled out by statistics (the others of a join are read
        whole).
        """
        first, *rest = range(len(self.tables))
        return self.tables[first].compressed(self.reads(first), self.conditions[first]) + sum(
            self.tables[index].compressed(self.reads(index)) for index in rest
        )

    @property
    def bytes_total(self) -> int:
        """Compressed bytes of everything in the sources."""
        return sum(table.compressed(None) for table in self.tables)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What opening the sources lost or changed."""
        return tuple(note for table in self.tables for note in table.warnings)

    @property
    def columns_available(self) -> int:
        """Distinct columns of all sources."""
        return len({name for table in self.tables for name in table.schema})


def prepare(
    request: TrainingRequest, access: DataAccess, *, scratch: Path | None, derived: Collection[str] = ()
) -> Prepared:
    """Opens the sources and checks the request against them.

    `scratch` is the folder for SQL snapshots; without one a SQL source is only asked for its columns.
    Raises AttemptError: `data_not_found`, `schema_mismatch`, `storage_unavailable`, `timeout`, `disk_full`.
    """
    tables, snapshots = [], []
    for index, source in enumerate(request.data.features):
        if source.source == "sql":
            file = scratch / f"sql-snapshot-{index}.parquet" if scratch else None
            tables.append(_query(source, access, file, by_row=index == 0 and _splits_by_row(request)))
            snapshots += [file] if file else []
        else:
            tables.append(open_files(source.path or "", locate(source.path or "", access)))
    return check(request, tables, derived, snapshots)


def check(
    request: TrainingRequest, tables: Sequence[Table], derived: Collection[str], snapshots: Sequence[Path] = ()
) -> Prepared:
    """The request against opened sources. Raises AttemptError `schema_mismatch`."""
    projection = project(request, tables, derived)
    if projection.keys:
        check_keys(tables, projection.keys)
    conditions = tuple(
        tuple(
            condition(given, tables[index].schema[given.feature_name])
            for given in request.data.filters
            if given.feature_name in projection.per_source[index]
            and (index == 0 or given.feature_name not in projection.keys)
        )
        for index in range(len(tables))
    )
    rule = splitter(request.data.holdout_sampling, projection.schema)
    return Prepared(tuple(tables), projection, conditions, rule, tuple(snapshots))


def _query(source: FeatureSource, access: DataAccess, file: Path | None, *, by_row: bool) -> Table:
    query = sql.query_of(source, access)
    if file is None:
        return Table(query.where, (), pl.Schema(sql.describe(query)))
    warnings = sql.snapshot(query, file) + _order(query, by_row)
    stat = file.stat()
    # The key is the same for every snapshot of this source: rows keep their side as long as the query gives them in one
    # order.
    snapshot = DataFile(f"sql://{query.connection}", str(file), "snapshot.parquet", stat.st_size, local_stamp(stat))
    table = open_files(query.where, Located((snapshot,)))
    return Table(table.where, table.parts, table.schema, warnings=warnings)


def _splits_by_row(request: TrainingRequest) -> bool:
    sampling = request.data.holdout_sampling
    return sampling is not None and sampling.sampling_function == "RANDOM"


def _order(query: sql.Query, by_row: bool) -> tuple[str, ...]:
    if not by_row or re.search(r"\border\s+by\b", query.text, re.IGNORECASE):
        return ()
    return (f"{query.where} has no ORDER BY: another run may give its rows, and so the RANDOM holdout, another order",)
