"""How a training tells the outside what it does.

Reporting never raises and never blocks: telemetry must not kill a training.
"""

from __future__ import annotations

from typing import Protocol

from railyard.spec.states import StepName


class Reporter(Protocol):
    """Where steps, metrics and progress go: a pipe to the supervisor, the terminal with --local, a list in tests."""

    def step_started(self, name: StepName) -> None:
        """A step began."""

    def step_finished(self, name: StepName, seconds: float) -> None:
        """The step ended without an error."""

    def metric(self, name: str, value: float, step: int | None) -> None:
        """One point of a metric."""

    def progress(self, fraction: float) -> None:
        """How much of the training is done, 0 to 1."""


class SilentReporter:
    """Keeps what it hears: for tests and for callers that want no output."""

    def __init__(self) -> None:
        self.steps: list[tuple[StepName, float | None]] = []
        self.metrics: list[tuple[str, float, int | None]] = []

    def step_started(self, name: StepName) -> None:
        self.steps.append((name, None))

    def step_finished(self, name: StepName, seconds: float) -> None:
        self.steps.append((name, seconds))

    def metric(self, name: str, value: float, step: int | None) -> None:
        self.metrics.append((name, value, step))

    def progress(self, fraction: float) -> None:
        pass
