"""Warm interpreters from the server's side: one per runtime, started on demand, found again after a restart. Sync."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from railyard.control.executors.base import Runtime
from railyard.control.executors.processes import lives, send
from railyard.errors import RailyardError, Timeout
from railyard.version import __version__

READY_SECONDS = 180.0
"""Longest wait for a new interpreter's imports."""
_ANSWER_SECONDS = 30.0
_PING_SECONDS = 10.0
_STOP_SECONDS = 5.0


class CannotWarm(RailyardError):
    """This runtime has no warm interpreter and cannot get one; attempts run cold."""

    code = "cannot_warm"


class Interpreter:
    """The warm interpreter of one runtime. `folder` holds its socket, its state and its log."""

    def __init__(self, folder: Path, runtime: Runtime, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._runtime = runtime
        self._environ = dict(environ)
        self._lock = threading.Lock()

    def start(self, order: Mapping[str, Any], token: str) -> dict[str, Any]:
        """Starts an attempt: {"uid", "existed"}. The token goes through a pipe that only the supervisor reads.

        Raises CannotWarm.
        """
        self.ensure()
        read, write = os.pipe()
        try:
            os.write(write, token.encode())
            os.close(write)
            return call(self._folder, {"do": "start", "order": order}, seconds=_ANSWER_SECONDS, descriptors=[read])
        finally:
            os.close(read)

    def ask(self, question: str, body: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to plan or discover. Raises CannotWarm, Timeout; closing the connection ends who was asked."""
        self.ensure()
        message = {"do": "ask", "question": question, "body": body, "seconds": seconds}
        return call(self._folder, message, seconds=seconds)

    def ensure(self) -> None:
        """Adopts the interpreter that listens, or starts one. Raises CannotWarm."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        with self._lock, (self._folder / "lock").open("w") as lock:
            # Two servers that start at once must not start two: the second would take the socket of the first.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._listens():
                stop(self._folder)
                self._launch()

    def _listens(self) -> bool:
        state = _state(self._folder)
        if state is None or not lives(state) or state.get("version") != __version__:
            return False
        try:
            return not call(self._folder, {"do": "ping"}, seconds=_PING_SECONDS)["outdated"]
        except (OSError, RailyardError, KeyError):
            return False

    def _launch(self) -> None:
        (self._folder / "state.json").unlink(missing_ok=True)
        ready_read, ready_write = os.pipe()
        command = [
            *runner_command(self._runtime), "warm", "--socket", str(self._folder / "socket"),
            "--state", str(self._folder / "state.json"), "--ready-descriptor", str(ready_write),
        ]  # fmt: skip
        try:
            with (self._folder / "log").open("ab") as log:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._folder,
                    env=self._environ,
                    pass_fds=[ready_write],
                    start_new_session=True,
                )
        except OSError as error:
            os.close(ready_read)
            os.close(ready_write)
            raise CannotWarm(f"{self._runtime.python} cannot be started: {error.strerror}") from None
        os.close(ready_write)
        # Waited for whenever it ends, so that no zombie stays.
        threading.Thread(target=process.wait, name=f"warm-{self._runtime.key}", daemon=True).start()
        try:
            told = os.read(ready_read, 16) if select.select([ready_read], [], [], READY_SECONDS)[0] else b""
        finally:
            os.close(ready_read)
        if not told:
            send(process.pid, signal.SIGKILL)
            raise CannotWarm(f"the interpreter did not get ready: {last_line(self._folder / 'log')}")


@dataclass
class Interpreters:
    """All of them, by runtime. A runtime that could not be warmed is not tried again for a while."""

    folder: Path
    environ: Mapping[str, str]
    retry_seconds: float = 60.0
    _known: dict[tuple[str, str], Interpreter] = field(default_factory=dict)
    _failed: dict[tuple[str, str], tuple[float, CannotWarm]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, runtime: Runtime) -> Interpreter:
        """The interpreter of a runtime, ready to be told. Raises CannotWarm."""
        key = (runtime.key, runtime.python)
        with self._lock:
            failed = self._failed.get(key)
            if failed is not None and time.monotonic() - failed[0] < self.retry_seconds:
                raise failed[1]
            found = self._known.setdefault(
                key, Interpreter(self.folder / folder_name(runtime.key), runtime, self.environ)
            )
        try:
            found.ensure()
        except CannotWarm as error:
            with self._lock:
                self._failed[key] = (time.monotonic(), error)
            raise
        return found

    def stop_all(self) -> int:
        """Ends every interpreter under this home, whoever started it; attempts go on. Returns how many there were."""
        if not self.folder.is_dir():
            return 0
        return sum(stop(folder) for folder in self.folder.iterdir() if folder.is_dir())


def runner_command(runtime: Runtime) -> list[str]:
    """The runner in this runtime. -P: the folder it is started in is not searched for modules."""
    return [runtime.python, "-P", "-m", "railyard.compute.runner"]


def folder_name(key: str) -> str:
    """A runtime's key as a folder name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", key)[:80].lstrip(".") or "runtime"


def stop(folder: Path) -> bool:
    """Ends the interpreter of this folder: asked first, then told. True where there was one."""
    state = _state(folder)
    if state is None or not lives(state):
        return False
    with contextlib.suppress(OSError, RailyardError):
        call(folder, {"do": "stop"}, seconds=_STOP_SECONDS)
    until = time.monotonic() + _STOP_SECONDS
    while lives(state) and time.monotonic() < until:
        time.sleep(0.02)
    if lives(state):
        send(int(state["pid"]), signal.SIGKILL)
    return True


_SAME_MOMENT_SECONDS = 0.2


def call(
    folder: Path, message: Mapping[str, Any], *, seconds: float, descriptors: list[int] | None = None
) -> dict[str, Any]:
    """One object there, one back. Raises OSError where nobody listens, Timeout, and RailyardError for a refusal."""
    until = time.monotonic() + seconds
    late = Timeout(f"the runner did not answer {message['do']} within {seconds:g} s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        try:
            _connect(connection, folder)
            data = json.dumps(message).encode() + b"\n"
            # Who is gone before it has heard everything may have answered all the same.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sent = socket.send_fds(connection, [data], descriptors or [])
                connection.sendall(data[sent:])
            text = _line(connection, until)
        except TimeoutError:
            raise late from None
    if not text:
        # The other side watches the time too, and may have ended the answering process a moment before this one.
        if time.monotonic() > until - _SAME_MOMENT_SECONDS:
            raise late
        raise RailyardError(
            f"the runner ended without an answer to {message.get('question', message['do'])}", code="runner_ended"
        )
    answer = json.loads(text)
    if "error" in answer:
        raise RailyardError(str(answer["error"]), code="runner_refused")
    return dict(answer)


def _connect(connection: socket.socket, folder: Path) -> None:
    """By the folder's descriptor: a path in a socket's address ends at 107 bytes."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{descriptor}/socket")
    finally:
        os.close(descriptor)


def _line(connection: socket.socket, until: float) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        connection.settimeout(max(0.001, until - time.monotonic()))
        try:
            data = connection.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            return b""
        received += data
    return bytes(received)


def _state(folder: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((folder / "state.json").read_text()))
    except (OSError, ValueError):
        return None


def last_line(log: Path) -> str:
    """What a program that did not start said last."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1][:500] if lines else "it said nothing"
