"""railyard token"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from railyard.cli import lazy, words
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command, group
from railyard.cli.output import Column
from railyard.cli.tree import TOKEN

token = group("token", TOKEN, "Tokens: who may do what.")


@command("create", examples=["railyard token create ci --scope submit --team risk --expires 90d"],
         short_help="A new token; its secret is shown once.")  # fmt: skip
@click.argument("user")
@click.option("--team", "teams", multiple=True, metavar="TEAM", help="An owner it may submit for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["read", "submit", "deploy", "admin"]),
    default=["submit"],
    show_default=True,
)
@click.option("--expires", metavar="90d", help="How long it is valid; for ever without this.")
@pass_app
def create(app: App, user: str, teams: tuple[str, ...], scopes: tuple[Any, ...], expires: str | None) -> None:
    """A new token for USER, a person or a program. Its secret is shown now and never again."""
    until = datetime.now(UTC) + timedelta(seconds=lazy.durations.seconds(expires)) if expires else None
    made = app.client.tokens.create(user, teams=teams, scopes=scopes, expires_at=until)
    if app.out.json:
        app.out.resource(lazy.spec.dump(made))
        return
    app.out.line(made.token)
    app.out.talk(f"{made.info.token_id} for {made.info.user}; it is shown only now")


@command("list", examples=["railyard token list"], short_help="Tokens without their secrets.")
@pass_app
def list_(app: App) -> None:
    """Tokens without their secrets: all for an admin, else your own."""
    found = app.client.tokens.list()
    if app.out.json:
        app.out.resource([lazy.spec.dump(one) for one in found])
        return
    columns = (Column("TOKEN"), Column("USER"), Column("SCOPES"), Column("TEAMS", wide=True),
               Column("LAST USED", right=True), Column("EXPIRES", right=True), Column("STATE"))  # fmt: skip
    time = words.when if app.out.tty else words.stamp
    app.out.table(
        columns,
        [
            [
                one.token_id,
                one.user,
                ",".join(one.scopes),
                ",".join(one.teams),
                time(one.last_used_at),
                time(one.expires_at),
                "revoked" if one.revoked_at else "",
            ]
            for one in found
        ],
    )


@command("revoke", examples=["railyard token revoke t5k2m8qtz1"], short_help="End a token's life.")
@click.argument("token_id", metavar="TOKEN")
@pass_app
def revoke(app: App, token_id: str) -> None:
    """End a token's life, by its id. A second call changes nothing."""
    gone = app.client.tokens.revoke(token_id)
    if app.out.json:
        app.out.resource(lazy.spec.dump(gone))
        return
    app.out.line(f"revoked {gone.token_id} of {gone.user}")
