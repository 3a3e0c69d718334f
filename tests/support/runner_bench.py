"""Builds what the runner's tests need: specs, launches, and an interpreter that trains as the test says."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from railyard.control.executors.base import Launch, Runtime
from railyard.spec.attempt import AttemptSpec, CodeRef, DataAccess, Limits
from railyard.spec.ids import new_id
from railyard.validation import check_request

REQUEST = {
    "model_description": "a stub",
    "model_name": "stub",
    "owner": "team",
    "project": "tests",
    "trainer": "tester",
    "data": {"features": [{"source": "file", "path": "/nowhere.parquet", "names": ["a"]}]},
    "train": {"workflow_name": "Stub"},
}
TOKEN = "ra_the-token-of-the-attempt"


def limits(**given: Any) -> Limits:
    return Limits(**{"cpu": 1.0, "memory_bytes": 512 * 2**20, "cancel_grace_seconds": 0.3, **given})


def spec_of(do: str, *, limited: Limits | None = None, name: str | None = None, **params: Any) -> AttemptSpec:
    job_id = new_id("j")
    request = {**REQUEST, "train": {"workflow_name": "Stub", "custom_params": {"do": do, **params}}}
    return AttemptSpec(
        name=name or f"{job_id}-1",
        job_id=job_id,
        number=1,
        request=check_request(request),
        seed=7,
        code=CodeRef(folder="/nowhere"),
        data=DataAccess(),
        limits=limited or limits(),
        heartbeat_seconds=0.2,
    )


def stub_python(folder: Path) -> str:
    """Path of a program that stands in for a runtime's interpreter."""
    program = folder / "stub-python"
    if not program.exists():
        script = Path(__file__).with_name("stub_runner.py")
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n')
        program.chmod(0o755)
    return str(program)


def runtime(folder: Path, key: str = "stub") -> Runtime:
    return Runtime(key=key, python=stub_python(folder))


def launch_of(spec: AttemptSpec, url: str, run_in: Runtime) -> Launch:
    return Launch(name=spec.name, runtime=run_in, token=TOKEN, url=url, limits=spec.limits)


def alive(pid: int) -> bool:
    """A zombie does not live."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def is_root() -> bool:
    return os.geteuid() == 0
