"""Follows a job on a terminal or in a pipe until it is final; Ctrl-C leaves it running."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from railyard.cli import lazy, show
from railyard.cli.app import App
from railyard.cli.output import Output, shortened

if TYPE_CHECKING:
    from railyard.client.job import Job

LOOK_SECONDS = 0.5
LAST_LINES_SECONDS = 3.0
"""How long the last lines of an attempt that is over are waited for, where nobody knows how many there are."""
STILL_GOING = 8
INTERRUPTED = 130


def follow(app: App, job: Job, *, logs: bool = True, timeout: float | None = None) -> int:
    """Shows steps (and log lines) as they happen, then what the job came to. Returns the job's own exit code.

    With --json every change is the job as one line of NDJSON. 8 when it is still going after `timeout` seconds,
    130 when the person detached.
    """
    view = _View(app, job, logs=logs)
    try:
        with _detaching(app, job):
            deadline = None if timeout is None else time.monotonic() + timeout
            while True:
                view.look()
                if job.final:
                    break
                if deadline is not None and time.monotonic() >= deadline:
                    view.clear()
                    app.out.note(f"{job.job_id} is still {job.state} · railyard job watch {job.job_id}")
                    return STILL_GOING
                time.sleep(LOOK_SECONDS)
                job.refresh()
            view.finish()
    except _DetachedError:
        view.clear()
        return INTERRUPTED
    if not app.out.json and not app.out.quiet:
        for line in show.block(job, app.out):
            app.out.line(line)
    return show.EXIT_CODES[job.state]


def tail(app: App, job: Job, lines: Iterator[str]) -> int:
    """Prints lines as they come until the job is final. Returns the job's own exit code."""
    try:
        with _detaching(app, job):
            for line in lines:
                app.out.line(line)
                sys.stdout.flush()
            job.wait(timeout=60, check=False)
    except _DetachedError:
        return INTERRUPTED
    return show.EXIT_CODES[job.state]


class _DetachedError(Exception):
    """The person pressed Ctrl-C."""


@contextmanager
def _detaching(app: App, job: Job) -> Iterator[None]:
    """Ctrl-C says how to come back and leaves the job alone; a second one quits at once."""
    try:
        yield
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        app.out.note(
            f"\n{job.job_id} keeps running · back: railyard job watch {job.job_id}"
            f" · log: railyard job logs {job.job_id} -f · stop: railyard job cancel {job.job_id}"
        )
        raise _DetachedError from None


class _View:
    """The lines on the screen: on a terminal one that ticks in place below the log."""

    def __init__(self, app: App, job: Job, *, logs: bool) -> None:
        self._app, self._job = app, job
        self._out: Output = app.out
        self._logs = logs and not app.out.json and not app.out.quiet
        self._ticks = app.out.err_tty and not app.out.json and not app.out.quiet
        self._before: Job | None = None
        self._cursor: int | None = None
        self._attempt = 0

    def look(self) -> None:
        """Shows what is new."""
        if self._out.json:
            self._json()
        elif self._ticks:
            self._read_logs()
            line = show.step_line(self._job, self._out)
            self._out.live(shortened(line, shutil.get_terminal_size().columns - 1))
        else:
            for text in show.news(self._before, self._job):
                self._out.talk(text)
            self._read_logs()
        self._before = self._job.model_copy()

    def finish(self) -> None:
        """The last lines, and the steps for good."""
        self._read_logs(last=True)
        if self._ticks and self._job.steps:
            self._out.live(show.step_line(self._job, self._out) + "\n")
        else:
            self.clear()

    def clear(self) -> None:
        """Takes the ticking line away."""
        if self._ticks:
            self._out.live("")

    def _json(self) -> None:
        def told(job: Job) -> tuple[object, ...]:
            return (job.state, job.reason, job.attempt, job.step, job.finished_at)

        if self._before is None or told(self._before) != told(self._job):
            self._out.row(lazy.spec.dump(self._job))
            sys.stdout.flush()

    def _read_logs(self, *, last: bool = False) -> None:
        """Log lines since the last look; a log that cannot be read now is read at the next look."""
        if not self._logs or self._job.attempt == 0:
            return
        if self._attempt != self._job.attempt:
            if self._attempt:
                self._read_attempt(last=True)
            self._attempt, self._cursor = self._job.attempt, None
        self._read_attempt(last=last)

    def _read_attempt(self, *, last: bool) -> None:
        deadline = time.monotonic() + LAST_LINES_SECONDS
        wanted = self._lines_in_all() if last else None
        while True:
            try:
                page = self._app.client.jobs.log_page(self._job.job_id, after=self._cursor, attempt=self._attempt)
            except (lazy.errors.Unreachable, lazy.errors.Unavailable):
                return
            for line in page.lines:
                self.clear()
                self._out.side(self._out.ink(line.text, "faint") if line.source == "system" else line.text)
            self._cursor = page.next
            arrived = wanted is not None and page.next >= wanted
            if page.complete or arrived or (not page.lines and not last) or time.monotonic() > deadline:
                return
            if not page.lines:
                time.sleep(LOOK_SECONDS)

    def _lines_in_all(self) -> int | None:
        """How many lines the attempt wrote: known once it is over, unless it was killed."""
        attempts = self._app.client.jobs.attempts(self._job.job_id)
        return next((one.log_lines for one in attempts if one.number == self._attempt), None)
