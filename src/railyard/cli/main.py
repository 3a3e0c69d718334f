"""`railyard`: finds the command, and turns every failure into four lines and an exit code."""

from __future__ import annotations

import os
import sys
import traceback

import click

from railyard.cli import problems
from railyard.cli.app import App
from railyard.cli.groups import ALL_FIELDS, LazyGroup, common_options
from railyard.cli.tree import ROOT
from railyard.version import __version__

INTERRUPTED = 130
_HELP = """Train, track and serve machine-learning models, on your computer or your cluster.

\b
First steps:
  railyard up --detach
  railyard init demo && cd demo && railyard train request.json5 --follow
"""


class Root(LazyGroup):
    """The top of the tree: takes the common options too, so that they may stand before the command."""

    def invoke(self, ctx: click.Context) -> object:
        names = ("json_fields", "url", "token", "debug", "quiet")
        ctx.obj.take(**{name: ctx.params.pop(name) for name in names if name in ctx.params})
        return super().invoke(ctx)


cli = Root(
    "railyard",
    entries=ROOT,
    help=_HELP,
    params=[*common_options(json=False)],
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
click.version_option(__version__, prog_name="railyard", message="%(prog)s %(version)s")(cli)


def run(args: list[str], app: App) -> int:
    """Runs one command line and returns its exit code."""
    if any(word == "--json" or word.startswith("--json=") for word in args):
        app.out.fields = ALL_FIELDS  # Known before parsing, so that a bad command line is told as JSON too.
    try:
        answer = cli.main(args=args, prog_name="railyard", standalone_mode=False, obj=app)
        return answer if isinstance(answer, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", color=app.out.coloured)
        return 0
    except (click.Abort, KeyboardInterrupt):
        app.out.talk("")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left (`| head`): nothing is wrong, and nobody is there to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except click.ClickException as error:
        return problems.usage(error, app.out)
    except Exception as error:
        if app.debug:
            traceback.print_exc()
        return problems.failure(error, app.out)


def main() -> None:
    """The program."""
    app = App()
    code = run(sys.argv[1:], app)
    app.close()
    sys.stdout.flush()
    raise SystemExit(code)
