"""The warm interpreter: it has imported everything, computes nothing, and forks a supervisor per attempt.

    python -m railyard.compute.runner warm --socket PATH --state FILE [--ready-descriptor N]

It listens on a Unix socket in a folder of its owner's alone. One JSON object per line; one answer per object:

    {"do": "ping"}                                → {"pid", "uid", "version", "threads", "broken", "outdated"}
    {"do": "start", "order": {…}}  and the token's descriptor beside it (SCM_RIGHTS)
                                                  → {"uid", "existed"}
    {"do": "ask", "question": "plan"|"discover", "body": {…}, "seconds": 10}
                                                  → {"answer": {…}} or {"error": "…"}
    {"do": "stop"}                                → {"ok": true}; attempts go on

The token itself is never read here. When this process dies its supervisors go on; nothing that matters lives in it.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from railyard.compute.runner.folder import AttemptFolder, write_json
from railyard.compute.runner.order import Order
from railyard.compute.runner.preload import preload, stamp, threads
from railyard.compute.runner.processes import boot_id, close_descriptors, fork, kill_quietly, start_ticks, uid_of
from railyard.compute.runner.questions import answer_to
from railyard.compute.runner.supervisor import supervise
from railyard.version import __version__

_LONGEST_MESSAGE = 64 * 2**20
_CREDENTIALS = struct.calcsize("3i")


@dataclass(eq=False)
class _Caller:
    """One connection."""

    socket: socket.socket
    rest: bytes = b""
    descriptors: list[int] = field(default_factory=list)
    asked: int | None = None
    """Pid of the process that answers this caller's question."""
    until: float = 0.0


class Warm:
    def __init__(self, listener: socket.socket, broken: dict[str, str]) -> None:
        self._listener = listener
        self._broken = broken
        self._stamp = stamp()
        self._callers: dict[int, _Caller] = {}
        self._supervisors: dict[int, AttemptFolder] = {}
        self._selector = selectors.DefaultSelector()
        self._running = True
        self._wake_read, wake_write = os.pipe()
        for end in (self._wake_read, wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)

    def serve(self) -> None:
        """Answers until it is told to stop."""
        while self._running:
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is self._listener:
                    self._welcome()
                elif key.fd == self._wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_read, 4096)
                elif key.fd in self._callers:
                    self._hear(self._callers[key.fd])
            self._reap()
            self._end_overdue()

    def _patience(self) -> float | None:
        ends = [caller.until for caller in self._callers.values() if caller.asked is not None]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _stop(self) -> None:
        self._running = False

    def _welcome(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS)
        if struct.unpack("3i", peer)[1] not in (os.getuid(), 0):
            connection.close()
            return
        connection.setblocking(False)
        self._callers[connection.fileno()] = _Caller(connection)
        self._selector.register(connection, selectors.EVENT_READ)

    def _hear(self, caller: _Caller) -> None:
        try:
            data, descriptors = _receive(caller.socket)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        caller.descriptors += descriptors
        caller.rest += data
        if not data or len(caller.rest) > _LONGEST_MESSAGE:
            self._dismiss(caller)
            return
        while b"\n" in caller.rest and caller.asked is None:
            line, caller.rest = caller.rest.split(b"\n", 1)
            try:
                answer = self._do(caller, json.loads(line))
            except (ValidationError, ValueError, KeyError, TypeError, OSError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            if answer is not None:
                self._say(caller, answer)

    def _do(self, caller: _Caller, message: dict[str, Any]) -> dict[str, Any] | None:
        match message["do"]:
            case "ping":
                return {
                    "pid": os.getpid(),
                    "uid": own_uid(),
                    "version": __version__,
                    "threads": threads(),
                    "broken": self._broken,
                    "outdated": stamp() != self._stamp,
                }
            case "start":
                return self._start(caller, Order.model_validate(message["order"]))
            case "ask":
                self._ask(caller, str(message["question"]), message["body"], float(message["seconds"]))
                return None
            case "stop":
                self._stop()
                return {"ok": True}
            case unknown:
                return {"error": f"expected ping, start, ask or stop, got {unknown!r}"}

    def _start(self, caller: _Caller, order: Order) -> dict[str, Any]:
        token, caller.descriptors = caller.descriptors[:1], caller.descriptors[1:]
        folder = AttemptFolder(order.folder)
        try:
            existing = folder.uid()
            if existing is not None:
                return {"uid": existing, "existed": True}
            if not token:
                return {"error": "start needs the descriptor of the token beside it"}
            go_read, go_write = os.pipe()
            pid = self._fork(lambda: _when_told(go_read, lambda: supervise(order, token[0])), keep={go_read, token[0]})
            os.close(go_read)
            try:
                uid = folder.claim(pid, cold_reason=None)
                if uid is not None:
                    os.write(go_write, b"!")
                    self._supervisors[pid] = folder
            finally:
                # A child that was not told to go sees the end of the pipe, and goes away.
                os.close(go_write)
            return {"uid": uid or folder.uid(), "existed": uid is None}
        finally:
            for descriptor in token:
                os.close(descriptor)

    def _ask(self, caller: _Caller, question: str, body: dict[str, Any], seconds: float) -> None:
        own = caller.socket.fileno()

        def reply() -> None:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            answer = answer_to(question, body)
            with socket.socket(fileno=os.dup(own)) as connection:
                connection.setblocking(True)
                connection.sendall(json.dumps(answer).encode() + b"\n")

        caller.asked = self._fork(reply, keep={own})
        caller.until = time.monotonic() + seconds

    def _fork(self, run: Callable[[], None], *, keep: set[int]) -> int:
        """A child in a session of its own, with no descriptor of ours but those named."""
        sys.stdout.flush()
        sys.stderr.flush()
        # A cancel may come before the child is ready for it: it waits until the supervisor lets it in.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        pid = fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            return pid
        code = 70
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            close_descriptors(keep)
            run()
            code = 0
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
        finally:
            with contextlib.suppress(Exception):
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            folder = self._supervisors.pop(pid, None)
            if folder is not None and folder.path.is_dir():
                with contextlib.suppress(OSError):
                    write_json(folder.path / "supervisor.json", {"exit": os.waitstatus_to_exitcode(status)})
            for caller in list(self._callers.values()):
                if caller.asked == pid:
                    # An answer that was given is on its way already; without one the caller sees the end.
                    self._dismiss(caller)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for caller in list(self._callers.values()):
            if caller.asked is not None and now >= caller.until:
                self._dismiss(caller)

    def _dismiss(self, caller: _Caller) -> None:
        """Closes the connection and ends the process that was to answer it, with all that it started."""
        if caller.asked is not None:
            kill_quietly(-caller.asked, signal.SIGKILL)
            kill_quietly(caller.asked, signal.SIGKILL)
        for descriptor in caller.descriptors:
            os.close(descriptor)
        self._selector.unregister(caller.socket)
        self._callers.pop(caller.socket.fileno())
        caller.socket.close()

    def _say(self, caller: _Caller, answer: dict[str, Any]) -> None:
        try:
            caller.socket.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            self._dismiss(caller)


def warm(socket_path: Path, state: Path, ready: int | None) -> None:
    """Imports, listens, says that it is ready, and serves."""
    with contextlib.suppress(PermissionError):  # it leads a session already
        os.setsid()
    broken = preload()
    folder = socket_path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    listener = listen(socket_path)
    ticks = start_ticks(os.getpid())
    write_json(state, {"pid": os.getpid(), "start_ticks": ticks, "boot": boot_id(), "version": __version__})
    if ready is not None:
        os.write(ready, b"ready\n")
        os.close(ready)
    Warm(listener, broken).serve()
    with contextlib.suppress(OSError):
        socket_path.unlink()


def listen(path: Path) -> socket.socket:
    """A listening Unix socket, named by its folder: the kernel allows addresses of 107 bytes."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
    listener.listen(64)
    listener.setblocking(False)
    return listener


def own_uid() -> str:
    """Identity of this process."""
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    return uid_of(os.getpid(), ticks)


def _when_told(go: int, run: Callable[[], None]) -> None:
    """Runs once the pipe says so; not at all when it ends first."""
    told = os.read(go, 1)
    os.close(go)
    if told:
        run()


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """What has arrived, with the descriptors beside it."""
    size = array.array("i").itemsize
    data, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(4 * size), socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % size])
    return data, list(descriptors)
