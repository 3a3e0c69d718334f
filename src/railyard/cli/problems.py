"""How a failure is told: four lines on stderr, or one JSON line with --json; and its exit code."""

from __future__ import annotations

import difflib
import sys

import click

from railyard.cli.groups import NoSuchCommand
from railyard.cli.output import Output

USAGE = 2
UNEXPECTED = 1


def usage(error: click.ClickException, out: Output) -> int:
    """A command line that does not hold."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx else "railyard"
    mend = f"{path} --help"
    if isinstance(error, NoSuchCommand):
        near = difflib.get_close_matches(error.word, error.known, n=1, cutoff=0.5)
        mend = f"{path} {near[0]}" if near else mend
        out.problem("no_such_command", error.message, why=f"it has {', '.join(error.known)}", mend=mend)
        return USAGE
    if isinstance(error, click.NoSuchOption):
        near = list(error.possibilities or _close(error.option_name, ctx))
        mend = f"{path} {near[0]}" if near else mend
        out.problem("no_such_option", f"{path} has no option {error.option_name}", mend=mend)
        return USAGE
    message = error.format_message().rstrip(".")
    out.problem("usage", message[:1].lower() + message[1:], mend=mend)
    return USAGE


def failure(error: Exception, out: Output) -> int:
    """What a command raised: an error of our tree, or something nobody foresaw."""
    ours = sys.modules.get("railyard.errors")
    if ours is not None and isinstance(error, ours.RailyardError):
        # The server tells any program to send a token; here there is a command for it.
        mend = "railyard login" if isinstance(error, ours.Unauthorized) else error.mend
        why = [error.why] if error.why else [ours.describe(field) for field in error.fields[:10]]
        out.problem(
            error.code,
            error.message,
            why=why,
            mend=mend,
            docs=error.docs,
            request_id=error.request_id,
            fields=[field.model_dump() for field in error.fields],
        )
        return int(error.exit_code)
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        out.problem("os_error", f"{error.strerror}{where}")
        return UNEXPECTED
    words = str(error) or type(error).__name__
    out.problem("unexpected", f"{type(error).__name__}: {words}", mend="run it again with --debug for the traceback")
    return UNEXPECTED


def _close(option: str, ctx: click.Context | None) -> list[str]:
    known = [name for param in ctx.command.params for name in param.opts] if ctx else []
    return difflib.get_close_matches(option, known, n=1)
