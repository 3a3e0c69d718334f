"""What a workflow is given besides its data: who it is, where to log, where to write, which seed to use."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any, TextIO

from railyard.compute.workflows.reporter import Reporter


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever sys.stderr is at that moment: the worker replaces it after the fork, each test its own."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        pass


def _logger() -> logging.Logger:
    logger = logging.getLogger("railyard.workflow")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        handler = _Stderr()
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        logger.addHandler(handler)
    return logger


class Context:
    """Handed to every workflow as `self.context`."""

    def __init__(self, *, job_id: str, scratch: Path, seed: int, reporter: Reporter) -> None:
        self.job_id = job_id
        """The job's id; `local` without a server."""
        self.scratch = scratch
        """A folder of this attempt's own, emptied when the attempt is over."""
        self.seed = seed
        """The request's seed. `random` and numpy are seeded with it before any hook runs."""
        self.logger = _logger()
        """Writes to stderr, which is the job's log. INFO and above."""
        self._reporter = reporter
        self._refused: set[str] = set()

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Reports one point of a metric.

        Never raises and never blocks; what cannot be read as a number is dropped with one warning.

        `value` is anything with a float in it (numpy and torch scalars too); NaN and infinities are shown as gaps.
        """
        try:
            point = (str(name), float(value), None if step is None else int(step))
        except Exception as error:  # telemetry must not kill a training
            self._refuse(str(type(name) if not isinstance(name, str) else name), f"{type(error).__name__}: {error}")
            return
        self._tell("metric", *point)

    def progress(self, fraction: float) -> None:
        """Reports how much of the training is done, 0 to 1. Never raises and never blocks."""
        try:
            share = min(1.0, max(0.0, float(fraction)))
        except Exception as error:
            self._refuse("progress", f"{type(error).__name__}: {error}")
            return
        self._tell("progress", share)

    def _tell(self, kind: str, *values: Any) -> None:
        try:
            getattr(self._reporter, kind)(*values)
        except Exception as error:
            self._refuse(kind, f"{type(error).__name__}: {error}")

    def _refuse(self, name: str, why: str) -> None:
        if name in self._refused:
            return
        self._refused.add(name)
        self.logger.warning("a point of %s was dropped: %s", name, why)
