"""railyard job watch"""

from __future__ import annotations

import click

from railyard.cli import lazy, refs
from railyard.cli.app import App, pass_app
from railyard.cli.follow import follow
from railyard.cli.groups import command


@command(
    "watch",
    examples=["railyard job watch @last", "railyard job watch j81f --timeout 30m --exit-status"],
    short_help="Wait for it, showing its steps.",
)
@click.argument("job")
@click.option("--timeout", metavar="30m", help="Stop watching after this long, with exit code 8.")
@click.option(
    "--exit-status/--no-exit-status", default=True, help="Exit with the job's own code: 0, 10 or 11.  [default: on]"
)
@click.option("--logs", is_flag=True, help="Show its log too.")
@pass_app
def watch(app: App, job: str, timeout: str | None, exit_status: bool, logs: bool) -> int:
    """Wait for a job, showing its steps. Ctrl-C leaves the job running."""
    limit = lazy.durations.seconds(timeout) if timeout is not None else None
    code = follow(app, refs.job(app, job), logs=logs, timeout=limit)
    return code if exit_status or code not in (10, 11) else 0
