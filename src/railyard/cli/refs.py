"""How a person names a job: id, unique prefix, @last, @mine, or the address of its page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from railyard.cli import lazy
from railyard.cli.app import App

if TYPE_CHECKING:
    from railyard.client.job import Job

_MINE_WITHIN = 500


def job_id(app: App, text: str) -> str:
    """The id, or prefix, that a word stands for. Raises NotFound for @last and @mine where there is none."""
    if text == "@last":
        return _or_none(app.client.jobs.list(limit=1).first())
    if text == "@mine":
        me = app.client.whoami().user
        mine = (job for job in app.client.jobs.list(limit=_MINE_WITHIN) if job.submitted_by == me)
        return _or_none(next(mine, None))
    if "://" in text:
        parts = [part for part in urlsplit(text).path.split("/") if part]
        if "jobs" in parts[:-1]:
            return unquote(parts[parts.index("jobs") + 1])
    return text


def job(app: App, text: str) -> Job:
    """The job that a word stands for."""
    return app.client.jobs.get(job_id(app, text))


def _or_none(found: Job | None) -> str:
    if found is None:
        raise lazy.errors.NotFound("there is no job yet", code="no_jobs", mend="railyard train request.json5")
    return found.job_id
