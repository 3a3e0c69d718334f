"""Calls a function in a forked child, so that whatever it does (exit, crash, hang) happens there."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn


@dataclass(frozen=True)
class Ended:
    """How a call in a child ended: with `value`, or with `broken`, a sentence and what the child printed last."""

    value: Any = None
    broken: str | None = None


def call_isolated(function: Callable[[], Any], timeout: float) -> Ended:
    """Runs `function` in a forked child and answers its JSON value.

    The child is a process group of its own and is killed, with its children, after `timeout` seconds. What it prints is
    kept apart and shown only where it died. The caller must be able to fork: it has started no threads that hold locks
    and used no library that a fork breaks (Polars, OpenMP).
    """
    with tempfile.TemporaryFile() as printed:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            _child(function, writing, printed.fileno())
        os.close(writing)
        try:
            raw = _answer(pid, reading, timeout)
        finally:
            os.close(reading)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        if raw is None:
            return Ended(broken=f"it did not finish within {timeout:g} s and was stopped{_tail(printed.fileno())}")
        try:
            return Ended(value=json.loads(raw))
        except ValueError:
            return Ended(broken=f"the process that ran it {_how(status)}{_tail(printed.fileno())}")


def _child(function: Callable[[], Any], writing: int, printed: int) -> NoReturn:
    """Never returns into the caller's code: a test runner or a server above us must not see the child at all."""
    code = 1
    try:
        os.setpgid(0, 0)
        for descriptor in (1, 2):
            os.dup2(printed, descriptor)
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        faulthandler.enable(file=2, all_threads=False)  # a crash leaves the line it happened in
        answer = json.dumps(function()).encode()
        sent = 0
        while sent < len(answer):
            sent += os.write(writing, answer[sent:])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        os.write(2, f"SystemExit: {end.code}\n".encode())
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode("utf-8", "replace"))
    finally:
        os._exit(code & 255)


def _answer(pid: int, reading: int, timeout: float) -> bytes | None:
    """Everything the child wrote until it ended; None where that takes too long.

    Its end counts, not the end of the pipe: a process it started may hold the pipe for ever.
    """
    until = time.monotonic() + timeout
    parts: list[bytes] = []
    ending = os.pidfd_open(pid)
    os.set_blocking(reading, False)
    waiting = [reading, ending]
    try:
        while True:
            ready = select.select(waiting, [], [], max(0.0, until - time.monotonic()))[0]
            if not ready:
                return None
            if not _drain(reading, parts):
                waiting = [ending]
            if ending in ready:
                return b"".join(parts)
    finally:
        os.close(ending)


def _drain(reading: int, parts: list[bytes]) -> bool:
    """Reads what is there; False once the pipe is closed."""
    while True:
        try:
            part = os.read(reading, 65536)
        except BlockingIOError:
            return True
        if not part:
            return False
        parts.append(part)


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"was killed by {signal.Signals(number).name} (a crash inside a library, as a rule)"
    return f"ended by itself with exit code {os.WEXITSTATUS(status)}"


def _tail(printed: int, most: int = 4096) -> str:
    size = os.fstat(printed).st_size
    text = os.pread(printed, most, max(0, size - most)).decode("utf-8", "replace").strip()
    return f"; it printed:\n{text}" if text else ""
