"""Times the steps of an attempt."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from railyard.compute.workflows.reporter import Reporter
from railyard.errors import AttemptError
from railyard.spec.result import Step
from railyard.spec.states import StepName


class StepClock:
    """Tells the reporter when a step begins and ends, and keeps them; seconds are by a monotonic clock."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._steps: list[Step] = []

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that ended, in order."""
        return tuple(self._steps)

    @contextmanager
    def step(self, name: StepName) -> Iterator[None]:
        """Runs one step. An AttemptError that says no step leaves with this one; a full disk becomes `disk_full`."""
        started_at, started = datetime.now(UTC), time.monotonic()
        self._reporter.step_started(name)
        try:
            yield
        except AttemptError as error:
            if error.report.step is None:
                error.report = error.report.model_copy(update={"step": name})
            raise
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise AttemptError(
                "disk_full",
                f"the disk is full: {error.filename or 'a file'} could not be written",
                mend="free space where attempts run, or point the home folder at a larger disk",
                step=name,
            ) from error
        seconds = time.monotonic() - started
        self._steps.append(Step(name=name, started_at=started_at, finished_at=datetime.now(UTC), seconds=seconds))
        self._reporter.step_finished(name, seconds)
