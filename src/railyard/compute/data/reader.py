"""The reading of one attempt: schema, frames, batches, counts; always the same rows in the same order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import polars as pl
import pyarrow as pa

from railyard.compute.data.batches import Piece, pieces, rebatch
from railyard.compute.data.fingerprint import fingerprint, source_files
from railyard.compute.data.join import Right, count_matches, load_rights
from railyard.compute.data.prepare import Prepared, prepare
from railyard.compute.data.tally import Tally
from railyard.spec.attempt import DataAccess
from railyard.spec.request import TrainingRequest
from railyard.spec.result import DataSummary

Split = Literal["training", "holdout"]


@dataclass(frozen=True)
class Fetched:
    """Both splits in memory. Columns stand in the order of the projection; rows in the order of the sources."""

    training: pl.DataFrame
    holdout: pl.DataFrame | None
    """None where the request has no holdout."""
    summary: DataSummary


class Reader:
    """Reads what a request's data block describes: projection, filters and split applied.

    `derived` are columns that the workflow's `preprocess` adds. `scratch` is a folder for SQL snapshots; a SQL query
    runs once per reader, at first use, and every reading sees the snapshot. Opening is lazy: the first method called
    raises AttemptError `data_not_found`, `schema_mismatch`, `storage_unavailable`, `timeout` (SQL) or `disk_full`; each
    reading may raise `empty_train`, `empty_holdout` and `data_changed`.
    """

    def __init__(
        self, request: TrainingRequest, access: DataAccess, *, scratch: Path, derived: Collection[str] = ()
    ) -> None:
        self._request = request
        self._access = access
        self._scratch = scratch
        self._derived = frozenset(derived)
        self._summary: DataSummary | None = None

    @cached_property
    def _prepared(self) -> Prepared:
        return prepare(self._request, self._access, scratch=self._scratch, derived=self._derived)

    @cached_property
    def _rights(self) -> list[Right]:
        prepared = self._prepared
        return load_rights(prepared.tables, prepared.projection, prepared.conditions)

    def schema(self) -> pl.Schema:
        """The columns that frames and batches will have, with their types."""
        return self._prepared.projection.schema

    def snapshots(self) -> tuple[Path, ...]:
        """Parquet files with the results of SQL sources, for keeping beside the model."""
        return self._prepared.snapshots

    def fetch(self) -> Fetched:
        """Reads both splits into memory.

        Peak memory is their size, once more that of 64 MB of compressed Parquet, and the sources that are joined.
        """
        tally = Tally()
        sides: dict[bool, list[pl.DataFrame]] = {False: [], True: []}
        for piece in self._pieces(tally, self._prepared.reads(0), in_memory=True):
            for holdout, frames in sides.items():
                frames.append(self._deliver(piece.side(holdout)))
        summary = self._finish(tally)
        empty = pl.DataFrame(schema=self.schema())
        training = pl.concat([empty, *sides[False]])
        return Fetched(training, pl.concat([empty, *sides[True]]) if self._prepared.splitter else None, summary)

    def batches(self, split: Split, rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """One split as Arrow batches of exactly `rows` rows (the last may be shorter), in the order of `fetch`.

        Memory holds one row group and one batch. Without a holdout, "holdout" gives nothing. An empty split raises at
        the end.
        """
        if rows < 1:
            raise ValueError(f"rows must be at least 1, got {rows}")
        if split not in ("training", "holdout"):
            raise ValueError(f'split must be "training" or "holdout", got {split!r}')
        return self._batches(split == "holdout", rows)

    def _batches(self, holdout: bool, rows: int) -> Iterator[pa.RecordBatch]:
        tally = Tally()
        found = self._pieces(tally, self._prepared.reads(0), in_memory=False)
        yield from rebatch((self._deliver(piece.side(holdout)) for piece in found), rows)
        self._finish(tally)

    def summary(self) -> DataSummary:
        """Counts and fingerprint; reads only what filters and split need, unless a reading has counted already."""
        if self._summary is None:
            tally = Tally()
            for _ in self._pieces(tally, self._needed_to_count(), in_memory=False):
                pass
            self._finish(tally)
        assert self._summary is not None
        return self._summary

    def _needed_to_count(self) -> tuple[str, ...]:
        prepared = self._prepared
        wanted = {*prepared.projection.keys, *(one.column for one in prepared.conditions[0])}
        wanted |= {prepared.splitter.column} if prepared.splitter and prepared.splitter.column else set()
        return tuple(column for column in prepared.reads(0) if column in wanted)

    def _pieces(self, tally: Tally, columns: tuple[str, ...], *, in_memory: bool) -> Iterator[Piece]:
        for piece in pieces(self._prepared, self._rights, columns, in_memory=in_memory):
            tally.add(piece.rows, piece.mask, self._prepared.splitter)
            yield piece

    def _deliver(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.select(self._prepared.projection.columns)

    def _finish(self, tally: Tally) -> DataSummary:
        """Checks and digests once every row was seen.

        What does not hold is told by every reading, not by the first alone.
        """
        prepared, rule = self._prepared, self._prepared.splitter
        for table in prepared.tables:
            table.verify_unchanged()
        rows_read = self._rows_read
        tally.check(rows_read, self._request.data.filters, rule)
        if self._summary is None:
            files = source_files(prepared.tables)
            self._summary = DataSummary(
                fingerprint=fingerprint(files, self.schema(), tally.rows),
                rows_read=rows_read,
                rows_after_filters=tally.rows,
                rows_train=tally.training,
                rows_holdout=tally.holdout,
                rows_train_after_holdout=tally.after if rule and rule.after else None,
                columns=prepared.projection.columns,
                columns_available=prepared.columns_available,
                bytes_read=prepared.bytes_read,
                bytes_total=prepared.bytes_total,
                experimental=self._request.experimental,
                warnings=(*prepared.warnings, *tally.warnings(rule)),
            )
            # Again, as the digests were read after the rows.
            for table in prepared.tables:
                table.verify_unchanged()
        return self._summary

    @cached_property
    def _rows_read(self) -> int:
        if not self._rights:
            return self._prepared.tables[0].rows
        return count_matches(self._prepared.tables[0], self._rights, self._prepared.projection.keys)
