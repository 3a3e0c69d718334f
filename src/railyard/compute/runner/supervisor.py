"""The process that answers for one attempt: it alone holds the token, talks to the server, and ends the worker.

Order matters: children first, while there is one thread and no token; then the token; then threads.
A server that is away never ends a training: everything waits in the attempt's folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from railyard.client.attempt import AttemptClient
from railyard.client.transport import Transport
from railyard.compute.runner.children import Children, fork_children
from railyard.compute.runner.delivery import DELIVERY_SECONDS, Cancelled, Delivery, End
from railyard.compute.runner.failures import clean
from railyard.compute.runner.folder import AttemptFolder, read_json, write_json
from railyard.compute.runner.heartbeat import Heart
from railyard.compute.runner.logs import LogBook
from railyard.compute.runner.memory import MemoryGuard, guard
from railyard.compute.runner.order import Order
from railyard.compute.runner.patience import GaveUp, Orders, persist
from railyard.compute.runner.processes import adopt_orphans, hide_memory
from railyard.compute.runner.reports import Progress
from railyard.compute.runner.shipper import Shipper
from railyard.compute.runner.verdict import Ending, verdict
from railyard.compute.runner.watch import Allowed, Watch
from railyard.errors import RailyardError
from railyard.spec.attempt import AttemptSpec, Failure, Heartbeat, Started
from railyard.spec.base import dump
from railyard.spec.ids import split_attempt_name
from railyard.spec.result import ErrorReport, ResultManifest

_CALL_SECONDS = 30.0
_LONGEST_TOKEN = 4096


def supervise(order: Order, token_descriptor: int) -> None:
    """Carries one attempt from its first report to its last. Never raises; exit.json says how it ended.

    Called with SIGTERM blocked, so that a cancel which comes early waits for its handler.
    """
    folder = AttemptFolder(order.folder)
    begun = time.time(), time.monotonic()
    log = os.open(folder.path / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(nothing)
    sys.stdout = sys.stderr = open(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
    adopt_orphans()
    children = fork_children(folder)
    hide_memory()
    token = ""
    try:
        watched = _guarded(order, children)
        groups = [str(path) for path in watched.folders()]
        write_json(folder.path / "group.json", {"folders": groups})
        token = os.read(token_descriptor, _LONGEST_TOKEN).decode().strip()
        os.close(token_descriptor)
        _Attempt(order, folder, children, watched, token, begun).carry_out()
    except BaseException as error:
        traceback.print_exc()
        for child in (children.worker, children.verifier):
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
        _confess(order, folder, token, error)


def _confess(order: Order, folder: AttemptFolder, token: str, error: BaseException) -> None:
    """Tells that this program itself is at fault: to the server once, and to the folder."""
    report = clean(
        ErrorReport(
            code="internal",
            message=f"the supervisor failed: {error!r}",
            traceback="".join(traceback.format_exception(error)),
        )
    )
    delivered = False
    with contextlib.suppress(Exception):
        client = _client(order, token)
        persist(lambda: client.fail(Failure(error=report)), until=time.monotonic() + _CALL_SECONDS)
        delivered = True
    with contextlib.suppress(OSError):
        end: End = "failed" if delivered else "undelivered"
        write_json(folder.path / "exit.json", {"end": end, "delivered": delivered, "error": dump(report)})


def _guarded(order: Order, children: Children) -> MemoryGuard:
    """A guard that both children stand under, before either computes."""
    limits = order.limits
    for groups in (order.groups, False):
        found = guard(order.name, memory_bytes=limits.memory_bytes, cpu=limits.cpu, groups=groups)
        try:
            found.add(children.worker.pid)
            found.add(children.verifier.pid)
        except OSError as error:
            print(f"control groups cannot be used, memory is sampled: {error}", file=sys.stderr)
            found.close()
            continue
        break
    return found


class _Attempt:
    def __init__(
        self,
        order: Order,
        folder: AttemptFolder,
        children: Children,
        watched: MemoryGuard,
        token: str,
        begun: tuple[float, float],
    ) -> None:
        self._order = order
        self._folder = folder
        self._guard = watched
        self._token = token
        self._began_at, self._began = begun
        self._job_id, _ = split_attempt_name(order.name)
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        self._orders = Orders(lambda: _poke(wake_write))
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._orders.ask_cancel())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        self._book = LogBook(folder.log, limit_bytes=order.limits.log_bytes)
        self._progress = Progress(folder.steps)
        self._progress.begin("prepare", self._began_at)
        self._heart: Heart | None = None
        self._shipper = Shipper(self._client(), log=folder.log, metrics=folder.metrics, orders=self._orders)
        self._watch = Watch(
            children, folder, watched, self._book, self._progress, self._orders, wake=wake_read, on_step=self._on_step
        )

    def carry_out(self) -> None:
        spec = self._fetch_spec()
        if isinstance(spec, ErrorReport):
            self._watch.end()
            self._conclude(spec, None, None)
            return
        self._announce(spec)
        self._watch.hand_over(dump(spec), code=spec.code.folder, cpu=spec.limits.cpu)
        limits = spec.limits
        allowed = Allowed(
            until=self._began + limits.timeout_seconds,
            grace=lambda: self._folder.cancel_grace() or limits.cancel_grace_seconds,
        )
        status = self._watch.until_worker_ends(allowed)
        manifest, error = self._outcome(spec)
        if manifest is not None and not any("ok" in answer for answer in self._watch.verified.values()):
            answer = self._watch.verify(self._folder.path, allowed)
            if "ok" not in answer:
                manifest, error = None, _report_in(answer)
        ending = self._ending(status, manifest is not None, error, float(limits.timeout_seconds))
        report = verdict(ending)
        self._watch.end()
        self._conclude(report, manifest, ending)

    def _fetch_spec(self) -> AttemptSpec | ErrorReport:
        """Asks until there is an answer, for as long as the attempt may last."""
        client = self._client()
        try:
            return persist(
                client.spec,
                until=self._began + self._order.limits.timeout_seconds,
                stop=self._orders.cancel.is_set,
            )
        except GaveUp as gave_up:
            if self._orders.cancel.is_set():
                return ErrorReport(
                    code="cancelled_by_user", message="the job was cancelled before it began", step="prepare"
                )
            cause = gave_up.__cause__
            why = cause.message if isinstance(cause, RailyardError) else str(cause)
            return ErrorReport(code="lost", message=f"the server never said what to do: {why}", step="prepare")
        except (RailyardError, ValidationError) as error:
            return ErrorReport(code="internal", message=f"the attempt's spec cannot be had: {error}", step="prepare")
        finally:
            client.close()

    def _announce(self, spec: AttemptSpec) -> None:
        if self._order.cold_reason:
            self._book.say(f"this attempt runs cold: {self._order.cold_reason}")
        started = Started(
            node=socket.gethostname(),
            pid=os.getpid(),
            python=platform.python_version(),
            warm=self._order.cold_reason is None,
            clock=datetime.now(UTC),
        )
        self._heart = Heart(
            self._client(), started, every=spec.heartbeat_seconds, snapshot=self._snapshot, orders=self._orders
        )
        self._heart.start()
        self._shipper.start()

    def _snapshot(self) -> Heartbeat:
        return Heartbeat(
            step=self._progress.step,
            progress=self._progress.fraction,
            usage=self._watch.usage(),
            steps=self._progress.steps,
        )

    def _on_step(self) -> None:
        if self._heart is not None:
            self._heart.nudge()

    def _outcome(self, spec: AttemptSpec) -> tuple[ResultManifest | None, ErrorReport | None]:
        """What the worker left: its file lies where user code can write, so it is read with suspicion."""
        outcome = read_json(self._folder.path / "outcome.json") or {}
        try:
            if "manifest" in outcome:
                manifest = ResultManifest.model_validate_json(json.dumps(outcome["manifest"]))
                if manifest.attempt != spec.name:
                    raise ValueError(f"it speaks of attempt {manifest.attempt}")
                return manifest, None
            if "error" in outcome:
                return None, clean(ErrorReport.model_validate(outcome["error"]))
        except ValueError as error:
            return None, ErrorReport(code="internal", message=f"the worker's outcome does not hold: {error}")
        return None, None

    def _ending(self, status: int, finished: bool, error: ErrorReport | None, timeout: float) -> Ending:
        died = os.WIFSIGNALED(status)
        return Ending(
            job_id=self._job_id,
            delivered_manifest=finished,
            error=error,
            exit_code=None if died else os.waitstatus_to_exitcode(status),
            signal=os.WTERMSIG(status) if died else None,
            stop=self._watch.stop,
            oom_kills=self._guard.oom_kills(),
            machine_oom_kills=self._watch.machine_oom_kills(),
            peak_memory=self._guard.peak(),
            peak_at_kill=self._guard.peak_at_kill(),
            memory_limit=self._guard.limit,
            timeout_seconds=timeout,
            step=self._progress.step,
            last_errors=tuple(self._book.last_errors),
        )

    def _conclude(self, report: ErrorReport | None, manifest: ResultManifest | None, ending: Ending | None) -> None:
        """Says the last line, ships what waits, delivers the outcome, and leaves exit.json."""
        self._book.say(f"failed: {report.code}: {report.message}" if report else "trained; delivering the result")
        self._book.close()
        until = time.monotonic() + DELIVERY_SECONDS
        if self._shipper.ident is None:  # never started: the attempt ended before it began
            self._shipper.start()
        delivery = Delivery(self._client(), self._orders, until, lambda text: print(text, file=sys.stderr))
        end: End = "undelivered"
        if self._watch.stop == "stale":
            end = "refused"
        else:
            if report is None and manifest is not None:
                end, report = self._deliver_result(delivery, manifest, until)
            if report is not None:
                self._tell_all(until, self._orders.fenced.is_set)
                end = delivery.fail(self._failure(clean(report)))
        self._stop_heart()
        self._shipper.finish(until=time.monotonic(), stop=lambda: True)
        self._leave(end, report, ending)

    def _deliver_result(
        self, delivery: Delivery, manifest: ResultManifest, until: float
    ) -> tuple[End, ErrorReport | None]:
        """Uploads and commits; a report where the attempt fails after all."""
        steps = self._progress.steps or manifest.steps
        whole = manifest.model_copy(update={"steps": steps, "log_lines": self._book.lines})
        try:
            refused = delivery.upload(whole, self._folder.artifacts)
            if refused is not None:
                return "undelivered", refused
            self._tell_all(until, self._unwanted)
            answer = delivery.commit(whole)
        except Cancelled:
            if self._orders.fenced.is_set():
                return "refused", None
            return "undelivered", ErrorReport(
                code="cancelled_by_user", message="the job was cancelled while its result was uploaded", step="save"
            )
        except GaveUp:
            return "undelivered", None
        except RailyardError as error:
            print(f"upload: {error}", file=sys.stderr)
            return "refused", None
        return ("undelivered", answer) if isinstance(answer, ErrorReport) else (answer, None)

    def _tell_all(self, until: float, stop: Callable[[], bool]) -> None:
        """Everything that must be heard before the last word: the first report, every line, every point."""
        self._shipper.finish(until=until, stop=stop)
        if self._heart is not None:
            while not (self._heart.introduced.wait(0.1) or stop() or time.monotonic() >= until):
                pass
            self._heart.stop()

    def _unwanted(self) -> bool:
        return self._orders.cancel.is_set() or self._orders.fenced.is_set()

    def _failure(self, report: ErrorReport) -> Failure:
        return Failure(error=report, usage=self._watch.usage(), steps=self._progress.steps, log_lines=self._book.lines)

    def _leave(self, end: End, report: ErrorReport | None, ending: Ending | None) -> None:
        usage = self._watch.usage()
        facts: dict[str, Any] = {
            "end": end,
            "delivered": end in ("committed", "failed", "refused"),
            "error": dump(report) if report else None,
            "peak_memory": max(usage.peak_memory_bytes, self._guard.peak()),
            "memory_limit": self._guard.limit,
            "log_lines": self._book.lines,
            "finished_at": datetime.now(UTC).isoformat(),
        }
        if ending is not None:
            facts |= {"exit_code": ending.exit_code, "signal": ending.signal, "stop": ending.stop}
            facts["out_of_memory"] = report is not None and report.code == "out_of_memory"
        self._guard.close()
        write_json(self._folder.path / "exit.json", facts)

    def _stop_heart(self) -> None:
        if self._heart is not None:
            self._heart.stop()

    def _client(self) -> AttemptClient:
        return _client(self._order, self._token)


def _client(order: Order, token: str) -> AttemptClient:
    return AttemptClient(Transport(order.url, token, timeout=_CALL_SECONDS), order.name, where=lambda: _moved_to(order))


def _moved_to(order: Order) -> str | None:
    """Where the server answers since it was started again; None where nobody says so."""
    try:
        return str(json.loads(order.address.read_text())["url"]) if order.address else None
    except (OSError, ValueError, KeyError):
        return None


def _report_in(answer: dict[str, Any]) -> ErrorReport:
    try:
        return clean(ErrorReport.model_validate(answer["error"]))
    except (KeyError, ValueError):
        return ErrorReport(code="serialization", message="the saved model could not be proved to load", step="save")


def _poke(descriptor: int) -> None:
    with contextlib.suppress(BlockingIOError):
        os.write(descriptor, b"\0")
