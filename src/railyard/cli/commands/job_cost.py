"""railyard job cost"""

from __future__ import annotations

import click

from railyard.cli import lazy, refs
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command
from railyard.cli.output import Column


@command("cost", examples=["railyard job cost @last"], short_help="What it cost, and how that came about.")
@click.argument("job")
@pass_app
def cost(app: App, job: str) -> None:
    """What a job cost: every attempt counts, failed ones too."""
    found = refs.job(app, job)
    if app.out.json:
        app.out.resource(lazy.spec.dump(found.cost))
        return
    app.out.line(f"{lazy.html.money(found.cost)}  ({found.cost.basis})")
    if found.cost.formula:
        app.out.line(found.cost.formula)
    attempts = app.client.jobs.attempts(found.job_id)
    if len(attempts) > 1:
        columns = (Column("ATTEMPT"), Column("STATE"), Column("COST", right=True))
        app.out.table(columns, [[one.name, one.state, lazy.html.money(one.cost)] for one in attempts])
