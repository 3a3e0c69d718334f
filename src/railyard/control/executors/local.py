"""Runs attempts as processes of this machine: one warm interpreter per runtime forks a supervisor for each.

What exists is what stands in `<home>/attempts/<name>/`, so that a restarted server needs no memory of its own.
One trust domain: attempts run as the server's user; Landlock, where the kernel has it, keeps them from writing outside
their folders.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from railyard.control.executors.base import Capacity, Launch, Observation, Runtime, Started
from railyard.control.executors.cold import ask_cold, start_cold
from railyard.control.executors.environment import runner_environment
from railyard.control.executors.interpreters import CannotWarm, Interpreters
from railyard.control.executors.processes import lives, send, sweep
from railyard.errors import Refused
from railyard.spec.base import dump

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_MEMORY_SHARE = 0.9
_STARTS_AT_ONCE = 16
_AFTER_GRACE_SECONDS = 5.0
"""What a supervisor has, after the worker's grace, to kill, report and end."""


class LocalExecutor:
    """`cpu` cores, `memory` bytes and `gpu` devices for attempts in all; by default all cores and 90 % of the memory.

    `control_groups=False` leaves the kernel's groups alone: memory is sampled, cores are not held.
    """

    name = "local"

    def __init__(
        self,
        home: Path,
        *,
        cpu: float | None = None,
        memory: int | None = None,
        gpu: int = 0,
        control_groups: bool = True,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._attempts = home / "attempts"
        self._environ = runner_environment(os.environ if environ is None else environ)
        self._interpreters = Interpreters(home / "warm", self._environ)
        self._cpu, self._memory, self._gpu = cpu, memory, gpu
        self._control_groups = control_groups
        # Threads of their own: a start may wait for a runtime's imports, and must not keep `observe` waiting.
        self._starts = ThreadPoolExecutor(_STARTS_AT_ONCE, thread_name_prefix="start")
        self._endings: dict[str, asyncio.Task[None]] = {}
        self._swept: set[str] = set()

    async def open(self) -> None:
        """Makes the folders, and clears away half-made ones of starts that a crash cut off."""
        await asyncio.to_thread(self._open)

    async def close(self) -> None:
        """Lets go; attempts and warm interpreters go on."""
        endings = list(self._endings.values())
        for task in endings:
            task.cancel()
        await asyncio.gather(*endings, return_exceptions=True)
        self._endings.clear()
        self._starts.shutdown(wait=False, cancel_futures=True)

    async def stop_warm(self) -> int:
        """Ends every warm interpreter under this home; attempts go on. Returns how many there were."""
        return await asyncio.to_thread(self._interpreters.stop_all)

    async def warm_up(self, runtime: Runtime) -> None:
        """Starts the runtime's interpreter ahead of the first attempt. One that cannot be is told at that attempt."""
        with contextlib.suppress(CannotWarm):
            await asyncio.to_thread(self._interpreters.of, runtime)

    async def capacity(self) -> Capacity:
        cpu = self._cpu or float(len(os.sched_getaffinity(0)))
        memory = self._memory or int(machine_memory() * _MEMORY_SHARE)
        return Capacity(cpu=cpu, memory_bytes=memory, gpu=self._gpu)

    async def start(self, launch: Launch) -> Started:
        folder = self._folder(launch.name)
        existing = _read(folder / "launch.json")
        if existing is not None:
            return Started(uid=str(existing["uid"]), existed=True)
        answer = await asyncio.get_running_loop().run_in_executor(self._starts, self._start, launch, folder)
        return Started(uid=str(answer["uid"]), existed=bool(answer["existed"]))

    async def observe(self) -> Mapping[str, Observation]:
        return await asyncio.to_thread(self._observe)

    async def cancel(self, name: str, *, grace_seconds: float) -> None:
        folder = self._folder(name)
        launch = _read(folder / "launch.json")
        if launch is None or not lives(launch):
            return
        if name not in self._endings:
            with contextlib.suppress(OSError):
                (folder / "cancel").write_text(f"{grace_seconds:g}")
            send(int(launch["pid"]), signal.SIGTERM)
            task = asyncio.create_task(self._end(folder, launch, grace_seconds + _AFTER_GRACE_SECONDS))
            self._endings[name] = task
            task.add_done_callback(lambda _: self._endings.pop(name, None))

    async def remove(self, name: str) -> None:
        """Raises Refused for an attempt that lives."""
        await asyncio.to_thread(self._remove, self._folder(name))

    async def ask(
        self, runtime: Runtime, question: str, body: Mapping[str, Any], *, timeout_seconds: float
    ) -> Mapping[str, Any]:
        """Raises Timeout when the time is up (who was asked is killed), RailyardError where there is no answer."""
        return await asyncio.to_thread(self._ask, runtime, question, body, timeout_seconds)

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"expected an attempt's name such as j81f3k2abq-1, got {name!r}")
        return self._attempts / name

    def _open(self) -> None:
        self._attempts.mkdir(mode=0o700, parents=True, exist_ok=True)
        for half in self._attempts.glob(".*"):
            launch = _read(half / "launch.json")
            if launch is None or not lives(launch):
                shutil.rmtree(half, ignore_errors=True)

    def _start(self, launch: Launch, folder: Path) -> dict[str, Any]:
        self._attempts.mkdir(mode=0o700, parents=True, exist_ok=True)
        order = {
            "name": launch.name,
            "url": launch.url,
            "address": str(self._attempts.parent / "server.json"),
            "folder": str(folder),
            "limits": dump(launch.limits),
            "groups": self._control_groups,
        }
        try:
            return self._interpreters.of(launch.runtime).start(order, launch.token)
        except CannotWarm as error:
            order["cold_reason"] = error.message
            log = self._attempts / ".cold.log"
            return start_cold(launch.runtime, order, launch.token, self._environ, log)

    def _ask(self, runtime: Runtime, question: str, body: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        try:
            answer = self._interpreters.of(runtime).ask(question, body, seconds)
        except CannotWarm:
            answer = ask_cold(runtime, question, body, self._environ, seconds)
        return dict(answer["answer"])

    def _observe(self) -> dict[str, Observation]:
        seen = {}
        for entry in os.scandir(self._attempts):
            folder = Path(entry.path)
            launch = _read(folder / "launch.json") if _NAME.fullmatch(entry.name) else None
            if launch is not None:
                seen[entry.name] = self._look(folder, launch)
        self._swept &= set(seen)
        return seen

    def _look(self, folder: Path, launch: Mapping[str, Any]) -> Observation:
        name, uid = folder.name, str(launch["uid"])
        if lives(launch):
            return Observation(name=name, uid=uid, phase="alive")
        if name not in self._swept:
            # A supervisor that was killed could not end what it had started. Gone means that nothing runs any more.
            if not sweep(folder, _groups(folder)):
                return Observation(name=name, uid=uid, phase="alive", evidence={"leftovers": True})
            self._swept.add(name)
        ended = _read(folder / "exit.json")
        evidence = ended if ended is not None else _silent_end(folder)
        return Observation(name=name, uid=uid, phase="gone", evidence=evidence)

    async def _end(self, folder: Path, launch: Mapping[str, Any], seconds: float) -> None:
        """What cancel promises: whatever is left after the grace is killed."""
        await asyncio.sleep(seconds)
        if lives(launch):
            send(int(launch["pid"]), signal.SIGKILL)
        await asyncio.to_thread(sweep, folder, _groups(folder))

    def _remove(self, folder: Path) -> None:
        launch = _read(folder / "launch.json")
        if launch is None:
            return
        if lives(launch):
            raise Refused(f"the attempt {folder.name} lives; only what is gone can be removed", mend="cancel it first")
        groups = _groups(folder)
        if not sweep(folder, groups):
            raise Refused(f"processes of the attempt {folder.name} could not be ended", mend="try again")
        for group in groups:
            with contextlib.suppress(OSError):
                group.rmdir()
        going = folder.with_name(f".gone.{folder.name}.{secrets.token_hex(4)}")
        with contextlib.suppress(FileNotFoundError):
            folder.rename(going)
            _delete(going)


def machine_memory() -> int:
    """Bytes of this machine, or of the container around us where that allows less."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            found = min(found, int(Path(file).read_text()))
    return found


def _silent_end(folder: Path) -> dict[str, Any]:
    """Evidence of a supervisor that ended without a word: how, as far as its warm interpreter saw it."""
    code = (_read(folder / "supervisor.json") or {}).get("exit")
    if code is None:
        return {"delivered": False}
    return {"delivered": False, "signal": -code} if code < 0 else {"delivered": False, "exit_code": code}


def _groups(folder: Path) -> list[Path]:
    return [Path(path) for path in (_read(folder / "group.json") or {}).get("folders", [])]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _delete(folder: Path) -> None:
    """Removes the tree, folders that user code made read-only, too."""
    for root, names, _ in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                (Path(root) / name).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
