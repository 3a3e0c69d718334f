"""railyard down"""

from __future__ import annotations

from pathlib import Path

import click

from railyard.cli import home, lazy
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command

STOP_SECONDS = 30.0
WARM_SECONDS = 5.0


@command(
    "down",
    json=False,
    examples=["railyard down", "railyard down --cancel"],
    short_help="Stop the server on this computer.",
)
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), help="The home folder.  [default: ~/.railyard]"
)
@click.option("--cancel", is_flag=True, help="Cancel running jobs first; otherwise they go on.")
@pass_app
def down(app: App, data_dir: Path | None, cancel: bool) -> None:
    """Stop the server on this computer.

    Running jobs go on, and the next start finds them again, unless --cancel is given.
    """
    folder = home.folder(data_dir)
    running = home.server(folder)
    if running is None:
        stopped = _stop_warm(folder)
        app.out.talk(f"no server runs on {folder}" + (f"; {_warm(stopped)} stopped" if stopped else ""))
        return
    going = _going(app, folder, running.url, cancel=cancel)
    if not home.terminate(running, seconds=STOP_SECONDS):
        raise lazy.errors.Timeout(
            f"the server (process {running.pid}) has not ended after {STOP_SECONDS:g} s",
            mend=f"kill -9 {running.pid}; what it keeps is safe: the next start repairs it",
        )
    stopped = _stop_warm(folder) if not going else 0
    app.out.line(f"{app.out.ink('✓', 'ok')} stopped {running.url}")
    if stopped:
        app.out.talk(f"  {_warm(stopped)} stopped")
    if going:
        app.out.talk(f"  {len(going)} running job{'s go' if len(going) > 1 else ' goes'} on: {', '.join(going[:5])}")
        app.out.talk("  railyard up finds them again · railyard down --cancel would have ended them")


def _going(app: App, folder: Path, url: str, *, cancel: bool) -> list[str]:
    """The jobs that run on after the server; none after a cancel that was seen through."""
    errors = lazy.errors
    client = lazy.client.Client(url, home.token(folder), timeout=10)
    try:
        jobs = list(client.jobs.list(state=("starting", "running")))
        if cancel:
            for job in jobs:
                job.cancel()
            app.out.talk(f"cancelling {len(jobs)} job{'' if len(jobs) == 1 else 's'} …")
            jobs = [job for job in jobs if not _ended(job)]
        return [job.job_id for job in jobs]
    except errors.RailyardError as error:
        app.out.note(f"note:  the server does not say what runs: {error.message}")
        return []
    finally:
        client.close()


def _ended(job: object) -> bool:
    try:
        job.wait(timeout=STOP_SECONDS, check=False)  # type: ignore[attr-defined]
    except lazy.errors.Timeout:
        return False
    return True


def _stop_warm(folder: Path) -> int:
    """Warm interpreters hold memory and nothing else once no attempt needs them."""
    return sum(
        home.terminate(process, seconds=WARM_SECONDS, kill=True) for process in list(home.warm_interpreters(folder))
    )


def _warm(count: int) -> str:
    return f"{count} warm interpreter{'' if count == 1 else 's'}"
