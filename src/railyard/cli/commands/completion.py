"""railyard completion"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from railyard.cli.app import App
from railyard.cli.groups import command

_LINES = {
    "bash": 'eval "$(railyard completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(railyard completion zsh)"   in ~/.zshrc',
    "fish": "railyard completion fish > ~/.config/fish/completions/railyard.fish",
}


@command(
    "completion", json=False, examples=list(_LINES.values()), short_help="Print the completion script of your shell."
)
@click.argument("shell", type=click.Choice(list(_LINES)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in your shell."""
    kind = get_completion_class(shell)
    assert kind is not None
    root = ctx.find_root()
    app = root.find_object(App)
    assert app is not None
    app.out.line(kind(root.command, {}, "railyard", "_RAILYARD_COMPLETE").source())
