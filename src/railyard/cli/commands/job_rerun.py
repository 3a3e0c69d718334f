"""railyard job rerun"""

from __future__ import annotations

from typing import Any

import click

from railyard.cli import lazy, refs, values
from railyard.cli.app import App, pass_app
from railyard.cli.follow import follow as follow_job
from railyard.cli.groups import command
from railyard.cli.plan import show_plan


@command(
    "rerun",
    examples=[
        "railyard job rerun j81f --compute HIGH_MEMORY --follow",
        "railyard job rerun @last -p max_depth=8 --dry-run",
    ],
    short_help="A new job from the same request, changed where you say.",
)
@click.argument("job")
@click.option("-p", "--param", "params", multiple=True, metavar="K=V", help="Change one of custom_params.")
@click.option("--compute", metavar="CLASS", help="Another compute class.")
@click.option("--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change any value; null removes it.")
@click.option("--latest", is_flag=True, help="Run the newest deployed code instead of the job's own.")
@click.option("--dry-run", is_flag=True, help="Show what would run, read, take and cost; submit nothing.")
@click.option("-f", "--follow", is_flag=True, help="Show steps and log until it ends.")
@click.option("--idempotency-key", metavar="KEY", help="A second rerun with the same key is the first one's job.")
@pass_app
def rerun(
    app: App,
    job: str,
    params: tuple[str, ...],
    compute: str | None,
    sets: tuple[str, ...],
    latest: bool,
    dry_run: bool,
    follow: bool,
    idempotency_key: str | None,
) -> int:
    """A new job from the same request and the same code, changed by a JSON merge patch."""
    patch = patch_of(values.pairs(params, "-p"), compute, values.pairs(sets, "--set"))
    job_id = refs.job_id(app, job)
    if dry_run:
        show_plan(app, app.client.jobs.plan_rerun(job_id, patch, latest=latest))
        return 0
    key = idempotency_key or lazy.client.new_key()
    made = app.client.jobs.rerun(job_id, patch, latest=latest, idempotency_key=key)
    if follow:
        app.out.talk(f"{made.job_id} submitted, rerun of {made.rerun_of} · {made.url}")
        return follow_job(app, made)
    if app.out.json:
        app.out.resource(lazy.spec.dump(made))
        return 0
    app.out.line(made.job_id)
    app.out.talk(f"{made.url}\nfollow: railyard job watch {made.job_id} · log: railyard job logs {made.job_id} -f")
    return 0


def patch_of(params: dict[str, Any], compute: str | None, sets: dict[str, Any]) -> dict[str, Any]:
    """The merge patch of these changes."""
    patch: dict[str, Any] = {"train": {"custom_params": params}} if params else {}
    if compute:
        patch["compute_resource"] = compute
    for path, value in sets.items():
        *folders, last = path.split(".")
        inner = patch
        for folder in folders:
            inner = inner.setdefault(folder, {})
            if not isinstance(inner, dict):
                raise click.UsageError(f"--set {path}: {folder} is set to a plain value already")
        inner[last] = value
    return patch
