"""How much memory an attempt uses, and its limit: by the kernel's groups where they are writable, else by sampling."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from railyard.compute.runner.cgroups import Cgroup
from railyard.compute.runner.processes import descendants

_MOST_SAMPLED = 500


class MemoryGuard(Protocol):
    """Bytes of the attempt's processes together."""

    limit: int

    def add(self, pid: int) -> None:
        """Counts this process and what it forks."""

    def sample(self) -> int:
        """What is used now."""

    def over(self) -> bool:
        """True when the attempt must be killed here and now; the kernel's groups do that by themselves."""

    def peak(self) -> int:
        """The most that was seen."""

    def peak_at_kill(self) -> int:
        """The most that was counted, for an attempt that died of it."""

    def oom_kills(self) -> int:
        """How many of the attempt's processes the kernel killed for want of memory."""

    def pids(self) -> list[int]:
        """Who is counted and lives."""

    def close(self) -> None:
        """Takes the group away."""

    def folders(self) -> list[Path]:
        """Folders of the kernel's groups, for whoever must clear up after a killed supervisor."""


class GroupGuard:
    """The kernel holds the limit."""

    def __init__(self, group: Cgroup, limit: int) -> None:
        self.limit = limit
        self._group = group
        self._peak = 0

    def add(self, pid: int) -> None:
        self._group.add(pid)

    def sample(self) -> int:
        used = self._group.used()
        self._peak = max(self._peak, used)
        return used

    def over(self) -> bool:
        return False

    def peak(self) -> int:
        return self._peak

    def peak_at_kill(self) -> int:
        return self._group.highest()

    def oom_kills(self) -> int:
        return self._group.oom_kills()

    def pids(self) -> list[int]:
        return self._group.pids()

    def close(self) -> None:
        self._group.remove()

    def folders(self) -> list[Path]:
        return self._group.folders


class SamplingGuard:
    """Adds up the proportional set size of everything below the supervisor: shared pages count by share."""

    def __init__(self, limit: int, family: Callable[[], list[int]]) -> None:
        self.limit = limit
        self._family = family
        self._now = 0
        self._peak = 0

    def add(self, pid: int) -> None:
        """Descendants are found by themselves."""

    def sample(self) -> int:
        self._now = sum(proportional_bytes(pid) for pid in self._family()[:_MOST_SAMPLED])
        self._peak = max(self._peak, self._now)
        return self._now

    def over(self) -> bool:
        return self._now > self.limit

    def peak(self) -> int:
        return self._peak

    def peak_at_kill(self) -> int:
        return self._peak

    def oom_kills(self) -> int:
        return 0

    def pids(self) -> list[int]:
        return self._family()

    def close(self) -> None:
        pass

    def folders(self) -> list[Path]:
        return []


def guard(name: str, *, memory_bytes: int, cpu: float, groups: bool = True) -> MemoryGuard:
    """The best guard this machine allows for the processes below this one. `groups=False` samples in any case."""
    group = Cgroup.make(f"railyard-{name}-{os.getpid()}", memory_bytes=memory_bytes, cpu=cpu) if groups else None
    if group is not None:
        return GroupGuard(group, memory_bytes)
    own = os.getpid()
    return SamplingGuard(memory_bytes, lambda: descendants(own))


def proportional_bytes(pid: int) -> int:
    """Proportional set size; 0 for a process that is gone or may not be looked at."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
