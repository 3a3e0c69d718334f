"""Rows in pieces: row group by row group, so that memory holds one of them, however large the sources are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from railyard.compute.data.frames import arrow
from railyard.compute.data.join import Right, join
from railyard.compute.data.prepare import Prepared
from railyard.compute.data.table import Part, engine_errors
from railyard.compute.data.windows import one_by_one, together


@dataclass(frozen=True)
class Piece:
    """Rows of one file after the filters, with ROW, and their split (None: no holdout)."""

    rows: pl.DataFrame
    mask: pl.Series | None

    def side(self, holdout: bool) -> pl.DataFrame:
        """The rows of one side."""
        if self.mask is None:
            return self.rows.clear() if holdout else self.rows
        return self.rows.filter(self.mask if holdout else ~self.mask)


def pieces(prepared: Prepared, rights: Sequence[Right], columns: Sequence[str], *, in_memory: bool) -> Iterator[Piece]:
    """Every row that the filters leave, in order: files by key, rows as in the file.

    `columns` of the first source are read (its filters and the rule's column must be among them). `in_memory` reads
    more at once, which is faster, where the rows are kept anyway.
    """
    first, conditions, rule = prepared.tables[0], prepared.conditions[0], prepared.splitter
    for windows in together(first, conditions, columns) if in_memory else one_by_one(first, conditions):
        scans = [first.scan(window.part, columns, conditions, window.rows) for window in windows]
        for window, frame in zip(windows, _collect(scans, [window.part for window in windows]), strict=True):
            rows = join(frame, rights, prepared.projection.keys)
            yield Piece(rows, rule.mask(rows, window.part.file.key) if rule else None)


def _collect(scans: Sequence[pl.LazyFrame], parts: Sequence[Part]) -> list[pl.DataFrame]:
    if len(scans) == 1:
        with engine_errors(parts[0].file):
            return [scans[0].collect()]
    try:
        return pl.collect_all(scans)
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException):
        # One by one, to learn which file it was.
        return [_collect([scan], [part])[0] for scan, part in zip(scans, parts, strict=True)]


def rebatch(frames: Iterator[pl.DataFrame], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows as Arrow batches of exactly `rows` rows; the last one may be shorter."""
    waiting: list[pl.DataFrame] = []
    count = 0
    for frame in frames:
        if frame.height:
            waiting.append(frame)
            count += frame.height
        if count < rows:
            continue
        whole = pl.concat(waiting)
        for start in range(0, count - rows + 1, rows):
            yield _batch(whole.slice(start, rows))
        rest = whole.slice(count - count % rows)
        waiting, count = ([rest] if rest.height else []), rest.height
    if count:
        yield _batch(pl.concat(waiting))


def _batch(frame: pl.DataFrame) -> pa.RecordBatch:
    return arrow(frame).combine_chunks().to_batches()[0]
