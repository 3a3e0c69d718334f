"""railyard train"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from railyard.cli import lazy, values
from railyard.cli.app import App, pass_app
from railyard.cli.follow import follow as follow_job
from railyard.cli.groups import command
from railyard.cli.local import run_local
from railyard.cli.plan import show_plan

if TYPE_CHECKING:
    from railyard.client.requests import Draft
    from railyard.spec.records import FieldProblem


@command(
    "train",
    examples=[
        "railyard train request.json5 --follow",
        "railyard train request.json5 -p max_depth=8 --compute HIGH_MEMORY",
        "railyard train request.json5 --set data.holdout_sampling=null --dry-run",
        "railyard train request.json5 --local",
    ],
    short_help="Train a model from a request.",
)
@click.argument("request_file", metavar="FILE")
@click.option("-p", "--param", "params", multiple=True, metavar="K=V", help="Set one of custom_params: JSON, or text.")
@click.option("--compute", metavar="CLASS", help="The compute class: compute_resource.")
@click.option(
    "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Set any value of the request: data.date_column=day."
)
@click.option("--code", metavar="DIR|CODE", help="The code to run: a project's folder, a code id, or project@version.")
@click.option("--dry-run", is_flag=True, help="Show what would run, read, take and cost; submit nothing.")
@click.option("-f", "--follow", is_flag=True, help="Show steps and log until it ends; exit with the job's own code.")
@click.option("--local", is_flag=True, help="Run it here, in one process, without a server.")
@click.option("--out", type=click.Path(path_type=Path), help="With --local: where artifacts go.")
@click.option("--idempotency-key", metavar="KEY", help="A second submit with the same key is the first job.")
@pass_app
def train(
    app: App,
    request_file: str,
    params: tuple[str, ...],
    compute: str | None,
    sets: tuple[str, ...],
    code: str | None,
    dry_run: bool,
    follow: bool,
    local: bool,
    out: Path | None,
    idempotency_key: str | None,
) -> int:
    """Train a model from the JSON request in FILE (- reads stdin). `//` comments are welcome.

    The code project that FILE lies in (a folder with workflows/) is sent along, unless --code or the request names
    another one.
    """
    if out and not local:
        raise click.UsageError("--out belongs to --local")
    written = lazy.requests.load(_source(request_file))
    draft = _changed(written, values.pairs(params, "-p"), compute, values.pairs(sets, "--set"))
    try:
        return _run(app, draft, code, dry_run=dry_run, follow=follow, local=local, out=out, key=idempotency_key)
    except lazy.errors.Invalid as error:
        if not app.out.json:
            error.fields = tuple(_located(field, written) for field in error.fields)
        raise


def _run(
    app: App,
    draft: Draft,
    code: str | None,
    *,
    dry_run: bool,
    follow: bool,
    local: bool,
    out: Path | None,
    key: str | None,
) -> int:
    if local:
        return run_local(app, draft, code, out)
    text = _with_code(app, draft, code).text
    if dry_run:
        plan = app.client.jobs.plan(text)
        show_plan(app, plan)
        return 0
    job = app.client.jobs.submit(text, idempotency_key=key or lazy.client.new_key())
    if follow:
        app.out.talk(f"{job.job_id} submitted · {job.url}")
        return follow_job(app, job)
    if app.out.json:
        app.out.resource(lazy.spec.dump(job))
        return 0
    app.out.line(job.job_id)
    app.out.talk(f"{job.url}\nfollow: railyard job watch {job.job_id} · log: railyard job logs {job.job_id} -f")
    return 0


def _source(request_file: str) -> Any:
    if request_file == "-":
        text = sys.stdin.read()
        return text if text.lstrip().startswith(("{", "//")) else "{" + text
    return Path(request_file)


def _located(field: FieldProblem, written: Draft) -> FieldProblem:
    """The problem with the place in the file it speaks of, where the file holds it."""
    line = lazy.locate.line_of(written.text, field.path)
    return field if line is None else field.model_copy(update={"path": f"{written.name}:{line} {field.path}"})


def _changed(written: Draft, params: dict[str, Any], compute: str | None, sets: dict[str, Any]) -> Draft:
    """What is set as a whole comes first, so that -p changes single parameters of a custom_params set by --set."""
    draft = written
    for path, value in sets.items():
        draft = draft.replaced(values.pointer(path), value)
    return lazy.client.amended(draft, params, compute)


def _with_code(app: App, draft: Draft, code: str | None) -> Draft:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sent = app.client.send_code(draft, code)
    for warning in caught:
        app.out.note(f"{app.out.ink('note:', 'busy')}  {warning.message}")
    return sent
