"""railyard down"""

from __future__ import annotations

from pathlib import Path

import click

from railyard.cli import home, lazy
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command
from railyard.cli.stop import going, stop_warm

STOP_SECONDS = 30.0


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
        stopped = stop_warm(folder)
        app.out.talk(f"no server runs on {folder}" + (f"; {_warm(stopped)} stopped" if stopped else ""))
        app.out.talk("one that was started with --data-dir or RAILYARD_HOME is stopped with the same")
        return
    still = going(app, folder, running.url, cancel=cancel)
    if not home.terminate(running, seconds=STOP_SECONDS):
        raise lazy.errors.Timeout(
            f"the server (process {running.pid}) has not ended after {STOP_SECONDS:g} s",
            mend=f"kill -9 {running.pid}; what it keeps is safe: the next start repairs it",
        )
    stopped = stop_warm(folder) if not still else 0
    app.out.line(f"{app.out.ink('✓', 'ok')} stopped {running.url}")
    if stopped:
        app.out.talk(f"  {_warm(stopped)} stopped")
    if still:
        app.out.talk(f"  {len(still)} running job{'s go' if len(still) > 1 else ' goes'} on: {', '.join(still[:5])}")
        hint = "they began when the others had ended" if cancel else "railyard down --cancel would have ended them"
        app.out.talk(f"  railyard up finds them again · {hint}")


def _warm(count: int) -> str:
    return f"{count} warm interpreter{'' if count == 1 else 's'}"
