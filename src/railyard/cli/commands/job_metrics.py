"""railyard job metrics"""

from __future__ import annotations

import click

from railyard.cli import lazy, refs, words
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command
from railyard.cli.output import Column


@command(
    "metrics",
    examples=["railyard job metrics @last", "railyard job metrics j81f --series --name loss --json"],
    short_help="Its metrics on the holdout and while training.",
)
@click.argument("job")
@click.option("--series", is_flag=True, help="Every point that the workflow reported while training.")
@click.option("--name", metavar="METRIC", help="With --series: this metric alone.")
@pass_app
def metrics(app: App, job: str, series: bool, name: str | None) -> None:
    """The metrics of a job: on the holdout and on the training rows; with --series the points along the way."""
    if name and not series:
        raise click.UsageError("--name belongs to --series")
    if series:
        _series(app, refs.job_id(app, job), name)
        return
    found = refs.job(app, job).metrics
    if app.out.json:
        app.out.resource(lazy.spec.dump(found))
        return
    columns = (Column("METRIC"), Column("HOLDOUT", right=True), Column("TRAIN", right=True))
    names = list(lazy.html.ordered({**found.train, **found.holdout}))
    app.out.table(
        columns,
        [[metric, _value(app, found.holdout.get(metric)), _value(app, found.train.get(metric))] for metric in names],
        footer="" if names else "no metric yet",
    )


def _series(app: App, job_id: str, name: str | None) -> None:
    points = app.client.jobs.metrics(job_id, name=name)
    if app.out.json:
        for point in points:
            app.out.row(lazy.spec.dump(point))
        return
    columns = (Column("METRIC"), Column("STEP", right=True), Column("VALUE", right=True), Column("AT"))
    app.out.table(
        columns,
        [
            [
                point.name,
                "" if point.step is None else str(point.step),
                _value(app, point.value),
                words.when(point.at) if app.out.tty else words.stamp(point.at),
            ]
            for point in points
        ],
    )


def _value(app: App, value: float | None) -> str:
    if not app.out.tty:
        return "" if value is None else repr(value)
    return "–" if value is None else f"{value:.6g}"
