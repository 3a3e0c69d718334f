"""railyard config"""

from __future__ import annotations

import json

import click

from railyard.cli import lazy
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command
from railyard.cli.output import Column


@command("config", examples=["railyard config", "railyard config jobs.lost_after_seconds"],
         short_help="The server's settings, each with where it came from.")  # fmt: skip
@click.argument("name", metavar="[NAME]", required=False)
@pass_app
def config(app: App, name: str | None) -> None:
    """Every setting of the server with its value and where it came from; secrets are masked."""
    found = app.client.server.config()
    if name is not None:
        chosen = [one for one in found if one.name == name or one.name.startswith(f"{name}.")]
        if not chosen:
            near = lazy.errors.nearest(name, [one.name for one in found])
            raise lazy.errors.NotFound(
                f"there is no setting {name}", mend=f"railyard config {near}" if near else "railyard config lists them"
            )
        found = tuple(chosen)
    if app.out.json:
        app.out.resource([lazy.spec.dump(one) for one in found])
        return
    columns = (Column("SETTING"), Column("VALUE", wide=True), Column("FROM", wide=True))
    app.out.table(
        columns,
        [
            [
                one.name,
                one.value if isinstance(one.value, str) else json.dumps(one.value, ensure_ascii=False),
                one.origin,
            ]
            for one in found
        ],
    )
