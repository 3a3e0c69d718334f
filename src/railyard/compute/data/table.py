"""One source of a request, opened: its files with their footers, its schema, what of it a reading needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from railyard.compute.data.filters import Condition, expression
from railyard.compute.data.footers import Footer, Group, read_footer
from railyard.compute.data.problems import changed, mismatch, missing_columns, storage, unreadable
from railyard.compute.data.sources import DataFile, Located, hive_values

ROW = "__railyard_row"
"""Name of the column that carries a row's number in its file, from 0, until the split is done."""
AT_ONCE = 16
"""Footers asked for at once in an object store."""


@dataclass(frozen=True)
class Part:
    """One file with its footer and the columns that have one value all through it."""

    file: DataFile
    footer: Footer
    constants: Mapping[str, Any]
    """Values that its folders state (hive partitions), and null for columns that hold nothing else."""


@dataclass(frozen=True)
class Table:
    """One source. Rows come in the order of the files' keys, and in file order within a file."""

    where: str
    parts: tuple[Part, ...]
    schema: pl.Schema
    """Every column of any file, then the partition columns, in order of appearance."""
    storage_options: dict[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(part.footer.rows for part in self.parts)

    def check(self, columns: Sequence[str], why: str = "") -> None:
        """Raises AttemptError `schema_mismatch` unless every file holds these columns with one type each."""
        missing = [name for name in columns if name not in self.schema]
        if missing:
            raise missing_columns(missing, list(self.schema), self.where, why)
        for part in self.parts:
            for name in columns:
                self._check_file(part, name)

    def _check_file(self, part: Part, name: str) -> None:
        if name in part.constants:
            return
        dtype = part.footer.schema.get(name)
        if dtype is None:
            raise mismatch(
                f"{part.file.uri} has no column {name}, other files of {self.where} have",
                "give every file of the source the same columns",
                file=part.file.uri,
                missing=[name],
                available=list(part.footer.schema),
            )
        if dtype != self.schema[name]:
            raise mismatch(
                f"column {name} is {dtype} in {part.file.uri} and {self.schema[name]} in the files before it",
                "write the files of a source with one type per column",
                file=part.file.uri,
                column=name,
                type=str(dtype),
            )

    def groups(self, part: Part, conditions: Sequence[Condition]) -> list[Group]:
        """Row groups of a file that statistics and partition values do not rule out."""
        for wanted in conditions:
            if wanted.column in part.constants:
                value = pl.DataFrame(
                    {wanted.column: [part.constants[wanted.column]]}, schema={wanted.column: wanted.dtype}
                )
                if value.filter(expression(wanted)).is_empty():
                    return []
        return part.footer.groups([wanted for wanted in conditions if wanted.column not in part.constants])

    def scan(
        self,
        part: Part,
        columns: Sequence[str],
        conditions: Sequence[Condition],
        group: tuple[int, int] | None = None,
    ) -> pl.LazyFrame:
        """A lazy reading of one file: projection and conditions go into the scan; ROW comes first.

        `group` narrows it to rows (offset, count) of the file before the conditions apply.
        """
        read = pl.scan_parquet(
            part.file.path,
            row_index_name=ROW,
            glob=False,
            hive_partitioning=False,
            storage_options=self.storage_options if part.file.remote else None,
        )
        if group is not None:
            read = read.slice(*group)
        for wanted in conditions:
            if wanted.column not in part.constants:
                read = read.filter(expression(wanted))
        stated = {
            name: pl.lit(part.constants[name], dtype=self.schema[name]) for name in columns if name in part.constants
        }
        read = read.select(ROW, *(name for name in columns if name not in stated))
        return read.with_columns(**stated).select(ROW, *columns) if stated else read

    def compressed(self, columns: Sequence[str] | None, conditions: Sequence[Condition] = ()) -> int:
        """Compressed bytes of these columns (all: None) in the row groups that the conditions leave."""
        return sum(part.footer.compressed(columns, self.groups(part, conditions)) for part in self.parts)

    def estimate(self, conditions: Sequence[Condition]) -> int:
        """Upper bound of the rows that satisfy the conditions, from statistics alone."""
        return sum(group.rows for part in self.parts for group in self.groups(part, conditions))

    def verify_unchanged(self) -> None:
        """Raises AttemptError `data_changed` if a file is not what it was when its footer was read."""
        remote = [part.file for part in self.parts if part.file.remote]
        with ThreadPoolExecutor(AT_ONCE) if len(remote) > 1 else _inline() as pool:
            now = dict(zip(remote, pool.map(DataFile.stamp_now, remote), strict=True))
        for part in self.parts:
            verify_file(part.file, now.get(part.file) or part.file.stamp_now())


class _Inline:
    map = staticmethod(map)


@contextmanager
def _inline() -> Iterator[_Inline]:
    """The same `map` without threads."""
    yield _Inline()


def verify_file(file: DataFile, now: str) -> None:
    """Raises AttemptError `data_changed` if the stamp now is not the stamp then."""
    if now != file.stamp:
        raise changed(file.uri, file.stamp, now)


@contextmanager
def engine_errors(file: DataFile) -> Iterator[None]:
    """Turns what the engine raises while it reads a file into the reason: changed, unreachable or unreadable."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
        verify_file(file, file.stamp_now())
        if file.remote and isinstance(error, OSError):
            raise storage(file.uri, error) from None
        raise unreadable(file.uri, error) from None


def open_files(where: str, located: Located) -> Table:
    """Reads the footers of a source's files. Raises AttemptError `data_not_found` and `storage_unavailable`."""
    with ThreadPoolExecutor(AT_ONCE) if located.storage_options and len(located.files) > 1 else _inline() as pool:
        footers = list(pool.map(_footer, located.files))
    stated = _typed(hive_values([file.key for file in located.files]))
    schema: dict[str, pl.DataType] = {}
    for footer in footers:
        for name, dtype in footer.schema.items():
            if schema.get(name, pl.Null) == pl.Null:
                schema[name] = dtype
    stated = {name: found for name, found in stated.items() if name not in schema}
    parts = tuple(
        Part(file, footer, {name: values[index] for name, (_, values) in stated.items()} | _nothing(footer))
        for index, (file, footer) in enumerate(zip(located.files, footers, strict=True))
    )
    whole = pl.Schema({**schema, **{name: dtype for name, (dtype, _) in stated.items()}})
    return Table(where, parts, whole, located.storage_options)


def _nothing(footer: Footer) -> dict[str, None]:
    """Columns that were written without a type, because every value of this file is null: they take any file's type."""
    return {name: None for name, dtype in footer.schema.items() if dtype == pl.Null}


def _footer(file: DataFile) -> Footer:
    try:
        return read_footer(file.size, file.tail, file.uri)
    except OSError as error:
        raise unreadable(file.uri, error.strerror or error) from None


def _typed(values: Mapping[str, Sequence[str | None]]) -> dict[str, tuple[pl.DataType, list[Any]]]:
    """Partition values as whole numbers or dates where all of them are, else as text."""
    found: dict[str, tuple[pl.DataType, list[Any]]] = {}
    for name, texts in values.items():
        known = [text for text in texts if text is not None]
        if known and all(re.fullmatch(r"-?\d{1,18}", text) for text in known):
            found[name] = pl.Int64(), [None if text is None else int(text) for text in texts]
            continue
        try:
            found[name] = pl.Date(), [None if text is None else date.fromisoformat(text) for text in texts]
        except ValueError:
            found[name] = pl.String(), list(texts)
    return found
