"""The process that runs user code: it trains, writes its outcome, and ends. It never holds the attempt's token."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import tempfile
import traceback
from pathlib import Path

from railyard.compute.runner.channel import Channel
from railyard.compute.runner.failures import clean, report_of
from railyard.compute.runner.folder import AttemptFolder, write_json
from railyard.compute.runner.landlock import write_only_below
from railyard.compute.runner.reports import FileReporter
from railyard.compute.runner.threads import share_threads
from railyard.compute.training import train
from railyard.errors import AttemptError
from railyard.spec.attempt import AttemptSpec
from railyard.spec.base import dump
from railyard.spec.result import ErrorReport, ResultManifest

_NICE = 10
_KILL_ME_FIRST = "500"
_LONGEST_TEMPORARY = 60
"""Characters: multiprocessing makes Unix sockets in the temporary folder, whose paths end at 107 bytes."""


def work(channel: Channel, folder: AttemptFolder) -> None:
    """Waits for the spec, trains, writes outcome.json. The caller ends the process then."""
    _lower_priority()
    told = channel.receive()
    if told is None or "spec" not in told:
        return
    spec = AttemptSpec.model_validate(told["spec"])
    confine(folder, spec.limits.cpu)
    reporter = FileReporter(folder.steps, folder.metrics)
    outcome = carry_out(spec, folder, reporter, channel)
    if isinstance(outcome, ErrorReport):
        write_json(folder.path / "outcome.json", {"error": dump(outcome)})
    else:
        write_json(folder.path / "outcome.json", {"manifest": dump(outcome)})
    if reporter.dropped:
        print(f"{reporter.dropped} metric points could not be kept", file=sys.stderr)


def confine(folder: AttemptFolder, cpu: float) -> None:
    """Working directory, caches, threads; no writing outside the attempt's folder where the kernel can hold it."""
    os.chdir(folder.scratch)
    if len(str(folder.scratch)) <= _LONGEST_TEMPORARY:
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder.scratch)
    os.environ.update(
        {
            "RAILYARD_ATTEMPT": folder.path.name,
            "XDG_CACHE_HOME": str(folder.scratch / ".cache"),
            "MPLCONFIGDIR": str(folder.scratch / ".cache"),
            "NUMBA_CACHE_DIR": str(folder.scratch / ".cache"),
        }
    )
    share_threads(cpu)
    write_only_below([folder.path, Path("/tmp"), Path("/var/tmp"), Path("/dev")])  # noqa: S108


def carry_out(
    spec: AttemptSpec, folder: AttemptFolder, reporter: FileReporter, channel: Channel
) -> ResultManifest | ErrorReport:
    """Trains; whatever user code raises becomes a report."""

    def verify(saved: Path) -> None:
        answer = channel.ask({"verify": str(saved)})
        if answer is None or "ok" not in answer:
            report = ErrorReport.model_validate((answer or {}).get("error", _NO_ANSWER))
            raise AttemptError(
                report.code,
                report.message,
                mend=report.mend,
                step=report.step,
                traceback=report.traceback,
                evidence=report.evidence,
            )

    try:
        return train(spec, folder.path, reporter, verify)
    except BaseException as error:  # SystemExit and KeyboardInterrupt of user code are outcomes, too
        report = report_of(error, step=reporter.step, code_folder=Path(spec.code.folder))
        with contextlib.suppress(Exception):
            # An AttemptError's own frames are ours; what it reports are the user's.
            print(report.traceback if isinstance(error, AttemptError) else _whole(error), end="", file=sys.stderr)
        return report


def _whole(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


_NO_ANSWER = dump(
    clean(ErrorReport(code="internal", message="the process that reloads the saved model did not answer", step="save"))
)


def _lower_priority() -> None:
    """User code yields to everything else, and goes first when the machine runs out of memory."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_KILL_ME_FIRST)
    faulthandler.enable()
