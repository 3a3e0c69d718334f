"""Watches the worker: reads what it prints, counts its memory, ends it when it must end. One thread, one loop."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from railyard.compute.runner.cgroups import machine_oom_kills
from railyard.compute.runner.children import Child, Children
from railyard.compute.runner.folder import AttemptFolder
from railyard.compute.runner.logs import LogBook, Pipe
from railyard.compute.runner.memory import MemoryGuard
from railyard.compute.runner.patience import Orders
from railyard.compute.runner.processes import cpu_seconds, descendants, kill_quietly
from railyard.compute.runner.reports import Progress
from railyard.compute.runner.verdict import StopReason
from railyard.spec.attempt import Usage
from railyard.spec.base import dump
from railyard.spec.result import ErrorReport

SAMPLE_SECONDS = 0.1
_CPU_SECONDS = 1.0
_KILL_ROUNDS = 250


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """How long the worker may go on, by the monotonic clock and in seconds."""

    until: float
    grace: Callable[[], float]


class Watch:
    def __init__(
        self,
        children: Children,
        folder: AttemptFolder,
        guard: MemoryGuard,
        book: LogBook,
        progress: Progress,
        orders: Orders,
        *,
        wake: int,
        on_step: Callable[[], None] = lambda: None,
    ) -> None:
        self._children = children
        self._folder = folder
        self._guard = guard
        self._book = book
        self._progress = progress
        self._orders = orders
        self._on_step = on_step
        self._wake = wake
        self._statuses: dict[int, int] = {}
        self._machine_before = machine_oom_kills()
        self._usage = Usage()
        self._usage_lock = threading.Lock()
        self._sampled = self._cpu_sampled = 0.0
        self._kill_at: float | None = None
        self._verifying: Path | None = None
        self._code = ""
        self._cpu = 1.0
        self.stop: StopReason | None = None
        self.verified: dict[Path, dict[str, Any]] = {}
        """Saved folder to what the verifier answered."""
        self._pipes = [Pipe(children.stdout, "stdout", book), Pipe(children.stderr, "stderr", book)]
        self._selector = selectors.DefaultSelector()
        for pipe in self._pipes:
            self._selector.register(pipe.descriptor, selectors.EVENT_READ, pipe)
        self._selector.register(children.worker.channel.fileno(), selectors.EVENT_READ, self._hear_worker)
        self._selector.register(children.verifier.channel.fileno(), selectors.EVENT_READ, self._hear_verifier)
        self._selector.register(wake, selectors.EVENT_READ, self._clear_wake)

    def hand_over(self, spec: dict[str, Any], *, code: str, cpu: float) -> None:
        """Gives the worker its orders. A worker that is gone by now is found by the loop."""
        self._code, self._cpu = code, cpu
        with contextlib.suppress(OSError):
            self._children.worker.channel.send({"spec": spec})

    def until_worker_ends(self, allowed: Allowed) -> int:
        """The worker's wait status, after everything it left behind was ended, too."""
        worker = self._children.worker.pid
        while worker not in self._statuses:
            self._turn(allowed)
        self._guard.sample()
        self._progress.follow(self._guard.peak())
        self._end_all(spare=self._children.verifier)
        return self._statuses[worker]

    def verify(self, saved: Path, allowed: Allowed) -> dict[str, Any]:
        """What the verifier makes of the saved model; asked here where the worker did not ask."""
        self._ask_verifier(saved)
        while saved not in self.verified and self.stop is None:
            self._turn(allowed)
        return self.verified.get(saved, {})

    def end(self) -> None:
        """Ends whatever still lives and takes the last lines."""
        self._end_all(spare=None)
        for pipe in self._pipes:
            with contextlib.suppress(KeyError):
                self._selector.unregister(pipe.descriptor)
            pipe.drain()
        self._selector.close()

    def usage(self) -> Usage:
        """As of the last sample. Any thread may ask."""
        with self._usage_lock:
            return self._usage

    def machine_oom_kills(self) -> int:
        """Kills for want of memory on the whole machine since this began."""
        return machine_oom_kills() - self._machine_before

    def _turn(self, allowed: Allowed) -> None:
        for key, _ in self._selector.select(SAMPLE_SECONDS):
            if isinstance(key.data, Pipe):
                if not key.data.read():
                    self._selector.unregister(key.fd)
            else:
                key.data()
        self._reap()
        now = time.monotonic()
        if now - self._sampled >= SAMPLE_SECONDS:
            self._sample(now)
        self._decide(now, allowed)

    def _sample(self, now: float) -> None:
        self._sampled = now
        used = self._guard.sample()
        cpu = self._usage.cpu_seconds
        if now - self._cpu_sampled >= _CPU_SECONDS:
            self._cpu_sampled = now
            gone = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = max(cpu, cpu_seconds(descendants(os.getpid())) + gone.ru_utime + gone.ru_stime)
        with self._usage_lock:
            self._usage = Usage(memory_bytes=used, peak_memory_bytes=self._guard.peak(), cpu_seconds=round(cpu, 3))
        if self._progress.follow(self._guard.peak()):
            self._on_step()

    def _decide(self, now: float, allowed: Allowed) -> None:
        if self._guard.over() and self.stop != "memory":
            self.stop, self._kill_at = "memory", now
        elif self.stop is None:
            reason: StopReason | None = (
                "stale"
                if self._orders.fenced.is_set()
                else "cancelled"
                if self._orders.cancel.is_set()
                else "timeout"
                if now >= allowed.until
                else None
            )
            if reason is not None:
                grace = allowed.grace()
                self.stop, self._kill_at = reason, now + grace
                self._book.say(f"ending the worker ({reason}): SIGTERM now, SIGKILL after {grace:g} s")
                kill_quietly(-self._children.worker.pid, signal.SIGTERM)
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self._end_all(spare=None)

    def _reap(self) -> None:
        """Waits for whoever has ended, orphans that became ours among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._statuses.setdefault(pid, status)

    def _end_all(self, *, spare: Child | None) -> None:
        """SIGKILL for every descendant, again until none is left: one of them may be forking meanwhile."""
        for _ in range(_KILL_ROUNDS):
            self._reap()
            spared = {spare.pid, *descendants(spare.pid)} if spare else set()
            family = set(descendants(os.getpid())) | set(self._guard.pids())
            family -= spared | {os.getpid()}
            if not family:
                return
            for pid in family:
                kill_quietly(pid, signal.SIGKILL)
            time.sleep(0.02)
        self._book.say("some processes of this attempt could not be ended; the executor looks for them again")

    def _hear_worker(self) -> None:
        channel = self._children.worker.channel
        told, open_ = channel.take()
        if not open_:
            self._selector.unregister(channel.fileno())
        for message in told:
            if isinstance(message.get("verify"), str):
                self._ask_verifier(Path(message["verify"]))

    def _ask_verifier(self, saved: Path) -> None:
        if not saved.resolve().is_relative_to(self._folder.path.resolve()):
            self._answer(saved, _broken(f"{saved} lies outside the attempt's folder"))
            return
        self._verifying = saved
        try:
            self._children.verifier.channel.send({"verify": str(saved), "code": self._code, "cpu": self._cpu})
        except OSError:
            self._answer(saved, _broken("the process that reloads the saved model is gone"))

    def _hear_verifier(self) -> None:
        channel = self._children.verifier.channel
        told, open_ = channel.take()
        for message in told:
            if self._verifying is not None:
                self._answer(self._verifying, message)
        if not open_:
            self._selector.unregister(channel.fileno())
            if self._verifying is not None:
                self._answer(
                    self._verifying, _broken("the process that reloaded the saved model ended without an answer")
                )

    def _answer(self, saved: Path, answer: dict[str, Any]) -> None:
        self._verifying = None
        self.verified[saved] = answer
        with contextlib.suppress(OSError):
            self._children.worker.channel.send(answer)

    def _clear_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)


def _broken(message: str) -> dict[str, Any]:
    return {"error": dump(ErrorReport(code="serialization", message=message, step="save"))}
