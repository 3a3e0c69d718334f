"""What the worker tells about itself while it trains: it appends to two files, the supervisor reads behind."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from railyard.compute.runner.spool import SpoolReader, SpoolWriter
from railyard.spec.result import Step
from railyard.spec.states import STEPS, StepName

MOST_METRIC_BYTES = 256 * 2**20
"""Of one attempt; what comes after is dropped and counted."""
_LONGEST_NAME = 256
_PROGRESS_SECONDS = 0.1


class FileReporter:
    """The worker's reporter. It never raises and waits for nobody: a full disk costs points, never the training."""

    def __init__(self, steps: Path, metrics: Path) -> None:
        self._steps = SpoolWriter(steps)
        self._metrics = SpoolWriter(metrics)
        self.step: StepName | None = None
        self.dropped = 0
        self._progress_told = float("-inf")

    def step_started(self, name: StepName) -> None:
        self.step = name
        self._tell(self._steps, {"started": name, "at": time.time()})

    def step_finished(self, name: StepName, seconds: float) -> None:
        self._tell(self._steps, {"finished": name, "seconds": seconds, "at": time.time()})

    def metric(self, name: str, value: float, step: int | None) -> None:
        if self._metrics.bytes > MOST_METRIC_BYTES:
            self.dropped += 1
            return
        try:
            number = float(value)
            point = {
                "name": str(name)[:_LONGEST_NAME].replace("\x00", "\ufffd"),
                "value": number if math.isfinite(number) else None,
                "step": None if step is None else int(step),
                "at": datetime.now(UTC).isoformat(),
            }
        except (TypeError, ValueError, OverflowError):
            self.dropped += 1
            return
        self._tell(self._metrics, point)

    def progress(self, fraction: float) -> None:
        try:
            number = float(fraction)
        except (TypeError, ValueError, OverflowError):
            return
        now = time.monotonic()
        if math.isfinite(number) and (number >= 1.0 or now - self._progress_told >= _PROGRESS_SECONDS):
            self._progress_told = now
            self._tell(self._steps, {"progress": min(1.0, max(0.0, number))})

    def _tell(self, spool: SpoolWriter, value: Mapping[str, object]) -> None:
        try:
            spool.write([json.dumps(value).encode()])
        except (OSError, ValueError, TypeError):
            self.dropped += 1


class Progress:
    """The steps so far, as the supervisor knows them."""

    def __init__(self, path: Path) -> None:
        self._reader = SpoolReader(path)
        self._steps: dict[StepName, Step] = {}
        self.step: StepName | None = None
        self.fraction: float | None = None

    def follow(self, peak_memory: int) -> bool:
        """Takes in what the worker has told since. True when a step began or ended."""
        moved = False
        while lines := self._reader.peek(most_bytes=2**18, most_lines=1000):
            self._reader.advance()
            for line in lines:
                moved |= self._take(line, peak_memory)
        return moved

    def begin(self, name: StepName, at: float) -> None:
        """A step began at this Unix time."""
        self.step, self.fraction = name, None
        self._steps[name] = Step(name=name, started_at=datetime.fromtimestamp(at, UTC))

    def finish(self, name: StepName, seconds: float, at: float, peak_memory: int) -> None:
        """The step ended at this Unix time after so many seconds of a monotonic clock."""
        begun = self._steps.get(name)
        started_at = begun.started_at if begun else datetime.fromtimestamp(at - seconds, UTC)
        self._steps[name] = Step(
            name=name,
            started_at=started_at,
            finished_at=datetime.fromtimestamp(at, UTC),
            seconds=seconds,
            peak_memory=peak_memory,
        )

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps.values())

    def _take(self, line: bytes, peak_memory: int) -> bool:
        # The file lies where the user's code can write: what does not hold is passed over.
        try:
            told = json.loads(line)
            if told.get("started") in STEPS:
                self.begin(told["started"], float(told["at"]))
            elif told.get("finished") in STEPS:
                self.finish(told["finished"], float(told["seconds"]), float(told["at"]), peak_memory)
            else:
                self.fraction = min(1.0, max(0.0, float(told["progress"])))
                return False
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            return False
        return True
