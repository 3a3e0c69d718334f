"""What the command line loads, and how the tree hangs together."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from railyard.cli import tree
from railyard.cli.groups import Command, LazyGroup
from railyard.cli.main import cli

HEAVY = ("pydantic", "httpx2", "rich", "railyard.errors", "railyard.client.client")


def loaded_by(*args: str) -> set[str]:
    """The modules that a command line has loaded when it is done."""
    code = (
        "import sys\nfrom railyard.cli.main import run\nfrom railyard.cli.app import App\n"
        f"run({list(args)!r}, App())\nprint('LOADED', *sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["job", "--help"],
        ["train", "--help"],
        ["up", "--help"],
        ["help", "exit-codes"],
        ["--version"],
        ["jbo"],
    ],
)
def test_help_loads_neither_pydantic_nor_http_nor_rich(args: list[str]) -> None:
    assert loaded_by(*args).isdisjoint(HEAVY)


def test_no_command_is_imported_for_the_list_of_commands() -> None:
    assert not {name for name in loaded_by("--help") if name.startswith("railyard.cli.commands.")}


def walk(group: LazyGroup, path: str = "railyard") -> list[tuple[str, tree.Entry, click.Command]]:
    ctx = click.Context(group, info_name=path)
    found = []
    for name, entry in group.entries.items():
        command = group.get_command(ctx, name)
        assert command is not None
        found.append((f"{path} {name}", entry, command))
        if isinstance(command, LazyGroup):
            found += walk(command, f"{path} {name}")
    return found


ALL = walk(cli)


@pytest.mark.parametrize(("path", "entry", "command"), ALL, ids=[path for path, _, _ in ALL])
def test_every_command_of_the_tree_is_there_and_helps(path: str, entry: tree.Entry, command: click.Command) -> None:
    assert command.help
    assert entry.help.endswith(".")
    if isinstance(command, Command):
        assert command.examples, "examples come first in the help"
        assert all(example.split()[0] in ("railyard", "eval") for example in command.examples)
        assert {"--url", "--token", "--quiet", "--debug"} <= {name for param in command.params for name in param.opts}
