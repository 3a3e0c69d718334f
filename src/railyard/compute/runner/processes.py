"""What Linux knows about processes: identity, family, and the few prctl switches that the runner needs. Linux only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import warnings
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None where no such process lives (a zombie does not live).

    Together with the pid and the boot it identifies a process: pids are used again, pairs are not.
    """
    stat = _stat(pid)
    return None if stat is None or stat[0] in "ZX" else int(stat[19])


def boot_id() -> str:
    """Random text of this boot of the kernel: start ticks count from it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def uid_of(pid: int, ticks: int) -> str:
    """The identity of a process across restarts and reboots."""
    return f"{pid}-{ticks}-{boot_id()[:8]}"


def die_with_parent(parent: int) -> None:
    """SIGKILL for this process when the thread that forked it ends; at once where that has happened already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> None:
    """Makes this process the parent of every descendant whose parent ends, so that none can slip away."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def hide_memory() -> None:
    """Keeps other processes of the same user from reading this one's memory: it holds the attempt's token."""
    _prctl(_PR_SET_DUMPABLE, 0)


def fork() -> int:
    """os.fork, without Python 3.12's warning: the only threads here are idle ones of allocators, which stand a fork."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def close_descriptors(keep: Collection[int]) -> None:
    """Closes every descriptor above 2 that is not named: a forked child must not hold its parent's sockets open."""
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208
        descriptor = int(entry)
        if descriptor > 2 and descriptor not in keep:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def descendants(root: int) -> list[int]:
    """Pids of everything below a process that lives, by a walk over /proc; zombies are left out."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdigit():
            stat = _stat(int(entry))
            if stat is not None:
                children[int(stat[1])].append(int(entry) if stat[0] not in "ZX" else -int(entry))
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += [pid for pid in below if pid > 0]
        queue += [abs(pid) for pid in below]
    return found


def cpu_seconds(pids: Collection[int]) -> float:
    """User and system time of the processes and of their children that were waited for."""
    ticks = 0
    for pid in pids:
        stat = _stat(pid)
        ticks += sum(int(field) for field in stat[11:15]) if stat else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def kill_quietly(pid: int, number: int) -> None:
    """Sends a signal to a process, or to a group (negative pid), that may be gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the state on; the name before it may hold anything, brackets too."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            text = file.read()
    except OSError:
        return None
    return text[text.rindex(b")") + 2 :].decode().split()


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
