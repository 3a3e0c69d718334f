"""railyard context"""

from __future__ import annotations

import click

from railyard.cli import lazy
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command, group
from railyard.cli.output import Column
from railyard.cli.tree import CONTEXT

context = group("context", CONTEXT, "The servers you are signed in to.")


@command("list", examples=["railyard context list"], short_help="The servers you are signed in to.")
@pass_app
def list_(app: App) -> None:
    """The servers you are signed in to; the current one is marked."""
    contexts = lazy.context.read(lazy.context.path_of())
    if app.out.json:
        app.out.resource(
            [
                {"name": name, "url": one.url, "signed_in": one.token is not None, "current": name == contexts.current}
                for name, one in contexts.known.items()
            ]
        )
        return
    columns = (Column(""), Column("CONTEXT"), Column("URL", wide=True), Column("TOKEN"))
    app.out.table(
        columns,
        [
            ["*" if name == contexts.current else "", name, one.url, "set" if one.token else "none"]
            for name, one in contexts.known.items()
        ],
        footer="" if contexts.known else "none · railyard up, or: railyard login URL",
    )


@command("use", json=False, examples=["railyard context use local"], short_help="Make one of them the current one.")
@click.argument("name")
@pass_app
def use(app: App, name: str) -> None:
    """Make one of the contexts the current one."""
    path = lazy.context.path_of()
    contexts = lazy.context.read(path)
    if name not in contexts.known:
        raise lazy.context.unknown(name, contexts)
    lazy.context.write(path, contexts.with_context(name, contexts.known[name]))
    app.out.line(f"{name} is current: {contexts.known[name].url}")
