"""Builds what the runner's tests need: specs, launches, and an interpreter that trains as the test says."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from attempt_server import AttemptServer, Heard

from railyard.control.executors.base import Launch, Observation, Runtime
from railyard.control.executors.local import LocalExecutor
from railyard.control.executors.processes import lives
from railyard.errors import Refused
from railyard.spec.attempt import AttemptSpec, CodeRef, DataAccess, Limits
from railyard.spec.ids import new_id
from railyard.validation import check_request

REQUEST = {
    "model_description": "a stub",
    "model_name": "stub",
    "owner": "team",
    "project": "tests",
    "trainer": "tester",
    "data": {"features": [{"source": "file", "path": "/nowhere.parquet", "names": ["a"]}]},
    "train": {"workflow_name": "Stub"},
}
TOKEN = "ra_the-token-of-the-attempt"


def limits(**given: Any) -> Limits:
    return Limits(**{"cpu": 1.0, "memory_bytes": 512 * 2**20, "cancel_grace_seconds": 0.3, **given})


def spec_of(do: str, *, limited: Limits | None = None, name: str | None = None, **params: Any) -> AttemptSpec:
    job_id = new_id("j")
    request = {**REQUEST, "train": {"workflow_name": "Stub", "custom_params": {"do": do, **params}}}
    return AttemptSpec(
        name=name or f"{job_id}-1",
        job_id=job_id,
        number=1,
        request=check_request(request),
        seed=7,
        code=CodeRef(folder="/nowhere"),
        data=DataAccess(),
        limits=limited or limits(),
        heartbeat_seconds=0.2,
    )


def stub_python(folder: Path) -> str:
    """Path of a program that stands in for a runtime's interpreter."""
    program = folder / "stub-python"
    if not program.exists():
        script = Path(__file__).with_name("stub_runner.py")
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n')
        program.chmod(0o755)
    return str(program)


def runtime(folder: Path, key: str = "stub") -> Runtime:
    return Runtime(key=key, python=stub_python(folder))


def launch_of(spec: AttemptSpec, url: str, run_in: Runtime) -> Launch:
    return Launch(name=spec.name, runtime=run_in, token=TOKEN, url=url, limits=spec.limits)


def alive(pid: int) -> bool:
    """A zombie does not live."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def is_root() -> bool:
    return os.geteuid() == 0


class Bench:
    """A home, a server's double and a stub runtime for the tests of one module; the warm interpreter is shared."""

    def __init__(self, folder: Path, **executor: Any) -> None:
        self.home = folder / "home"
        self.runtime = runtime(folder)
        self.server = AttemptServer()
        self.server.start()
        self._options = executor

    def executor(self, **given: Any) -> LocalExecutor:
        """A new one each time, as after a restart of the server: what it knows, it finds in the home."""
        return LocalExecutor(self.home, **{**self._options, **given})

    def begin(self, do: str, *, limited: Limits | None = None, run_in: Runtime | None = None, **params: Any) -> Heard:
        """Starts an attempt that does so."""
        spec = spec_of(do, limited=limited, **params)
        heard = self.server.add(spec, TOKEN)
        asyncio.run(self.executor().start(launch_of(spec, self.server.url, run_in or self.runtime)))
        return heard

    def finish(self, heard: Heard, seconds: float = 60.0) -> Observation:
        """Waits until the server knows how the attempt ended and the executor sees that nothing runs any more."""
        self.server.wait(lambda: heard.final, seconds)
        return self.gone(heard.spec.name, seconds)

    def run(self, do: str, **given: Any) -> Heard:
        heard = self.begin(do, **given)
        self.finish(heard)
        return heard

    def gone(self, name: str, seconds: float = 30.0) -> Observation:
        """Waits until the executor sees the attempt gone."""
        until = time.monotonic() + seconds
        while True:
            seen = asyncio.run(self.executor().observe())[name]
            if seen.phase == "gone":
                return seen
            assert time.monotonic() < until, f"{name} still lives: {self.said(name)}"
            time.sleep(0.02)

    def said(self, name: str) -> str:
        """What the supervisor wrote for itself."""
        return (self.folder(name) / "supervisor.log").read_text()

    def folder(self, name: str) -> Path:
        return self.home / "attempts" / name

    def supervisor(self, name: str) -> int:
        return int(json.loads((self.folder(name) / "launch.json").read_text())["pid"])

    def pids(self, heard: Heard) -> list[int]:
        """What the worker told with a line `pids …`, once it is here."""
        self.server.wait(lambda: any(text.startswith("pids ") for text in heard.texts()))
        line = next(text for text in heard.texts() if text.startswith("pids "))
        return [int(pid) for pid in line.split()[1:]]

    def close(self) -> None:
        """Ends everything that a failed test may have left."""
        for folder in (self.home / "attempts").glob("[a-z]*"):
            launch = json.loads((folder / "launch.json").read_text())
            if lives(launch):
                os.kill(launch["pid"], signal.SIGKILL)
            asyncio.run(self._remove(folder.name))
        asyncio.run(self.executor().stop_warm())
        self.server.stop()

    async def _remove(self, name: str) -> None:
        for _ in range(500):
            try:
                return await self.executor().remove(name)
            except Refused:
                await asyncio.sleep(0.02)
