"""Why an attempt ended, from what was seen of it. Pure: facts in, report out."""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass
from typing import Literal

from railyard.spec.base import JsonObject
from railyard.spec.result import ErrorReport
from railyard.spec.states import StepName

StopReason = Literal["cancelled", "timeout", "memory", "stale"]
"""Why the supervisor itself ended the worker."""

NEAR_LIMIT = 0.9
"""Share of the memory limit from which a SIGKILL out of nowhere is taken for the kernel's."""
_NATIVE_CRASHES = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGABRT,
    signal.SIGSYS,
    signal.SIGTRAP,
}
_ALLOCATION_FAILED = ("memory allocation of", "std::bad_alloc", "cannot allocate memory", "out of memory")


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Everything that was seen of the worker's end."""

    job_id: str
    delivered_manifest: bool
    """The worker wrote a result."""
    error: ErrorReport | None = None
    """What the worker itself says went wrong."""
    exit_code: int | None = None
    signal: int | None = None
    stop: StopReason | None = None
    oom_kills: int = 0
    machine_oom_kills: int = 0
    """Kills for want of memory on the whole machine while the worker ran."""
    peak_memory: int = 0
    peak_at_kill: int = 0
    memory_limit: int = 0
    timeout_seconds: float = 0.0
    step: StepName | None = None
    last_errors: tuple[str, ...] = ()


def verdict(ending: Ending) -> ErrorReport | None:
    """The report of a failed attempt, or None where the worker succeeded."""
    if ending.stop == "memory":
        return _out_of_memory(ending, "it was ended at the limit")
    if ending.stop == "cancelled":
        return _report(ending, "cancelled_by_user", f"the job was cancelled{_during(ending)}")
    if ending.delivered_manifest:
        return None
    if ending.stop == "timeout":
        return _report(
            ending,
            "timeout",
            f"the attempt was still going{_during(ending)} when its {ending.timeout_seconds:g} seconds were up",
            mend=f"railyard job rerun {ending.job_id} --set timeout_seconds={_more(ending.timeout_seconds)}",
            evidence={"timeout_seconds": ending.timeout_seconds},
        )
    if ending.stop == "stale":
        return _report(
            ending, "lost", "the server has given this attempt up: another one took its place, or the job is over"
        )
    if ending.oom_kills:
        return _out_of_memory(ending, "the kernel killed it at the limit")
    if ending.error is not None:
        return _told(ending, ending.error)
    if ending.signal is not None:
        return _killed(ending, ending.signal)
    return _report(
        ending,
        "user_code",
        f"the process ended with exit code {ending.exit_code}{_during(ending)}, without exception and result",
        mend="look for os._exit or a library that ends the process; the last lines of the log tell more",
    )


def suggested_memory(limit: int, peak: int) -> str:
    """Half as much again as was asked for or used, in whole Mi below 4 Gi and whole Gi above, such as `12Gi`."""
    wanted = max(limit, peak) * 1.5
    mebi = math.ceil(wanted / 2**20)
    return f"{math.ceil(wanted / 2**30)}Gi" if mebi > 4096 else f"{mebi}Mi"


def size(count: int) -> str:
    """Bytes for people: `7.9 GiB`, `312 MiB`."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _killed(ending: Ending, number: int) -> ErrorReport:
    said = "\n".join(ending.last_errors).lower()
    if number == signal.SIGKILL:
        if ending.peak_at_kill >= NEAR_LIMIT * ending.memory_limit:
            return _out_of_memory(ending, "it was killed near the limit")
        if ending.machine_oom_kills:
            return _out_of_memory(ending, "the machine had no memory left, so the kernel killed it")
    if number == signal.SIGABRT and any(words in said for words in _ALLOCATION_FAILED):
        return _out_of_memory(ending, "a library could not allocate memory and gave up")
    name = _name(number)
    if number in _NATIVE_CRASHES:
        return _report(
            ending,
            "user_code",
            f"native code crashed with {name}{_during(ending)}",
            mend="the Python frames at the crash end the log; try another version of the library named there",
            traceback="\n".join(ending.last_errors),
        )
    return _report(
        ending,
        "lost",
        f"the worker process was killed from outside with {name}{_during(ending)}; its memory was not near the limit",
        mend="nothing in the job asked for this; the retry runs by itself while the budget lasts",
    )


def _told(ending: Ending, error: ErrorReport) -> ErrorReport:
    """The worker's own report, with what only the supervisor knows."""
    if error.code == "out_of_memory":
        return _out_of_memory(ending, error.message, traceback=error.traceback)
    return error.model_copy(
        update={"step": error.step or ending.step, "evidence": {**_evidence(ending), **error.evidence}}
    )


def _out_of_memory(ending: Ending, how: str, *, traceback: str = "") -> ErrorReport:
    peak = max(ending.peak_memory, ending.peak_at_kill)
    traceback = traceback or (ending.error.traceback if ending.error else "")
    return _report(
        ending,
        "out_of_memory",
        f"used {size(peak)} of {size(ending.memory_limit)}{_during(ending)}: {how}",
        mend=f"railyard job rerun {ending.job_id} --set resources.memory={suggested_memory(ending.memory_limit, peak)}",
        evidence={"peak_memory": peak, "oom_kills": ending.oom_kills},
        traceback=traceback,
    )


def _report(
    ending: Ending,
    code: Literal["out_of_memory", "cancelled_by_user", "timeout", "lost", "user_code"],
    message: str,
    *,
    mend: str = "",
    evidence: JsonObject | None = None,
    traceback: str = "",
) -> ErrorReport:
    return ErrorReport(
        code=code,
        message=message,
        mend=mend,
        step=ending.step,
        traceback=traceback,
        evidence={**_evidence(ending), **(evidence or {})},
    )


def _evidence(ending: Ending) -> JsonObject:
    facts: JsonObject = {"peak_memory": ending.peak_memory, "memory_limit": ending.memory_limit}
    if ending.exit_code is not None:
        facts["exit_code"] = ending.exit_code
    if ending.signal is not None:
        facts["signal"] = _name(ending.signal)
    return facts


def _during(ending: Ending) -> str:
    return f" during {ending.step}" if ending.step else ""


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _more(seconds: float) -> int:
    return min(30 * 86400, math.ceil(seconds * 2))
