"""Events and log lines of one job as they come, each once and in order, until the job is final and nothing is left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from railyard.control.api import log_lines
from railyard.control.api.log_lines import LineFilter
from railyard.control.api.rooms import Rooms
from railyard.control.db.listen import JOBS
from railyard.control.jobs import read
from railyard.errors import Invalid
from railyard.spec.records import Event, NumberedLine
from railyard.spec.states import FINAL_STATES

LOOK_SECONDS = 5.0
"""Longest time between two looks: a notification may be missed, a look may not."""
_PAGE = 500


@dataclass(frozen=True)
class LogPlace:
    """Where a log stream stands: `3` is line 3 of the newest attempt, `2-3` line 3 of attempt 2."""

    attempt: int | None
    line: int

    @classmethod
    def parse(cls, text: str) -> LogPlace:
        """Raises Invalid for anything else."""
        attempt, dash, line = text.rpartition("-")
        if _number(line) and (not dash or _number(attempt)):
            return cls(int(attempt) if dash else None, int(line))
        raise Invalid(
            f"{text[:64]!r} is no place in a log",
            code="bad_cursor",
            why="expected a line's number, or the id of an event of this stream, such as 1-17",
            mend="start again without after",
        )

    def __str__(self) -> str:
        return str(self.line) if self.attempt is None else f"{self.attempt}-{self.line}"


async def follow_events(rooms: Rooms, job_id: str, after: str | None) -> AsyncIterator[Event]:
    """Every event after a place. Ends behind the one that made the job final."""
    with rooms.listener.subscribe(JOBS, job_id) as signal:
        told = await _final_event_before(rooms, job_id, after)
        while True:
            page = await read.events(rooms.database, job_id, after=after, limit=_PAGE)
            for event in page.items:
                yield event
                told = told or event.to_state in FINAL_STATES
            after = page.next
            if len(page.items) == _PAGE:
                continue
            if told:
                return
            # A job may be final before its last event is shown: an older transaction that is still open holds it back.
            await signal.wait(LOOK_SECONDS)


async def _final_event_before(rooms: Rooms, job_id: str, place: str | None) -> bool:
    """Whether a reader who goes on from here has already heard that the job is final."""
    behind, end = None, int(place) if place else 0
    while end:
        page = await read.events(rooms.database, job_id, after=behind, limit=_PAGE)
        for event in page.items:
            if event.seq <= end and event.to_state in FINAL_STATES:
                return True
        if len(page.items) < _PAGE:
            return False
        behind = page.next
    return False


async def follow_log(
    rooms: Rooms, job_id: str, place: LogPlace, wanted: LineFilter, *, attempt: int | None, rank: int = 0
) -> AsyncIterator[tuple[LogPlace, NumberedLine]]:
    """Every line after a place that fits: of the attempt named, or of this one and all that follow it."""
    number, line = attempt or place.attempt, place.line
    with rooms.listener.subscribe(JOBS, job_id) as signal:
        while True:
            job = await read.get(rooms.database, job_id)
            number = number or job.attempt or None
            if number is None:
                if job.state in FINAL_STATES:
                    return
                await signal.wait(LOOK_SECONDS)
                continue
            page = await log_lines.page(
                rooms.database, rooms.store, job_id, wanted, attempt=number, rank=rank, after=line, limit=_PAGE
            )
            for found in page.lines:
                yield LogPlace(number, found.line), found
            line = page.next
            if len(page.lines) == _PAGE:
                continue
            if page.complete and number < job.attempt and attempt is None:
                number, line = number + 1, 0
            elif page.complete and (attempt is not None or job.state in FINAL_STATES):
                return
            else:
                await signal.wait(LOOK_SECONDS)


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
