"""railyard job artifacts"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import click

from railyard.cli import lazy, refs, words
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command, group
from railyard.cli.output import Column
from railyard.cli.tree import ARTIFACTS

artifacts = group("artifacts", ARTIFACTS, "The files that a job delivered.")


@command("ls", examples=["railyard job artifacts ls @last"], short_help="The files of a job.")
@click.argument("job")
@pass_app
def ls(app: App, job: str) -> None:
    """The files of a job, with size and digest."""
    found = app.client.jobs.artifacts(refs.job_id(app, job))
    if app.out.json:
        app.out.resource([lazy.spec.dump(one) for one in found])
        return
    columns = (Column("PATH", wide=True), Column("KIND"), Column("SIZE", right=True), Column("SHA256"))
    app.out.table(
        columns,
        [
            [
                one.path,
                one.kind,
                words.size(one.bytes) if app.out.tty else str(one.bytes),
                one.sha256[:12] if app.out.tty else one.sha256,
            ]
            for one in found
        ],
        footer="" if found else "no file: only a job that succeeded delivers any",
    )


@command(
    "get",
    examples=["railyard job artifacts get @last model/model.ubj", "railyard job artifacts get j81f --out results/"],
    short_help="Download one file, or all of them.",
)
@click.argument("job")
@click.argument("path", required=False)
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="A folder, or a file's name.")
@pass_app
def get(app: App, job: str, path: str | None, out: Path) -> None:
    """Download one file of a job, or all of them into a folder named after the job."""
    jobs, job_id = app.client.jobs, refs.job_id(app, job)
    if path is not None:
        app.out.line(str(jobs.download(job_id, path, out)))
        return
    job_id = jobs.get(job_id).job_id
    for one in jobs.artifacts(job_id):
        target = out / job_id / safe(one.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        app.out.line(str(jobs.download(job_id, one.path, target)))


def safe(path: str) -> Path:
    """A path that stays inside the folder it is put in. Raises Refused."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path or not parts.parts:
        raise lazy.errors.Refused(
            f"the server names a file outside its job: {path!r}", mend="report this to its operator"
        )
    return Path(*parts.parts)
