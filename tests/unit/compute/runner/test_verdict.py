from __future__ import annotations

import signal
from typing import Any

import pytest

from railyard.compute.runner.verdict import Ending, suggested_memory, verdict
from railyard.spec.request import memory_bytes
from railyard.spec.result import ErrorReport

GIB = 2**30


def ending(**given: Any) -> Ending:
    return Ending(
        **{
            "job_id": "j81f3k2abq",
            "delivered_manifest": False,
            "memory_limit": 8 * GIB,
            "step": "train",
            "timeout_seconds": 60.0,
            **given,
        }
    )


def code(**given: Any) -> str | None:
    report = verdict(ending(**given))
    return report.code if report else None


USER = ErrorReport(code="user_code", message="ValueError: x", traceback="the frames")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"delivered_manifest": True, "exit_code": 0}, None),
        # A result that was written counts, whatever the interpreter's end was like, or how late it was.
        ({"delivered_manifest": True, "signal": signal.SIGSEGV}, None),
        ({"delivered_manifest": True, "stop": "timeout"}, None),
        # A helper process may have been killed for memory while the training went on and succeeded.
        ({"delivered_manifest": True, "oom_kills": 1}, None),
        ({"delivered_manifest": True, "stop": "cancelled"}, "cancelled_by_user"),
        ({"error": USER, "exit_code": 0}, "user_code"),
        # The ending that we caused is the cause, not what user code made of it.
        ({"error": USER, "stop": "timeout"}, "timeout"),
        ({"error": USER, "stop": "cancelled"}, "cancelled_by_user"),
        ({"error": USER, "stop": "memory"}, "out_of_memory"),
        # A broken pool of processes is only the echo of the kernel's kill.
        ({"error": USER, "oom_kills": 1}, "out_of_memory"),
        ({"signal": signal.SIGKILL, "oom_kills": 1}, "out_of_memory"),
        ({"signal": signal.SIGKILL, "peak_at_kill": int(7.5 * GIB)}, "out_of_memory"),
        ({"signal": signal.SIGKILL, "machine_oom_kills": 1}, "out_of_memory"),
        ({"signal": signal.SIGKILL, "peak_at_kill": 1 * GIB}, "lost"),
        ({"signal": signal.SIGTERM}, "lost"),
        ({"signal": signal.SIGSEGV}, "user_code"),
        ({"signal": signal.SIGABRT}, "user_code"),
        ({"signal": signal.SIGABRT, "last_errors": ("memory allocation of 99 bytes failed",)}, "out_of_memory"),
        ({"exit_code": 7}, "user_code"),
        ({"exit_code": 0}, "user_code"),
        ({"stop": "stale"}, "lost"),
        ({"signal": 64}, "lost"),
    ],
)
def test_the_cause_is_found(given: dict[str, Any], expected: str | None) -> None:
    assert code(**given) == expected


def test_out_of_memory_names_peak_limit_and_a_command_that_mends_it() -> None:
    report = verdict(ending(signal=9, oom_kills=1, peak_memory=7 * GIB, peak_at_kill=8 * GIB, error=USER))
    assert report is not None
    assert report.message.startswith("used 8.0 GiB of 8.0 GiB during train")
    assert report.mend == "railyard job rerun j81f3k2abq --set resources.memory=12Gi"
    assert report.evidence["peak_memory"] == 8 * GIB
    assert report.evidence["memory_limit"] == 8 * GIB
    assert report.evidence["signal"] == "SIGKILL"
    assert report.traceback == "the frames"


def test_a_timeout_names_a_command_that_mends_it() -> None:
    report = verdict(ending(stop="timeout", signal=9, timeout_seconds=60.0))
    assert report is not None
    assert report.mend == "railyard job rerun j81f3k2abq --set timeout_seconds=120"


def test_the_worker_s_own_report_is_kept_with_the_evidence_beside_it() -> None:
    told = ErrorReport(code="bad_label", message="y holds one value", evidence={"values": [1]})
    report = verdict(ending(error=told, exit_code=0, peak_memory=5))
    assert report is not None
    assert (report.code, report.message, report.step) == ("bad_label", "y holds one value", "train")
    assert report.evidence == {"values": [1], "peak_memory": 5, "memory_limit": 8 * GIB, "exit_code": 0}


@pytest.mark.parametrize(
    ("limit", "peak", "text"),
    [(8 * GIB, 8 * GIB, "12Gi"), (512 * 2**20, 512 * 2**20, "768Mi"), (GIB, 6 * GIB, "9Gi"), (1, 1, "1Mi")],
)
def test_the_suggestion_is_half_as_much_again_and_a_legal_quantity(limit: int, peak: int, text: str) -> None:
    assert suggested_memory(limit, peak) == text
    assert memory_bytes(text) > max(limit, peak)
