"""Whether a process that was started earlier still lives, and what it left behind. Linux only."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_KILL_ROUNDS = 100


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None where no such process lives (a zombie does not)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def lives(launch: Mapping[str, Any]) -> bool:
    """True while the very process lives that `pid`, `start_ticks` and `boot` name: only a pid is used again."""
    return launch.get("boot") == boot_id() and start_ticks(int(launch["pid"])) == launch["start_ticks"]


def boot_id() -> str:
    """Random text of this boot of the kernel."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def send(pid: int, number: signal.Signals) -> None:
    """Sends a signal to a process, or to a group (negative pid), that may be gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def leftovers(folder: Path, groups: list[Path]) -> set[int]:
    """Processes of an attempt whose supervisor is gone.

    By the kernel's groups where there were any; else by the attempt's name in the environment a program was started
    with, and by a working directory inside the attempt's folder. Never by a remembered pid, which may belong to
    somebody else by now.
    """
    found: set[int] = set()
    for group in groups:
        with contextlib.suppress(OSError, ValueError):
            found |= {int(line) for line in (group / "cgroup.procs").read_text().split()}
    mark = f"RAILYARD_ATTEMPT={folder.name}\0".encode()
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{entry}/environ").read_bytes() + b"\0":
                    found.add(int(entry))
            with contextlib.suppress(OSError):
                if Path(f"/proc/{entry}/cwd").readlink().is_relative_to(folder):
                    found.add(int(entry))
    return {pid for pid in found if pid != os.getpid() and start_ticks(pid) is not None}


def sweep(folder: Path, groups: list[Path]) -> bool:
    """SIGKILL for what an attempt left behind, again until nothing is left. False where something would not go."""
    for _ in range(_KILL_ROUNDS):
        left = leftovers(folder, groups)
        if not left:
            return True
        for pid in left:
            send(pid, signal.SIGKILL)
        time.sleep(0.02)
    return False
