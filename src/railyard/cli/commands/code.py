"""railyard code"""

from __future__ import annotations

import click

from railyard.cli import lazy, words
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command, group
from railyard.cli.output import Column
from railyard.cli.tree import CODE

code = group("code", CODE, "Code versions: immutable copies of code projects, by content.")


@command("list", examples=["railyard code list"], short_help="Code versions, newest first.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@pass_app
def list_(app: App, limit: int) -> None:
    """Code versions, newest first."""
    found = app.client.code.list().page(limit).items
    if app.out.json:
        app.out.resource([lazy.spec.dump(one) for one in found])
        return
    columns = (Column("CODE"), Column("PROJECT"), Column("VERSION"), Column("GIT"), Column("RUNTIME"), Column("STATE"),
               Column("DEPLOYED", right=True))  # fmt: skip
    app.out.table(
        columns,
        [
            [
                one.code_id,
                one.project,
                one.version or "",
                f"{(one.git_sha or '')[:7]}{'+' if one.dirty else ''}",
                one.runtime,
                one.state,
                words.when(one.deployed_at) if app.out.tty else words.stamp(one.deployed_at),
            ]
            for one in found
        ],
        footer="" if found else "no code yet · railyard deploy",
    )


@command("show", examples=["railyard code show fraud@1.4.0"], short_help="One code version.")
@click.argument("name", metavar="CODE")
@pass_app
def show(app: App, name: str) -> None:
    """One code version, by id, unique prefix or project@version, with its workflows."""
    one = app.client.code.get(name)
    if app.out.json:
        app.out.resource(lazy.spec.dump(one))
        return
    rows = [
        ("code", one.code_id),
        ("project", f"{one.project}@{one.version}" if one.version else one.project),
        ("git", f"{one.git_sha or '–'}{' (dirty)' if one.dirty else ''}"),
        ("runtime", f"{one.runtime}, Python {one.python}" if one.python else one.runtime),
        ("state", one.state),
        ("message", one.message or ""),
        ("size", words.size(one.bytes)),
        ("by", f"{one.created_by}, {words.when(one.created_at)}"),
        ("deployed", words.when(one.deployed_at)),
        ("workflows", ", ".join(f"{info.name}{' (broken)' if info.broken else ''}" for info in one.workflows)),
    ]
    for title, text in rows:
        if text:
            indented = text.replace("\n", "\n" + " " * 10)
            app.out.line(f"{app.out.ink(f'{title:<9}', 'faint')} {indented}")
