"""What is read in one go: which rows of which files. Decided from footers alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from railyard.compute.data.filters import Condition
from railyard.compute.data.footers import Group
from railyard.compute.data.table import Part, Table

PIECE_ROWS = 1_000_000
"""Most rows of a window when memory counts: bounds what one huge row group takes."""
BYTES_AT_ONCE = 64 * 2**20
"""Compressed bytes read together when speed counts."""
FILES_AT_ONCE = 16
"""Files read together when speed counts."""


@dataclass(frozen=True)
class Window:
    """Rows of one file."""

    part: Part
    rows: tuple[int, int] | None
    """First row and number of rows; None is the whole file, of which the engine skips row groups by itself."""
    bytes: int


def one_by_one(table: Table, conditions: Sequence[Condition]) -> Iterator[list[Window]]:
    """Every row group that statistics leave, alone, cut where it is huge."""
    for part in table.parts:
        for group in table.groups(part, conditions):
            for start in range(0, group.rows, PIECE_ROWS):
                yield [Window(part, (group.offset + start, min(PIECE_ROWS, group.rows - start)), 0)]


def together(table: Table, conditions: Sequence[Condition], columns: Sequence[str]) -> Iterator[list[Window]]:
    """Several files at once, as far as the limits go; a file beyond them in runs of row groups."""
    waiting: list[Window] = []
    for part in table.parts:
        for window in _runs(part, table.groups(part, conditions), columns):
            if len(waiting) == FILES_AT_ONCE or sum(one.bytes for one in [*waiting, window]) > BYTES_AT_ONCE:
                if waiting:
                    yield waiting
                waiting = []
            waiting.append(window)
    if waiting:
        yield waiting


def _runs(part: Part, groups: Sequence[Group], columns: Sequence[str]) -> Iterable[Window]:
    if not groups:
        return
    whole = part.footer.compressed(columns, groups)
    if whole <= BYTES_AT_ONCE:
        yield Window(part, None, whole)
        return
    run: list[Group] = []
    size = 0
    for group in groups:
        more = part.footer.compressed(columns, [group])
        if run and (size + more > BYTES_AT_ONCE or group.index != run[-1].index + 1):
            yield _window(part, run, size)
            run, size = [], 0
        run.append(group)
        size += more
    yield _window(part, run, size)


def _window(part: Part, run: Sequence[Group], size: int) -> Window:
    return Window(part, (run[0].offset, sum(group.rows for group in run)), size)
