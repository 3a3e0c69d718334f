"""What stopping the server on this computer leaves behind: jobs that go on, warm interpreters."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from railyard.cli import home, lazy
from railyard.cli.app import App

if TYPE_CHECKING:
    from railyard.client.job import Job

CANCEL_SECONDS = 30.0
WARM_SECONDS = 5.0


def going(app: App, folder: Path, url: str, *, cancel: bool = False) -> list[str]:
    """The jobs that run on after the server; after a cancel those that began in the room that the others left."""
    errors = lazy.errors
    client = lazy.client.Client(url, home.token(folder), timeout=10)
    try:
        jobs = list(client.jobs.list(state=("starting", "running")))
        if cancel:
            for job in jobs:
                job.cancel()
            app.out.talk(f"cancelling {len(jobs)} job{'' if len(jobs) == 1 else 's'} …")
            for job in jobs:
                _see_through(job)
            jobs = list(client.jobs.list(state=("starting", "running")))
        return [job.job_id for job in jobs]
    except errors.RailyardError as error:
        app.out.note(f"note:  the server does not say what runs: {error.message}")
        return []
    finally:
        client.close()


def _see_through(job: Job) -> None:
    with contextlib.suppress(lazy.errors.Timeout):
        job.wait(timeout=CANCEL_SECONDS, check=False)


def stop_warm(folder: Path) -> int:
    """Warm interpreters hold memory and nothing else once no attempt needs them."""
    return sum(
        home.terminate(process, seconds=WARM_SECONDS, kill=True) for process in list(home.warm_interpreters(folder))
    )
