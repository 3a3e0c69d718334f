"""Parquet footers: schema, rows, sizes and statistics of a file from its last kilobytes, wherever it lies."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from railyard.compute.data.coerce import kind_of
from railyard.compute.data.filters import Bounds, Condition, may_hold
from railyard.compute.data.problems import unreadable

FIRST_READ = 64 * 1024
"""Bytes of the first request: holds the footer of all but very wide files."""
MAGIC = b"PAR1"
_UNITS = {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


@dataclass(frozen=True)
class Group:
    """One row group: where its rows begin in the file and how many there are."""

    index: int
    offset: int
    rows: int


@dataclass(frozen=True)
class Footer:
    """What the end of one file tells."""

    schema: pl.Schema
    rows: int
    metadata: Any
    """pyarrow's FileMetaData."""
    leaves: tuple[tuple[str, int], ...]
    """Top-level column and index of every leaf."""

    def groups(self, conditions: Sequence[Condition]) -> list[Group]:
        """The row groups that statistics do not rule out, in file order.

        Conditions on columns outside the file rule out nothing.
        """
        found, offset = [], 0
        for index in range(self.metadata.num_row_groups):
            rows = self.metadata.row_group(index).num_rows
            if rows and all(may_hold(wanted, self._bounds(index, rows, wanted)) for wanted in conditions):
                found.append(Group(index, offset, rows))
            offset += rows
        return found

    def compressed(self, columns: Sequence[str] | None, groups: Sequence[Group] | None = None) -> int:
        """Compressed bytes of these columns (all: None) in these row groups (all: None)."""
        wanted = None if columns is None else set(columns)
        leaves = [index for name, index in self.leaves if wanted is None or name in wanted]
        indexes = range(self.metadata.num_row_groups) if groups is None else [group.index for group in groups]
        return sum(
            self.metadata.row_group(group).column(leaf).total_compressed_size for group in indexes for leaf in leaves
        )

    def _bounds(self, group: int, rows: int, wanted: Condition) -> Bounds:
        leaves = [index for name, index in self.leaves if name == wanted.column]
        if len(leaves) != 1 or self.schema.get(wanted.column) != wanted.dtype:
            return Bounds(rows)
        column = self.metadata.row_group(group).column(leaves[0])
        statistics = column.statistics
        if statistics is None:
            return Bounds(rows)
        nulls = statistics.null_count if statistics.has_null_count else None
        if not statistics.has_min_max:
            return Bounds(rows, nulls=nulls)
        low, high = _physical(statistics, wanted.dtype)
        return Bounds(rows, low, high, nulls)


def read_footer(size: int, tail: Callable[[int], bytes], uri: str) -> Footer:
    """Reads a footer. `tail(n)` gives the last n bytes of a file of `size` bytes.

    Raises AttemptError `data_not_found` for a file that is empty, truncated or no Parquet.
    """
    data = tail(min(size, FIRST_READ))
    if len(data) < 12 or data[-4:] != MAGIC:
        ending = f"its last bytes are {data[-4:]!r}, not {MAGIC!r}" if data else "it is empty"
        raise unreadable(uri, ending)
    needed = int.from_bytes(data[-8:-4], "little") + 8
    if needed + len(MAGIC) > size:
        raise unreadable(uri, f"its footer claims {needed} bytes of a file of {size}")
    if needed > len(data):
        data = tail(needed)
    # Both readers look for the magic at the start too and never beyond the footer: it need not be the file's own start.
    text = MAGIC + data[-needed:]
    try:
        metadata = pq.read_metadata(io.BytesIO(text))
        schema = pl.Schema(pl.read_parquet_schema(io.BytesIO(text)))
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise unreadable(uri, error) from None
    return Footer(schema, metadata.num_rows, metadata, _leaves(metadata, list(schema)))


def _leaves(metadata: Any, names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Which top-level column each leaf belongs to; names may hold dots, so the longest fitting name wins."""
    longest = sorted(names, key=len, reverse=True)
    known = set(names)

    def owner(path: str) -> str:
        return path if path in known else next((name for name in longest if path.startswith(f"{name}.")), path)

    return tuple((owner(metadata.schema.column(index).path), index) for index in range(metadata.num_columns))


def _physical(statistics: Any, dtype: pl.DataType) -> tuple[Any, Any]:
    """Lowest and highest value in the form of Condition's values; (None, None) where that form is not certain."""
    kind = kind_of(dtype)
    if isinstance(dtype, pl.Datetime) and f"timeUnit={_UNITS[dtype.time_unit]}" not in str(statistics.logical_type):
        return None, None
    if kind in ("date", "datetime"):
        low, high = statistics.min_raw, statistics.max_raw
    elif kind == "other" or kind == "null":
        return None, None
    else:
        low, high = statistics.min, statistics.max
    if kind == "float" and (math.isnan(low) or math.isnan(high)):
        return None, None
    expected: dict[str, type | tuple[type, ...]] = {"text": str, "integer": int, "float": float}
    fits = expected.get(kind)
    if fits and not (isinstance(low, fits) and isinstance(high, fits)):
        return None, None
    return low, high
