"""railyard model"""

from __future__ import annotations

import click

from railyard.cli import lazy, words
from railyard.cli import show as picture
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command, group
from railyard.cli.output import Column
from railyard.cli.tree import MODEL

model = group("model", MODEL, "The registry: models and their immutable ids, <name>:<12 hex>.")


@command("list", examples=["railyard model list --owner risk"], short_help="Model names, each with its newest id.")
@click.option("--owner", metavar="TEAM")
@click.option("--project", metavar="PROJECT")
@pass_app
def list_(app: App, owner: str | None, project: str | None) -> None:
    """Model names, each with its newest id."""
    found = list(app.client.models.list(owner=owner, project=project))
    if app.out.json:
        app.out.resource([lazy.spec.dump(one) for one in found])
        return
    if app.out.quiet:
        for one in found:
            app.out.line(one.latest)
        return
    columns = (Column("MODEL", wide=True), Column("OWNER", wide=True), Column("IDS", right=True), Column("LATEST"),
               Column("HOLDOUT", wide=True), Column("JOB"), Column("UPDATED", right=True))  # fmt: skip
    app.out.table(
        columns,
        [
            [
                one.name,
                one.owner,
                str(one.ids),
                one.latest,
                picture.metric_line(one.latest_metrics.holdout, 2),
                one.latest_job,
                words.when(one.updated_at) if app.out.tty else words.stamp(one.updated_at),
            ]
            for one in found
        ],
        footer="" if found else "no model yet · railyard train request.json5",
    )


@command(
    "show",
    examples=["railyard model show fraud", "railyard model show fraud:3fa9c1d20b7e"],
    short_help="One name with its ids, or one id.",
)
@click.argument("name")
@pass_app
def show(app: App, name: str) -> None:
    """One model name with all its ids, or one model id."""
    if ":" not in name:
        _ids(app, name)
        return
    one = app.client.models.get(name)
    if app.out.json:
        app.out.resource(lazy.spec.dump(one))
        return
    rows = [
        ("model", one.model_id),
        ("about", one.description),
        ("owner", f"{one.owner} · {one.project}"),
        ("job", f"{one.job_id}, attempt {one.attempt}"),
        ("workflow", " · ".join(part for part in (one.workflow_name, one.code, one.git_sha) if part)),
        ("holdout", picture.metric_line(one.metrics.holdout)),
        ("train", picture.metric_line(one.metrics.train)),
        ("features", ", ".join(one.info.features)),
        ("label", one.info.label or ""),
        (
            "format",
            f"{one.info.format}, {one.info.framework} {one.info.framework_version}, {words.size(one.info.bytes)}",
        ),
        ("pickled", "yes: it will be served in a process of its own" if one.info.pickled else ""),
        ("notes", "experimental: never to be promoted unattended" if one.experimental else ""),
        ("data", one.data_sha256 or ""),
        ("sha256", one.manifest_sha256),
        ("uri", one.uri),
        ("made", words.when(one.created_at)),
    ]
    for title, text in rows:
        if text:
            app.out.line(f"{app.out.ink(f'{title:<9}', 'faint')} {text}")


def _ids(app: App, name: str) -> None:
    found = list(app.client.models.ids(name))
    if app.out.json:
        app.out.resource([lazy.spec.dump(one) for one in found])
        return
    columns = (
        Column("MODEL ID"),
        Column("HOLDOUT", wide=True),
        Column("JOB"),
        Column("FORMAT"),
        Column("MADE", right=True),
    )
    app.out.table(
        columns,
        [
            [
                one.model_id,
                picture.metric_line(one.metrics.holdout, 3),
                one.job_id,
                one.info.format,
                words.when(one.created_at) if app.out.tty else words.stamp(one.created_at),
            ]
            for one in found
        ],
    )
