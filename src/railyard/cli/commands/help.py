"""railyard help"""

from __future__ import annotations

import click

from railyard.cli.app import App, pass_app
from railyard.cli.groups import command

TOPICS = {
    "exit-codes": """Exit codes

  0       done
  1       failed, unexpected
  2       usage: the command line, the request or the settings do not hold
  3       not found, or ambiguous (candidates are listed)
  4       not signed in, or not allowed
  5       server unreachable; safe to try again
  6       refused: quota, budget, policy, conflict, in use
  8       still going when --timeout passed
  10      the job itself failed
  11      the job itself was cancelled
  130     Ctrl-C""",
}


@command("help", json=False, examples=["railyard help exit-codes"], short_help="Longer texts: exit-codes.")
@click.argument("topic", type=click.Choice(list(TOPICS)), required=False)
@pass_app
def help_(app: App, topic: str | None) -> None:
    """Longer texts; without a topic, the list of them."""
    app.out.line(TOPICS[topic] if topic else "\n".join(f"railyard help {name}" for name in TOPICS))
