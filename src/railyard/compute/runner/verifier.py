"""The process that reloads the saved model: forked before the training, so that nothing of it can leak in."""

from __future__ import annotations

import sys
from pathlib import Path

from railyard.compute.runner.channel import Channel
from railyard.compute.runner.failures import report_of
from railyard.compute.runner.folder import AttemptFolder
from railyard.compute.runner.worker import confine
from railyard.compute.training import verify_saved
from railyard.spec.base import dump


def stand_by(channel: Channel, folder: AttemptFolder) -> None:
    """Answers `verify` with ok or an error report, until the other end goes away."""
    confined = False
    while told := channel.receive():
        code = str(told.get("code", ""))
        if code and code not in sys.path:
            sys.path.insert(0, code)
        if not confined:
            confine(folder, float(told.get("cpu", 1.0)))
            confined = True
        channel.send(verified(Path(str(told["verify"])), code=Path(code) if code else None))


def verified(saved: Path, *, code: Path | None = None) -> dict[str, object]:
    """{"ok": true}, or {"error": report}: what a process that never saw the training makes of the saved model."""
    try:
        verify_saved(saved)
    except BaseException as error:
        report = report_of(error, step="save", code_folder=code)
        if report.code == "user_code":
            report = report.model_copy(
                update={
                    "code": "serialization",
                    "message": f"the saved model cannot be used in another process: {report.message}",
                    "mend": "keep what the model needs in modules of the project, or return a model of a library",
                }
            )
        return {"error": dump(report)}
    return {"ok": True}
