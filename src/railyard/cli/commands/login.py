"""railyard login"""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import click

from railyard.cli import home, lazy
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command


@command("login", examples=["railyard login https://railyard.example.org", "railyard login < token.txt"],
         short_help="Sign in to a server.")  # fmt: skip
@click.argument("address", metavar="[URL]", required=False)
@click.option("--name", metavar="NAME", help="The context's name; by default the server's host.")
@pass_app
def login(app: App, address: str | None, name: str | None) -> None:
    """Sign in: check a token with the server and keep both in the context file, readable by you alone.

    The token comes from --token, RAILYARD_TOKEN, stdin, or a hidden prompt; for the server on this computer from its
    home.
    """
    target = lazy.context.resolve(address or app.url, app.token)
    token = target.token if target.token_from in ("flag", "RAILYARD_TOKEN") else _local(target.url) or _asked()
    me = lazy.client.Client(target.url, token).whoami()
    path = lazy.context.path_of()
    kept = name or (lazy.context.LOCAL if _local(target.url) else urlsplit(target.url).netloc)
    lazy.context.write(
        path, lazy.context.read(path).with_context(kept, lazy.context.Context(target.url.rstrip("/"), token))
    )
    if app.out.json:
        app.out.resource(lazy.spec.dump(me))
        return
    app.out.line(f"{app.out.ink('✓', 'ok')} signed in to {target.url} as {me.user} ({', '.join(me.scopes)})")
    app.out.talk(f"  context {kept} in {path}")


def _local(url: str) -> str | None:
    """The token of the server on this computer, if it answers at this address and its home may be read."""
    folder = home.folder(None)
    running = home.server(folder)
    return home.token(folder) if running and running.url.rstrip("/") == url.rstrip("/") else None


def _asked() -> str:
    typed = sys.stdin.isatty()
    token = str(click.prompt("Token", hide_input=True, err=True) if typed else sys.stdin.read()).strip()
    if not token or any(character.isspace() for character in token):
        raise click.UsageError("no token was given: pass --token, set RAILYARD_TOKEN, or pipe it in")
    return token
