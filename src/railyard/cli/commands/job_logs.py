"""railyard job logs"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from railyard.cli import lazy, refs, words
from railyard.cli.app import App, pass_app
from railyard.cli.follow import tail as follow_lines
from railyard.cli.groups import command

if TYPE_CHECKING:
    from railyard.spec.records import NumberedLine


@command(
    "logs",
    examples=["railyard job logs @last -f", "railyard job logs j81f --search error --source stderr --tail 20"],
    short_help="Its log, live with -f.",
)
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends; exit with the job's own code.")
@click.option("-n", "--tail", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The last N lines.")
@click.option("--all", "everything", is_flag=True, help="From the first line on.")
@click.option("--since", metavar="2h|TIME", help="Lines since then.")
@click.option("--until", metavar="2h|TIME", help="Lines before then.")
@click.option("--search", metavar="TEXT", help="Lines that hold this text.")
@click.option("--source", type=click.Choice(["stdout", "stderr", "system"]), help="Lines of one source.")
@click.option("--attempt", type=click.IntRange(1), help="Another attempt than the current one.")
@click.option("--rank", type=click.IntRange(0), help="The process of a distributed training.")
@click.option("--timestamps", is_flag=True, help="The time before every line.")
@click.option("--raw", is_flag=True, help="The lines as they were written, nothing else.")
@pass_app
def logs(
    app: App,
    job: str,
    follow: bool,
    tail: int,
    everything: bool,
    since: str | None,
    until: str | None,
    search: str | None,
    source: Any,
    attempt: int | None,
    rank: int | None,
    timestamps: bool,
    raw: bool,
) -> int:
    """The log of a job: by default the last 100 lines. All options may be combined."""
    if raw and timestamps:
        raise click.UsageError("--raw prints the lines alone; leave out --timestamps")
    found = refs.job(app, job)
    lines = found.logs(
        follow=follow,
        tail=None if everything or since else tail,
        since=since,
        until=until,
        search=search,
        source=source,
        attempt=attempt,
        rank=rank,
    )
    texts = _shown(app, lines, timestamps=timestamps, raw=raw)
    if follow:
        return follow_lines(app, found, texts)
    for text in texts:
        app.out.line(text)
    return 0


def _shown(app: App, lines: Iterable[NumberedLine], *, timestamps: bool, raw: bool) -> Iterator[str]:
    for line in lines:
        if app.out.json:
            app.out.row(lazy.spec.dump(line))
            continue
        if raw:
            yield line.text
            continue
        before = f"{app.out.ink(words.stamp(line.at), 'faint')} " if timestamps else ""
        yield before + (app.out.ink(line.text, "faint") if line.source == "system" else line.text)
