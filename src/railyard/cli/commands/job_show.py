"""railyard job show"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from railyard.cli import lazy, refs, words
from railyard.cli import show as picture
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command
from railyard.cli.output import Column

if TYPE_CHECKING:
    from railyard.spec.records import Event


@command(
    "show",
    examples=["railyard job show @last", "railyard job show j81f --json state,reason,error"],
    short_help="One job: state, steps, metrics, cost, why it failed.",
)
@click.argument("job")
@click.option("--result", "what", flag_value="result", help="Everything it delivered, as JSON.")
@click.option("--request", "what", flag_value="request", help="The request as it was sent.")
@click.option("--events", "what", flag_value="events", help="What happened to it, when, by whom.")
@click.option("--attempts", "what", flag_value="attempts", help="Every attempt.")
@click.option(
    "--evaluation", "what", flag_value="evaluation", help="Curves, tables and slices of the holdout, as JSON."
)
@click.option("-f", "--follow", is_flag=True, help="With --events: go on until the job ends.")
@pass_app
def show(app: App, job: str, what: str | None, follow: bool) -> None:
    """One job: state, steps, metrics, cost, why it failed."""
    if follow and what != "events":
        raise click.UsageError("--follow belongs to --events; railyard job watch follows a job")
    out, jobs, job_id = app.out, app.client.jobs, refs.job_id(app, job)
    if what == "result":
        out.resource(lazy.spec.dump(jobs.result(job_id)))
    elif what == "request":
        out.line(jobs.request(job_id))
    elif what == "evaluation":
        out.resource(jobs.evaluation(job_id))
    elif what == "events":
        _events(app, job_id, follow=follow)
    elif what == "attempts":
        _attempts(app, job_id)
    else:
        _one(app, job_id)


def _one(app: App, job_id: str) -> None:
    job = app.client.jobs.get(job_id)
    if app.out.json:
        app.out.resource(lazy.spec.dump(job))
        return
    for line in picture.block(job, app.out):
        app.out.line(line)
    code = " · ".join(part for part in (job.code, job.git_sha, "dirty" if job.dirty else None) if part)
    rows = [
        ("steps", picture.step_line(job, app.out)),
        ("workflow", job.workflow_name),
        ("code", code),
        ("class", job.compute_resource),
        ("owner", f"{job.owner} · {job.project} · by {job.submitted_by} for {job.trainer}"),
        ("submitted", words.when(job.created_at)),
        ("peak", words.size(job.usage.peak_memory_bytes) if job.usage.peak_memory_bytes else ""),
        ("rerun of", job.rerun_of or ""),
    ]
    for name, text in rows:
        if text:
            app.out.line(f"  {app.out.ink(f'{name:<9}', 'faint')} {text}")


def _events(app: App, job_id: str, *, follow: bool) -> None:
    if follow:
        for event in app.client.jobs.events(job_id, follow=True):
            at = words.stamp(event.at)
            said = "\t".join([at, event.kind, event.by, _what(event)]).rstrip()
            app.out.row(lazy.spec.dump(event)) if app.out.json else app.out.line(said)
        return
    events = list(app.client.jobs.events(job_id))
    if app.out.json:
        app.out.resource([lazy.spec.dump(event) for event in events])
        return
    columns = (Column("AT"), Column("KIND"), Column("BY"), Column("ATTEMPT", right=True), Column("WHAT", wide=True))
    app.out.table(
        columns,
        [
            [
                words.when(event.at) if app.out.tty else words.stamp(event.at),
                event.kind,
                event.by,
                str(event.attempt or ""),
                _what(event),
            ]
            for event in events
        ],
    )


def _what(event: Event) -> str:
    """The reason and its sentence, or the step, or whatever else the event carries."""
    said = ": ".join(part for part in (event.reason, event.message) if part)
    return said or ", ".join(f"{name} {value}" for name, value in event.detail.items() if value is not None)


def _attempts(app: App, job_id: str) -> None:
    attempts = app.client.jobs.attempts(job_id)
    if app.out.json:
        app.out.resource([lazy.spec.dump(attempt) for attempt in attempts])
        return
    columns = (Column("ATTEMPT"), Column("STATE"), Column("CLASS"), Column("NODE"), Column("PEAK", right=True),
               Column("COST", right=True), Column("REASON"))  # fmt: skip
    app.out.table(
        columns,
        [
            [
                attempt.name,
                attempt.state,
                attempt.compute_resource,
                attempt.node or "",
                words.size(attempt.usage.peak_memory_bytes),
                lazy.html.money(attempt.cost),
                attempt.reason or "",
            ]
            for attempt in attempts
        ],
    )
