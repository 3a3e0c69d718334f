"""railyard job list"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from railyard.cli import lazy, show, values, words
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command
from railyard.cli.output import Column, Output

if TYPE_CHECKING:
    from railyard.client.job import Job

COLUMNS = (
    Column("STATE"),
    Column("JOB"),
    Column("MODEL", wide=True),
    Column("WORKFLOW", wide=True),
    Column("HOLDOUT"),
    Column("TOOK", right=True),
    Column("COST", right=True),
    Column("SUBMITTED", right=True),
    Column("REASON"),
)


@command(
    "list",
    examples=["railyard job list --state failed --since 1d", "railyard job list --json job_id,state,cost"],
    short_help="Jobs, newest first.",
)
@click.option("--state", metavar="STATE", help="queued, starting, running, succeeded, failed or cancelled.")
@click.option("--reason", metavar="REASON", help="Why it waits or ended, such as out_of_memory.")
@click.option("--owner", metavar="TEAM")
@click.option("--project", metavar="PROJECT")
@click.option("--trainer", metavar="PERSON")
@click.option("--model", "model_name", metavar="NAME")
@click.option("--workflow", "workflow_name", metavar="NAME")
@click.option("--compute", "compute_resource", metavar="CLASS")
@click.option("--label", "labels", multiple=True, metavar="K=V")
@click.option("--since", metavar="2h|TIME", help="Submitted since then.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@click.option("--all", "everything", is_flag=True, help="No limit.")
@pass_app
def list_(
    app: App,
    state: str | None,
    reason: str | None,
    owner: str | None,
    project: str | None,
    trainer: str | None,
    model_name: str | None,
    workflow_name: str | None,
    compute_resource: str | None,
    labels: tuple[str, ...],
    since: str | None,
    limit: int,
    everything: bool,
) -> None:
    """Jobs, newest first."""
    found = app.client.jobs.list(
        state=state,
        reason=reason,
        owner=owner,
        project=project,
        trainer=trainer,
        model_name=model_name,
        workflow_name=workflow_name,
        compute_resource=compute_resource,
        labels={name: str(value) for name, value in values.pairs(labels, "--label").items()},
        since=since,
        limit=None if everything else limit,
    )
    jobs = list(found)
    if app.out.quiet and not app.out.json:
        for job in jobs:
            app.out.line(job.job_id)
        return
    if app.out.json:
        app.out.resource([lazy.spec.dump(job) for job in jobs])
        return
    app.out.table(COLUMNS, [row(job, app.out) for job in jobs], footer=_footer(jobs, None if everything else limit))


def row(job: Job, out: Output) -> list[str]:
    """One line of the table; in a pipe every value is whole and of one form."""
    best = next(iter(lazy.html.ordered(job.metrics.holdout).items()), None)
    took = show.seconds(job)
    if not out.tty:
        cost = "" if job.cost.amount is None else str(job.cost.amount)
        return [
            job.state, job.job_id, job.model_name, job.workflow_name, f"{best[0]}={best[1]}" if best else "",
            "" if took is None else f"{took:.3f}", cost, words.stamp(job.created_at), job.reason or "",
        ]  # fmt: skip
    return [
        show.state(job, out), job.job_id, job.model_name, job.workflow_name,
        f"{best[0]} {lazy.html.number(best[1])}" if best else "–",
        words.took(took), "–" if job.cost.amount is None else lazy.html.money(job.cost), words.when(job.created_at),
        job.reason or "",
    ]  # fmt: skip


def _footer(jobs: list[Job], limit: int | None) -> str:
    if not jobs:
        return "no job · railyard train request.json5"
    more = " · more: --all" if limit is not None and len(jobs) == limit else ""
    return f"{len(jobs)} shown{more} · railyard job show {jobs[0].job_id}"
