"""The folder of one attempt: `<home>/attempts/<name>`. It exists exactly when the attempt was started.

launch.json    pid, start ticks, boot and uid of the supervisor, why cold; written before the folder has its name
cancel         grace in seconds of a cancel that the executor asked for
log.jsonl      numbered lines, one LogLine each, until they are shipped (and after)
metrics.jsonl  one MetricPoint per line, written by the worker
steps.jsonl    steps and progress, written by the worker
outcome.json   what the worker came to: {"manifest": …} or {"error": …}
group.json     cgroup folders of the attempt and the worker's process group
exit.json      how it ended and whether that was delivered; the last thing the supervisor writes
scratch/       working directory of the user's code
artifacts/     what `train` saved, as it is uploaded; `train` makes it
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from railyard.compute.runner.processes import boot_id, start_ticks, uid_of


@dataclass(frozen=True)
class AttemptFolder:
    path: Path

    @property
    def log(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def steps(self) -> Path:
        return self.path / "steps.jsonl"

    @property
    def scratch(self) -> Path:
        return self.path / "scratch"

    @property
    def artifacts(self) -> Path:
        return self.path / "artifacts"

    def claim(self, pid: int, *, cold_reason: str | None) -> str | None:
        """Takes the name for the process `pid`, which waits; None where somebody else has it.

        The folder appears under its name complete, by a rename that fails where the name is taken: there is no moment
        at which a crash leaves a folder that does not say who was started.
        Returns the uid.
        """
        ticks = start_ticks(pid)
        if ticks is None:
            raise ProcessLookupError(f"process {pid} ended before its attempt could be claimed")
        fresh = self.path.with_name(f".{self.path.name}.{secrets.token_hex(6)}")
        fresh.mkdir(mode=0o700, parents=True)
        uid = uid_of(pid, ticks)
        launch = {"pid": pid, "start_ticks": ticks, "boot": boot_id(), "uid": uid, "cold_reason": cold_reason}
        (fresh / "scratch").mkdir()
        write_json(fresh / "launch.json", launch)
        try:
            fresh.rename(self.path)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return None
            raise
        return uid

    def uid(self) -> str | None:
        """Who was started under this name; None where nobody was."""
        launch = read_json(self.path / "launch.json")
        return str(launch["uid"]) if launch else None

    def cancel_grace(self) -> float | None:
        """The grace in seconds that the executor gave with its cancel, if it did."""
        with contextlib.suppress(OSError, ValueError):
            return float((self.path / "cancel").read_text())
        return None


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes whole or not at all: into a file beside, which then takes the name."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(value), encoding="utf-8")
    beside.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in the file; None where there is no such file or it does not hold one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
