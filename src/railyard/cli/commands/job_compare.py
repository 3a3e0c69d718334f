"""railyard job compare"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from railyard.cli import lazy, refs
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command
from railyard.cli.output import Column


@command(
    "compare",
    examples=["railyard job compare j81f j80a", "railyard job compare @last j80a --json metrics"],
    short_help="Jobs side by side: metrics, parameters, request, data.",
)
@click.argument("jobs", nargs=-1, required=True)
@pass_app
def compare(app: App, jobs: tuple[str, ...]) -> None:
    """Two or more jobs side by side: all metrics, and what differs in parameters, request and data."""
    if len(jobs) < 2:
        raise click.UsageError("give two jobs or more")
    found = app.client.jobs.compare(*(refs.job_id(app, job) for job in jobs))
    if app.out.json:
        app.out.resource(lazy.spec.dump(found))
        return
    columns = (Column("", wide=True), *(Column(job.job_id, right=True, wide=True) for job in found.jobs))
    rows = [["state", *(f"{lazy.html.SYMBOLS[job.state]} {job.state}" for job in found.jobs)]]
    rows += [[f"metric {name}", *map(lazy.html.number, values)] for name, values in found.metrics.items()]
    for part, table in (("param", found.params), ("request", found.request), ("data", found.data)):
        rows += [[f"{part} {name}", *map(_shown, values)] for name, values in table.items() if differ(values)]
    app.out.table(columns, rows)


def differ(values: Sequence[Any]) -> bool:
    """Whether the jobs do not all have the same value."""
    return any(value != values[0] for value in values)


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
