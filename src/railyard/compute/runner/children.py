"""Forks the worker and the verifier, before their supervisor starts any thread or learns the token."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

from railyard.compute.runner.channel import Channel, pair
from railyard.compute.runner.folder import AttemptFolder
from railyard.compute.runner.processes import close_descriptors, die_with_parent, fork
from railyard.compute.runner.verifier import stand_by
from railyard.compute.runner.worker import work

UNCAUGHT = 70
"""Exit code of a child whose own code failed, EX_SOFTWARE."""


@dataclass(frozen=True)
class Child:
    pid: int
    channel: Channel


@dataclass(frozen=True)
class Children:
    worker: Child
    verifier: Child
    stdout: int
    """Read ends of the pipes that the children, and all that they start, write to."""
    stderr: int


def fork_children(folder: AttemptFolder) -> Children:
    """Two processes that wait for their orders, each in a process group of its own."""
    out_read, out_write = os.pipe()
    error_read, error_write = os.pipe()
    worker = _fork(lambda channel: work(channel, folder), out_write, error_write)
    verifier = _fork(lambda channel: stand_by(channel, folder), out_write, error_write)
    os.close(out_write)
    os.close(error_write)
    return Children(worker, verifier, out_read, error_read)


def _fork(run: Callable[[Channel], None], stdout: int, stderr: int) -> Child:
    ours, theirs = pair()
    parent = os.getpid()
    pid = fork()
    if pid:
        theirs.close()
        # Also done by the child: whoever comes first, the group exists before either side relies on it.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        return Child(pid, ours)
    code = UNCAUGHT
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        die_with_parent(parent)
        _plain_signals()
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        close_descriptors({theirs.fileno()})
        _plain_streams()
        run(theirs)
        code = 0
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)


def _plain_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _plain_streams() -> None:
    """Streams over the pipes: lines appear when they are printed, and no print fails for its characters."""
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]
