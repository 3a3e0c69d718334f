"""railyard whoami"""

from __future__ import annotations

from railyard.cli import lazy
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command


@command("whoami", examples=["railyard whoami"], short_help="Who you are, where, and where each value came from.")
@pass_app
def whoami(app: App) -> None:
    """Who the token belongs to, which server this is, and where address and token came from."""
    target = app.client.target
    if not app.out.json:
        app.out.line(f"server    {target.url}  (from {target.url_from})")
        app.out.line(f"token     {'set' if target.token else 'none'}  (from {target.token_from})")
    me = app.client.whoami()
    if app.out.json:
        app.out.resource(
            {**lazy.spec.dump(me), "url": target.url, "url_from": target.url_from, "token_from": target.token_from}
        )
        return
    app.out.line(f"user      {me.user}")
    app.out.line(f"teams     {', '.join(me.teams) or '–'}")
    app.out.line(f"scopes    {', '.join(me.scopes)}")
    app.out.line(f"version   {me.version}")
