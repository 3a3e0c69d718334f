"""railyard logout"""

from __future__ import annotations

import click

from railyard.cli import lazy
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command


@command("logout", json=False, examples=["railyard logout"], short_help="Forget the token of a server.")
@click.argument("name", metavar="[CONTEXT]", required=False)
@pass_app
def logout(app: App, name: str | None) -> None:
    """Forget the token of the current context, or of the one named. `railyard token revoke` ends the token itself."""
    path = lazy.context.path_of()
    contexts = lazy.context.read(path)
    chosen = name or contexts.current
    if chosen is None:
        app.out.talk("you are signed in nowhere")
        return
    if chosen not in contexts.known:
        raise lazy.context.unknown(chosen, contexts)
    lazy.context.write(path, contexts.without_token(chosen))
    app.out.line(f"signed out of {contexts.known[chosen].url}")
