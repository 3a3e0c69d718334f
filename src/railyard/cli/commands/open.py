"""railyard open"""

from __future__ import annotations

import webbrowser
from urllib.parse import urlsplit, urlunsplit

import click

from railyard.cli import refs
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command


@command(
    "open",
    json=False,
    examples=["railyard open", "railyard open @last"],
    short_help="Open the dashboard, or one job, in a browser.",
)
@click.argument("job", required=False)
@click.option("--print", "only_print", is_flag=True, help="Print the link instead; it signs in once.")
@pass_app
def open_(app: App, job: str | None, only_print: bool) -> None:
    """Open the dashboard in a browser, signed in; or the page of one job, in a browser that is signed in."""
    link = refs.job(app, job).url if job else _reachable(app.client.server.login_link().url, app.client.target.url)
    if only_print:
        app.out.line(link)
    elif not webbrowser.open(link):
        app.out.talk("no browser could be opened; open this address in one:")
        app.out.line(link)


def _reachable(link: str, url: str) -> str:
    """The link by the address that leads from here to the server; the server may know another of itself."""
    here, there = urlsplit(url), urlsplit(link)
    return urlunsplit((here.scheme, here.netloc, there.path, there.query, ""))
