"""Log lines through a filter: page by page, or the last ones."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from railyard.artifacts.store import ArtifactStore
from railyard.control.db.engine import Database
from railyard.control.jobs import output
from railyard.spec.records import LogPage, NumberedLine

Source = Literal["stdout", "stderr", "system"]
_READ = 2000
"""Lines read at a time while looking for ones that fit."""


@dataclass(frozen=True, kw_only=True)
class LineFilter:
    """Which lines are wanted; everything given must hold."""

    source: Source | None = None
    search: str | None = None
    """Part of the text, whatever its case."""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def empty(self) -> bool:
        """True where every line fits."""
        return self == LineFilter()

    def fits(self, line: NumberedLine) -> bool:
        """Whether this line is wanted."""
        return (
            (self.source is None or line.source == self.source)
            and (self.search is None or self.search.casefold() in line.text.casefold())
            and (self.since is None or line.at >= self.since)
            and (self.until is None or line.at < self.until)
        )


async def page(
    database: Database,
    artifacts: ArtifactStore,
    job_id: str,
    wanted: LineFilter,
    *,
    attempt: int | None,
    rank: int,
    after: int,
    limit: int,
) -> LogPage:
    """At most `limit` lines that fit, beyond line `after`; `next` is the last line looked at."""
    found: list[NumberedLine] = []
    while True:
        read = limit if wanted.empty else _READ
        lines = await output.logs(database, artifacts, job_id, attempt=attempt, rank=rank, after=after, limit=read)
        for line in lines.lines:
            after = line.line
            if wanted.fits(line):
                found.append(line)
                if len(found) == limit:
                    return LogPage(lines=tuple(found), next=after, complete=False)
        if len(lines.lines) < read:
            return LogPage(lines=tuple(found), next=lines.next, complete=lines.complete)


async def tail(
    database: Database,
    artifacts: ArtifactStore,
    job_id: str,
    wanted: LineFilter,
    *,
    attempt: int | None,
    rank: int,
    count: int,
) -> LogPage:
    """The last `count` lines that fit, and where to go on after them."""
    if wanted.empty:
        return await output.logs(database, artifacts, job_id, attempt=attempt, rank=rank, tail=count)
    found: deque[NumberedLine] = deque(maxlen=count)
    after = 0
    while True:
        lines = await output.logs(database, artifacts, job_id, attempt=attempt, rank=rank, after=after, limit=_READ)
        found.extend(line for line in lines.lines if wanted.fits(line))
        after = lines.next
        if len(lines.lines) < _READ:
            return LogPage(lines=tuple(found), next=after, complete=lines.complete)
