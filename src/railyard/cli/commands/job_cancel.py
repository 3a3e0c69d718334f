"""railyard job cancel"""

from __future__ import annotations

import click

from railyard.cli import lazy, refs, show
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command


@command("cancel", examples=["railyard job cancel @last --wait"], short_help="Ask for its end.")
@click.argument("jobs", nargs=-1, required=True)
@click.option("--wait", is_flag=True, help="Wait until nothing of it runs any more.")
@pass_app
def cancel(app: App, jobs: tuple[str, ...], wait: bool) -> None:
    """Ask for the end of one job or several. A job that is final already stays as it is."""
    found = [app.client.jobs.cancel(refs.job_id(app, job)) for job in jobs]
    if wait:
        found = [job.wait(check=False) for job in found]
    if app.out.json:
        records = [lazy.spec.dump(job) for job in found]
        app.out.resource(records[0] if len(records) == 1 else records)
        return
    for job in found:
        app.out.line(f"{show.state(job, app.out)}  {job.job_id}{'' if job.final else '  cancel requested'}")
