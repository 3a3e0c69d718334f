"""railyard workflow"""

from __future__ import annotations

import json
from typing import Any

import click

from railyard.cli import lazy
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command, group
from railyard.cli.output import Column
from railyard.cli.show import metric_line
from railyard.cli.tree import WORKFLOW

_LIMITS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "enum", "pattern", "description")

workflow = group("workflow", WORKFLOW, "Workflows: the classes that turn data and parameters into a model.")


@command("list", examples=["railyard workflow list"], short_help="Every workflow the server knows.")
@pass_app
def list_(app: App) -> None:
    """Every workflow of the deployed code; broken files too."""
    found = app.client.workflows.list()
    if app.out.json:
        app.out.resource([lazy.spec.dump(one) for one in found])
        return
    columns = (Column("WORKFLOW"), Column("PROJECT"), Column("CODE"), Column("JOBS", right=True), Column("LAST"),
               Column("OWNER"), Column("METRIC"), Column("ABOUT", wide=True))  # fmt: skip
    rows = []
    for one in found:
        broken = one.info.broken
        about = (
            app.out.ink(f"✕ broken: {broken.strip().splitlines()[-1]}", "bad")
            if broken
            else (one.info.doc.splitlines() or [""])[0]
        )
        last = f"{one.last_job} {one.last_state}" if one.last_job else ""
        metric = metric_line(one.last_metrics.holdout or one.last_metrics.train, most=1)
        rows.append([one.name, one.project, one.code, str(one.jobs), last, one.last_owner or "", metric, about])
    app.out.table(columns, rows, footer="" if found else "no workflow yet · railyard deploy")


@command("show", examples=["railyard workflow show StripeFraudModel"], short_help="One workflow with its parameters.")
@click.argument("name")
@pass_app
def show(app: App, name: str) -> None:
    """One workflow: its documentation, features, label and parameters."""
    one = app.client.workflows.get(name)
    if app.out.json:
        app.out.resource(lazy.spec.dump(one))
        return
    rows = [
        ("workflow", one.name),
        ("file", f"{one.info.file} in {one.project}, {one.code}"),
        ("about", one.info.doc),
        ("features", ", ".join(one.info.features or ())),
        ("label", one.info.label or ""),
        ("frames", one.info.data_format),
        ("jobs", f"{one.jobs}, last {one.last_job} {one.last_state}" if one.last_job else str(one.jobs)),
        ("owner", one.last_owner or ""),
        ("metrics", metric_line(one.last_metrics.holdout or one.last_metrics.train, most=6)),
        ("broken", one.info.broken or ""),
    ]
    for title, text in rows:
        if text:
            first, *more = text.strip().splitlines()
            app.out.line(f"{app.out.ink(f'{title:<9}', 'faint')} {first}")
            for line in more:
                app.out.line(f"{'':<9} {line}")
    parameters = (one.info.param_schema or {}).get("properties")
    if isinstance(parameters, dict) and parameters:
        columns = (Column("PARAMETER"), Column("TYPE"), Column("DEFAULT"), Column("RANGE", wide=True))
        app.out.table(columns, [_parameter(key, value) for key, value in parameters.items()])


def _parameter(name: str, schema: Any) -> list[str]:
    schema = schema if isinstance(schema, dict) else {}
    kind = str(schema.get("type", "")) or ", ".join(str(part.get("type", "?")) for part in schema.get("anyOf", ()))
    default = json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else "required"
    limits = [f"{key} {schema[key]}" for key in _LIMITS if key in schema]
    return [name, kind, default, ", ".join(limits)]
