"""Runtimes: one virtual environment per lock, Python, platform and runner version, built with uv, once."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import uv

from railyard.control.code.interpreters import Interpreter, find_interpreter, server_minor
from railyard.control.code.lock import Lock, read_lock
from railyard.control.code.runner_package import install_runner, runner_requirements, runner_version
from railyard.control.executors.base import Runtime
from railyard.errors import RailyardError

SERVER = Runtime(key="server", python=sys.executable)
"""The interpreter that runs the server: for code that brings no lock."""

_READY = "ready.json"
_MOST_WORDS = 8000
_BUILD_SECONDS = 3600.0


class RuntimeBroken(RailyardError):
    """A runtime cannot be built; the message holds uv's own words."""

    code = "runtime_build"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The runtime that a code bundle asks for."""

    key: str
    interpreter: Interpreter
    lock: Lock


def asks_for_server(lock: str | None, python: str | None) -> bool:
    """Whether code runs in the server's own interpreter: it brings no lock and wants no other Python."""
    return lock is None and python in (None, server_minor())


def wanted(lock: str, path: str, python: str | None, pythons: Sequence[str] = ()) -> Wanted:
    """What a lock's text and the wanted minor version (None: the server's) ask for.

    Starts interpreters: call it in a thread. Raises Invalid for a lock that does not hold, and ConfigurationError where
    the Python is not on this machine.
    """
    parsed = read_lock(lock, path)
    interpreter = find_interpreter(python or server_minor(), pythons)
    identity = json.dumps([lock, interpreter.minor, interpreter.platform, runner_version()])
    return Wanted(key=hashlib.sha256(identity.encode()).hexdigest()[:16], interpreter=interpreter, lock=parsed)


class Runtimes:
    """The runtimes of one home folder. Several processes may share it: a file lock lets one of them build."""

    def __init__(self, folder: Path, *, program: str | None = None) -> None:
        self._folder = folder
        self._uv = program or uv.find_uv_bin()

    def find(self, key: str) -> Runtime | None:
        """The built runtime of a key; None while it is not there, half built, or its interpreter has gone."""
        python = self._python(key)
        return (
            Runtime(key=key, python=str(python))
            if (self._folder / key / _READY).is_file() and python.exists()
            else None
        )

    def log(self, key: str) -> Path:
        """Everything uv said while it built the runtime."""
        return self._folder / f"{key}.log"

    async def build(self, want: Wanted) -> Runtime:
        """The runtime, built if it is not there yet; whoever asks meanwhile waits for the same one.

        Raises RuntimeBroken with uv's own words. A cancelled or crashed build is begun anew by the next.
        """
        found = self.find(want.key)
        if found:
            return found
        self._folder.mkdir(parents=True, exist_ok=True)
        async with self._alone(want.key):
            found = self.find(want.key)
            if not found:
                # No marker means that an earlier build did not end: nothing in the folder can be trusted.
                await self._clear(want.key)
                try:
                    await self._build(want)
                except RuntimeBroken:
                    await self._clear(want.key)
                    raise
                found = self.find(want.key)
        if not found:
            raise RuntimeBroken(f"the runtime {want.key} was built, but its interpreter does not start")
        return found

    async def _clear(self, key: str) -> None:
        await asyncio.to_thread(shutil.rmtree, self._folder / key, ignore_errors=True)

    async def _build(self, want: Wanted) -> None:
        folder, python = self._folder / want.key, str(self._python(want.key))
        with self.log(want.key).open("wb") as log:
            await self._run(log, "venv", "--no-project", "--python", want.interpreter.path, str(folder))
            listed = self._write(folder / "lock.txt", want.lock.lines)
            needed = self._write(folder / "runner.txt", runner_requirements())
            pip = ("pip", "install", "--python", python)
            if want.lock.hashed:
                # With hashes a lock is complete; what the runner adds is not in it and so has none.
                held = self._write(folder / "constraints.txt", want.lock.constraints)
                await self._run(log, *pip, "--require-hashes", "--no-deps", "-r", listed)
                await self._run(log, *pip, "-r", needed, "-c", held)
            else:
                await self._run(log, *pip, "-r", needed, "-r", listed)
            site_packages = folder / "lib" / f"python{want.interpreter.minor}" / "site-packages"
            await asyncio.to_thread(install_runner, site_packages)
        ready = {"python": want.interpreter.path, "platform": want.interpreter.platform, "runner": runner_version()}
        (folder / _READY).write_text(json.dumps(ready) + "\n")

    async def _run(self, log: IO[bytes], *arguments: str) -> None:
        """One call of uv, killed with everything it started when we are cancelled or it takes an hour."""
        log.write(f"$ uv {' '.join(arguments)}\n".encode())
        log.flush()
        begun = log.tell()
        process = await asyncio.create_subprocess_exec(
            self._uv,
            *arguments,
            cwd=self._folder,
            env=_environ(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            code = await asyncio.wait_for(process.wait(), _BUILD_SECONDS)
        except BaseException:
            _kill(process)
            await process.wait()
            raise
        if code:
            raise RuntimeBroken(
                self._words(log.name, begun) or f"uv {arguments[0]} ended with {code} and said nothing",
                mend="correct the lock, or the packages it names; then send the code again",
                detail={"log": log.name},
            )

    @staticmethod
    def _words(log: str, begun: int) -> str:
        text = Path(log).read_bytes()[begun:].decode("utf-8", "replace").replace("\0", "")
        said = "\n".join(line for line in text.splitlines() if not line.startswith("Using ")).strip()
        return said if len(said) <= _MOST_WORDS else "…" + said[-_MOST_WORDS:]

    @staticmethod
    def _write(path: Path, lines: Sequence[str]) -> str:
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    def _python(self, key: str) -> Path:
        return self._folder / key / "bin" / "python"

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        """Holds the key's file lock. The kernel lets go of it when its holder dies."""
        with (self._folder / f"{key}.lock").open("ab") as held:
            while True:
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(0.1)
            yield


def _environ() -> dict[str, str]:
    """Our environment for uv, without what would lead it into another virtual environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for name in (
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "UV_PYTHON",
        "UV_REQUIRE_HASHES",
        "UV_CONSTRAINT",
        "UV_OVERRIDE",
        "UV_SYSTEM_PYTHON",
    ):
        kept.pop(name, None)
    # Copies, because the default hard link lets a job that edits a library edit it in every runtime.
    return kept | {"UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
