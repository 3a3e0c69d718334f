"""Control groups where they can be written (version 1 or 2): the kernel holds the limits and counts, and none escapes.

Every function answers None or does nothing where the machine does not let us: then memory is sampled instead.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

_MOUNTS = Path("/sys/fs/cgroup")
_PERIOD = 100_000


@dataclass
class Cgroup:
    """The groups of one attempt: one folder in version 2, one per controller in version 1."""

    memory: Path
    folders: list[Path]
    unified: bool
    _highest: int = field(default=0, init=False)

    @classmethod
    def make(cls, name: str, *, memory_bytes: int, cpu: float) -> Cgroup | None:
        """A group with its limits set, or None where none can be made."""
        made = _unified(name, memory_bytes, cpu) or _classic(name, memory_bytes, cpu)
        return cls(*made) if made else None

    def add(self, pid: int) -> None:
        """Puts a process in; what it forks from now on is in too. Raises OSError."""
        for folder in self.folders:
            _write(folder / "cgroup.procs", pid)

    def used(self) -> int:
        """Bytes that cannot be given back: anonymous and shared memory, without the page cache."""
        names = {"anon", "shmem"} if self.unified else {"total_rss", "total_shmem"}
        used = sum(value for name, value in _pairs(self.memory / "memory.stat") if name in names)
        self._highest = max(self._highest, used)
        return used

    def highest(self) -> int:
        """The most that the kernel ever counted, page cache included."""
        file = "memory.peak" if self.unified else "memory.max_usage_in_bytes"
        return max(self._highest, _number(self.memory / file))

    def oom_kills(self) -> int:
        """How many of the group's processes the kernel killed for want of memory."""
        file = "memory.events" if self.unified else "memory.oom_control"
        return dict(_pairs(self.memory / file)).get("oom_kill", 0)

    def pids(self) -> list[int]:
        """Everything in the group that has not been waited for."""
        try:
            return [int(line) for line in (self.memory / "cgroup.procs").read_text().split()]
        except OSError:
            return []

    def kill(self) -> None:
        """SIGKILL for everything inside."""
        with contextlib.suppress(OSError):
            _write(self.memory / "cgroup.kill", 1)
            return
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def remove(self) -> None:
        """Takes the empty groups away; the kernel needs a moment after the last process has ended."""
        for folder in self.folders:
            for _ in range(50):
                with contextlib.suppress(FileNotFoundError):
                    try:
                        folder.rmdir()
                    except FileNotFoundError:
                        break
                    except OSError:
                        time.sleep(0.02)
                        continue
                break


def machine_oom_kills() -> int:
    """How often the kernel has killed for want of memory since boot, in any group or in none."""
    return dict(_pairs(Path("/proc/vmstat"))).get("oom_kill", 0)


def _unified(name: str, memory_bytes: int, cpu: float) -> tuple[Path, list[Path], bool] | None:
    own = _own_paths().get("")
    if own is None:
        return None
    mount = _MOUNTS if (_MOUNTS / "cgroup.controllers").exists() else _MOUNTS / "unified"
    here = mount / own.lstrip("/")
    # A group that holds processes may not hand controllers to groups inside it, so a sibling is tried next.
    for base in dict.fromkeys((here, here.parent if here != mount else mount)):
        folder = base / name
        with contextlib.suppress(OSError):
            with contextlib.suppress(OSError):
                _write(base / "cgroup.subtree_control", "+memory +cpu")
            folder.mkdir()
            try:
                _write(folder / "memory.max", memory_bytes)
            except OSError:
                folder.rmdir()
                continue
            with contextlib.suppress(OSError):
                _write(folder / "memory.swap.max", 0)
            with contextlib.suppress(OSError):
                _write(folder / "cpu.max", f"{_quota(cpu)} {_PERIOD}")
            return folder, [folder], True
    return None


def _classic(name: str, memory_bytes: int, cpu: float) -> tuple[Path, list[Path], bool] | None:
    paths = _own_paths()
    memory = _child("memory", paths.get("memory"), name)
    if memory is None:
        return None
    try:
        _write(memory / "memory.limit_in_bytes", memory_bytes)
        with contextlib.suppress(OSError):
            _write(memory / "memory.memsw.limit_in_bytes", memory_bytes)
    except OSError:
        memory.rmdir()
        return None
    folders = [memory]
    share = _child("cpu", paths.get("cpu"), name)
    if share is not None:
        try:
            _write(share / "cpu.cfs_period_us", _PERIOD)
            _write(share / "cpu.cfs_quota_us", _quota(cpu))
            folders.append(share)
        except OSError:
            share.rmdir()
    return memory, folders, False


def _child(controller: str, own: str | None, name: str) -> Path | None:
    """A new group inside our own; inside the root of the mount where a container does not show us our own."""
    if own is None:
        return None
    mount = _MOUNTS / controller
    here = mount / own.lstrip("/")
    folder = (here if here.is_dir() else mount) / name
    try:
        folder.mkdir()
    except OSError:
        return None
    return folder


def _own_paths() -> dict[str, str]:
    """Controller to path of this process's group; "" is version 2."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _quota(cpu: float) -> int:
    return max(1000, int(cpu * _PERIOD))


def _pairs(path: Path) -> list[tuple[str, int]]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    pairs = (line.split() for line in lines)
    return [(pair[0], int(pair[1])) for pair in pairs if len(pair) == 2]


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _write(path: Path, value: int | str) -> None:
    # Not write_text: a missing file must not be created, and the kernel wants the value in one write.
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, str(value).encode())
    finally:
        os.close(descriptor)
