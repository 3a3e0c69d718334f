"""Groups whose commands are imported only when they run; options that every command takes; did-you-mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click

_FIELDS = re.compile(r"[a-z_]+(,[a-z_]+)*")
_ID = re.compile(r"[a-z][0-9a-hjkmnp-tv-z]{9}")
ALL_FIELDS = "*"


class Entry(NamedTuple):
    """A command that is not imported yet."""

    where: str
    """`module:attribute`, the module under railyard.cli.commands."""
    help: str
    panel: str = "Commands"
    hidden: bool = False


class Command(click.Command):
    """A command with the options that all of them take, examples before options, and `--json [FIELDS]`."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), json: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.params = [*self.params, *common_options(json=json)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _with_fields(args))

    def invoke(self, ctx: click.Context) -> Any:
        app = ctx.obj
        given = {
            name: ctx.params.pop(name)
            for name in ("json_fields", "url", "token", "debug", "quiet")
            if name in ctx.params
        }
        app.take(**given)
        return super().invoke(ctx)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"{' ' * formatter.current_indent}{example}\n" for example in self.examples))


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is asked for."""

    def __init__(self, *args: Any, entries: Mapping[str, Entry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.where.partition(":")
        found: click.Command = getattr(import_module(f"railyard.cli.commands.{module}"), attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.entries:
            raise NoSuchCommand(args[0], [name for name, entry in self.entries.items() if not entry.hidden], ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, entry in self.entries.items():
            if not entry.hidden:
                panels.setdefault(entry.panel, []).append((name, entry.help))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


class NoSuchCommand(click.UsageError):
    """A word that is no command here."""

    def __init__(self, word: str, known: Sequence[str], ctx: click.Context) -> None:
        super().__init__(f'there is no command "{word}" in {ctx.command_path}', ctx)
        self.word = word
        self.known = known


def group(name: str, entries: Mapping[str, Entry], help: str) -> LazyGroup:
    """A group of lazily imported commands."""
    return LazyGroup(name, entries=entries, help=help, no_args_is_help=True)


def command(
    name: str, *, examples: Sequence[str] = (), json: bool = True, **kwargs: Any
) -> Callable[[Callable[..., Any]], Command]:
    """Declares a command; `json` False for one whose answer is no API resource."""

    def decorate(function: Callable[..., Any]) -> Command:
        return click.command(name, cls=Command, examples=examples, json=json, **kwargs)(function)

    return decorate


def common_options(*, json: bool = True) -> list[click.Parameter]:
    """--json, --url, --token, --debug, -q: the same everywhere, before or after the command."""
    options: list[click.Parameter] = []
    if json:
        options.append(
            click.Option(
                ["--json", "json_fields"],
                is_flag=False,
                flag_value=ALL_FIELDS,
                metavar="[FIELDS]",
                help="Print the API resource as JSON, or only these fields (comma-separated).",
            )
        )
    options += [
        click.Option(["--url"], metavar="URL", help="The server; before RAILYARD_URL and the current context."),
        click.Option(["--token"], metavar="TOKEN", help="The token; before RAILYARD_TOKEN and the context's."),
        click.Option(["-q", "--quiet"], is_flag=True, help="Ids only; no talk on stderr."),
        click.Option(["--debug"], is_flag=True, help="Show tracebacks."),
    ]
    return options


def _with_fields(args: list[str]) -> list[str]:
    """Joins `--json FIELDS` where FIELDS can only be field names: `show --json j81f3k2abq` keeps its argument."""
    joined: list[str] = []
    index = 0
    while index < len(args):
        word = args[index]
        following = args[index + 1] if index + 1 < len(args) else ""
        if word == "--":
            return joined + args[index:]
        if word == "--json":
            fields = _FIELDS.fullmatch(following) and not _ID.fullmatch(following)
            joined.append(f"--json={following}" if fields else f"--json={ALL_FIELDS}")
            index += 2 if fields else 1
            continue
        joined.append(word)
        index += 1
    return joined
