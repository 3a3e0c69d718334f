"""What the job manager asks of an executor: start, observe, cancel, remove. It learns no more about a place.

Every implementation passes `railyard.testing.executors.ExecutorConformance`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from railyard.spec.attempt import Limits


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The dependency set an attempt runs in."""

    key: str
    """Name of the runtime: `server`, or the key of a built one."""
    python: str
    """Path of its interpreter."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One attempt to start."""

    name: str
    """`<job>-<number>`: the same name is never started twice."""
    runtime: Runtime
    token: str
    """The attempt's token: handed over by descriptor or socket, never in argv or the environment."""
    url: str
    """Where the runner reaches the API."""
    limits: Limits


@dataclass(frozen=True, kw_only=True)
class Started:
    uid: str
    """Identity of what was started (for a process: pid and start time), so that a reused name or pid is told apart."""
    existed: bool = False
    """True when the name had been started before and nothing new was."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What the executor sees of one attempt now. "I cannot see" is an exception, never an observation."""

    name: str
    uid: str
    phase: Literal["alive", "gone"]
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Of a gone one: exit_code, signal, out_of_memory, peak_memory, memory_limit, as far as known."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What the place has in all, for attempts."""

    cpu: float
    memory_bytes: int
    gpu: int = 0


class Executor(Protocol):
    """Starts, observes and cancels attempts somewhere. Every method may be called twice without harm."""

    name: str

    async def open(self) -> None:
        """Finds again what an earlier server left running."""

    async def close(self) -> None:
        """Lets go; running attempts go on."""

    async def capacity(self) -> Capacity:
        """What there is in all."""

    async def start(self, launch: Launch) -> Started:
        """Starts the attempt, or answers with the one of this name. Returns once it certainly exists."""

    async def observe(self) -> Mapping[str, Observation]:
        """Everything there is, by name: the full list, not a change. Raises if the place cannot be seen."""

    async def cancel(self, name: str, *, grace_seconds: float) -> None:
        """Asks the attempt to end (SIGTERM), kills it after the grace. Returns at once; `observe` confirms."""

    async def remove(self, name: str) -> None:
        """Clears away what is left of a gone attempt: folder, cgroup. No-op for one that is not there."""

    async def ask(
        self, runtime: Runtime, question: str, body: Mapping[str, Any], *, timeout_seconds: float
    ) -> Mapping[str, Any]:
        """Runs `python -m railyard.compute.runner <question>` (plan, discover) in the runtime; returns its answer.

        Raises Timeout, Unavailable, and RailyardError `runner_ended` where the process ends without an answer.
        """
