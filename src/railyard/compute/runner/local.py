"""Training without a server: the same code path in one process, progress on stderr, the result manifest on stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import IO

from railyard.compute.runner.failures import report_of
from railyard.compute.runner.threads import share_threads
from railyard.compute.training import train
from railyard.errors import AttemptError, Invalid, JobFailed, RailyardError
from railyard.settings import Settings, load
from railyard.spec.attempt import AttemptSpec, CodeRef, Limits
from railyard.spec.base import dump
from railyard.spec.ids import attempt_name, new_id
from railyard.spec.request import TrainingRequest, memory_bytes
from railyard.spec.result import ErrorReport, ResultManifest
from railyard.spec.states import StepName
from railyard.validation import parse_request

_METRIC_SECONDS = 0.2


class TerminalReporter:
    """Steps, progress and metrics as lines for a person; metrics at most five times a second each."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._told: dict[str, float] = {}
        self.step: StepName | None = None

    def step_started(self, name: StepName) -> None:
        self.step = name
        self._say(f"{name} …")

    def step_finished(self, name: StepName, seconds: float) -> None:
        self._say(f"{name} done in {seconds:.2f} s")

    def metric(self, name: str, value: float, step: int | None) -> None:
        now = time.monotonic()
        if now - self._told.get(name, float("-inf")) >= _METRIC_SECONDS:
            self._told[name] = now
            self._say(f"  {name} = {value}" + ("" if step is None else f"  (step {step})"))

    def progress(self, fraction: float) -> None:
        self._say(f"  {fraction:.0%}")

    def _say(self, text: str) -> None:
        try:
            print(text, file=self._stream, flush=True)
        except (OSError, ValueError):
            return


def run_local(request_file: str, project: Path, out: Path | None) -> int:
    """Trains the request with the project's workflow; the result manifest is the last line on stdout.

    Progress, what user code prints, and errors go to stderr. Returns 0 where the model was saved and reloads, 10 where
    the training failed, and the error's own exit code (2) where the request or the settings do not hold.
    """
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        request = parse_request(_text(request_file))
        manifest = _train(request, project.resolve(), out)
    except RailyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    with open(stdout, "w", encoding="utf-8") as answer:  # noqa: PTH123
        json.dump(dump(manifest), answer)
        answer.write("\n")
    return 0


def _text(request_file: str) -> str:
    if request_file == "-":
        return sys.stdin.read()
    try:
        return Path(request_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{request_file} cannot be read: {error}") from None


def _train(request: TrainingRequest, project: Path, out: Path | None) -> ResultManifest:
    """Raises JobFailed with the report's words, RailyardError for settings that do not hold."""
    folder = (out or Path("railyard-local") / f"{request.model_name}-{datetime.now():%Y%m%d-%H%M%S}").absolute()
    if (folder / "artifacts").exists():
        raise Invalid(f"{folder} holds a result already", mend="name another folder with --out")
    (folder / "scratch").mkdir(parents=True, exist_ok=True)
    spec = _spec(request, project, load().settings)
    share_threads(spec.limits.cpu)
    reporter = TerminalReporter(sys.stderr)
    try:
        manifest = train(spec, folder, reporter, lambda saved: _verify(saved, project))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        report = report_of(error, step=reporter.step, code_folder=project)
        if report.traceback:
            print(report.traceback, file=sys.stderr)
        raise JobFailed(report.message, code=report.code, mend=report.mend, detail=report.evidence) from None
    print(f"the result is in {folder}", file=sys.stderr)
    return manifest


def _spec(request: TrainingRequest, project: Path, settings: Settings) -> AttemptSpec:
    job_id = new_id("j")
    resources = request.resources
    cores = float(os.cpu_count() or 1)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return AttemptSpec(
        name=attempt_name(job_id, 1),
        job_id=job_id,
        number=1,
        request=request,
        seed=request.seed,
        code=CodeRef(folder=str(project), runtime="local"),
        data=settings.data_access(source.connection for source in request.data.features if source.connection),
        limits=Limits(
            cpu=resources.cpu or cores,
            memory_bytes=memory_bytes(resources.memory) if resources.memory else memory,
            timeout_seconds=request.timeout_seconds,
        ),
    )


def _verify(saved: Path, project: Path) -> None:
    """Reloads the model in a fresh process. Raises AttemptError where the scores are not reproduced."""
    command = [sys.executable, "-m", "railyard.compute.runner", "verify", str(saved), "--code", str(project)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    try:
        answer = json.loads(done.stdout)
        if "ok" in answer:
            return
        report = ErrorReport.model_validate(answer["error"])
    except (ValueError, KeyError, TypeError):
        report = ErrorReport(
            code="serialization", message=f"the process that reloads the model ended with exit code {done.returncode}"
        )
    raise AttemptError(
        report.code,
        report.message,
        mend=report.mend,
        step=report.step,
        traceback=report.traceback,
        evidence=report.evidence,
    )
