"""An exception of a training, told as the report that the job page shows. Pure, but for reading the exception."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from railyard.errors import AttemptError, RailyardError
from railyard.spec.result import ErrorReport
from railyard.spec.states import StepName

LONGEST_TRACEBACK = 64 * 1024
_LONGEST_MESSAGE = 2000
_OURS = Path(__file__).resolve().parents[2]
_FULL = {errno.ENOSPC, errno.EDQUOT}


def report_of(error: BaseException, *, step: StepName | None, code_folder: Path | None = None) -> ErrorReport:
    """Reason, one sentence and the user's frames. Nothing in it can hurt a database: no U+0000, no lone surrogates."""
    if isinstance(error, AttemptError):
        report = error.report
        return clean(report.model_copy(update={"step": report.step or step}))
    frames = _traceback(error)
    if _caused_by(error, MemoryError):
        return clean(
            ErrorReport(
                code="out_of_memory",
                message=f"the {step or 'training'} step asked for memory that there is not: {_line(error)}",
                step=step,
                traceback=frames,
            )
        )
    full = next((cause for cause in _chain(error) if isinstance(cause, OSError) and cause.errno in _FULL), None)
    if full is not None:
        return clean(
            ErrorReport(
                code="disk_full",
                message=f"no space is left on the disk: {_line(full)}",
                mend="make room on the machine (railyard doctor shows how much is left), then run the job again",
                step=step,
                traceback=frames,
            )
        )
    if isinstance(error, RailyardError):
        return clean(ErrorReport(code="internal", message=error.message, mend=error.mend, step=step, traceback=frames))
    if isinstance(error, SystemExit):
        message = f"the workflow called sys.exit({error.code!r}) instead of returning a fitted model"
        mend = "return the fitted model from train(), or raise an exception that says what is wrong"
        return clean(ErrorReport(code="user_code", message=message, mend=mend, step=step, traceback=frames))
    return clean(
        ErrorReport(
            code="user_code",
            message=_line(error) + _where(error, code_folder),
            mend=_mend(error),
            step=step,
            traceback=frames,
        )
    )


def clean(report: ErrorReport) -> ErrorReport:
    """The report with texts that every reader can hold, at their greatest lengths."""
    return report.model_copy(
        update={
            "message": storable(report.message)[:_LONGEST_MESSAGE],
            "mend": storable(report.mend)[:_LONGEST_MESSAGE],
            "traceback": _tail(storable(report.traceback)),
        }
    )


def storable(text: str) -> str:
    """Text without U+0000 and lone surrogates: Postgres and strict JSON refuse both."""
    return text.replace("\x00", "\ufffd").encode("utf-8", errors="replace").decode("utf-8")


def _mend(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"add {error.name.split('.')[0]} to the project's lock and deploy it, or import what is there"
    return "correct the workflow; `railyard train … --local` runs it at once on this machine"


def _line(error: BaseException) -> str:
    try:
        text = str(error).strip()
    except Exception:  # its own __str__ raises
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _where(error: BaseException, folder: Path | None) -> str:
    """The innermost line of the user's own code, such as ` (workflows/fraud.py:12 in train)`."""
    if folder is None:
        return ""
    root = folder.resolve()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(root) or path.is_relative_to(folder):
            short = path.relative_to(root if path.is_relative_to(root) else folder)
            return f" ({short}:{frame.lineno} in {frame.name})"
    return ""


def _traceback(error: BaseException) -> str:
    """Without our own frames at the top, unless there are no others."""
    inner: TracebackType | None = error.__traceback__
    while inner is not None and Path(inner.tb_frame.f_code.co_filename).is_relative_to(_OURS):
        inner = inner.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, inner or error.__traceback__))
    except Exception:  # an exception whose own __str__ raises
        return "".join(traceback.format_tb(inner or error.__traceback__)) + type(error).__name__


def _tail(text: str) -> str:
    data = text.encode()
    if len(data) <= LONGEST_TRACEBACK:
        return text
    return "…\n" + data[-(LONGEST_TRACEBACK - 5) :].decode(errors="ignore")


def _caused_by(error: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, explicitly or while handling; a loop in the chain ends it."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
