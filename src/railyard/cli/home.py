"""The server on this computer, as its home folder tells: what runs, its token, its warm interpreters."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from railyard.cli import lazy

SERVER_MODULES = ("fastapi", "sqlalchemy", "uvicorn", "psycopg", "psutil")
_START_TOLERANCE_SECONDS = 2.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Running:
    """A process that is certainly the one that wrote about itself: pid and start time agree."""

    pid: int
    start_time: float
    url: str = ""


def folder(data_dir: Path | None) -> Path:
    """The home folder that a server here would use."""
    flags = {"home": str(data_dir)} if data_dir else {}
    home: Path = lazy.settings.load(flags).settings.home
    return home


def server(home: Path) -> Running | None:
    """The server that runs on this home, or None."""
    return _running(home / "server.json")


def token(home: Path) -> str | None:
    """The admin's token, where this user may read it."""
    try:
        return (home / "token").read_text().strip() or None
    except OSError:
        return None


def warm_interpreters(home: Path) -> Iterator[Running]:
    """The warm interpreters that the local executor left: they outlive the server."""
    for path in sorted((home / "warm").glob("*/state.json")):
        found = _running(path)
        if found is not None:
            yield found


def alive(process: Running) -> bool:
    """Whether this very process lives: a pid that another process got by now does not count."""
    started = _start_time(process.pid)
    return started is not None and abs(started - process.start_time) < _START_TOLERANCE_SECONDS


def terminate(process: Running, *, seconds: float, kill: bool = False, tick: Callable[[], None] = lambda: None) -> bool:
    """Asks a process to end and waits; with `kill` it is killed when it does not. True once it is gone."""
    for number, patience in ((signal.SIGTERM, seconds), *(((signal.SIGKILL, 5.0),) if kill else ())):
        if not alive(process):
            return True
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not alive(process):
                return True
            tick()
            time.sleep(0.05)
    return not alive(process)


def missing_modules() -> list[str]:
    """What the extra `server` would bring and is not installed."""
    return [name for name in SERVER_MODULES if importlib.util.find_spec(name) is None]


def _running(path: Path) -> Running | None:
    """What a file says of a process, if that very process lives. The start is in seconds, or in ticks since a boot."""
    try:
        value: dict[str, Any] = json.loads(path.read_text())
        ticks = value.get("start_ticks")
        if ticks is not None and value.get("boot") != _BOOT_ID.read_text().strip():
            return None
        started = float(value["start_time"]) if ticks is None else _seconds(int(ticks))
        process = Running(int(value["pid"]), started, str(value.get("url", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return process if alive(process) else None


def _start_time(pid: int) -> float | None:
    """When a process started, in seconds since 1970; None for one that is gone, or only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else _seconds(int(fields[19]))
    except OSError:
        return None


def _seconds(ticks: int) -> float:
    """Ticks since the boot as seconds since 1970."""
    boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    return int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
