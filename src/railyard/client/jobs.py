"""Calls about jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from railyard.client import durations
from railyard.client.events import follow as follow_stream
from railyard.client.job import Job
from railyard.client.pages import Pager
from railyard.client.transport import Query, Transport
from railyard.spec.attempt import MetricPoint
from railyard.spec.jsonc import merge_patch
from railyard.spec.records import Attempt, Comparison, Event, JobResult, LogPage, NumberedLine, Page, Plan
from railyard.spec.result import Artifact

Source = Literal["stdout", "stderr", "system"]
_LINES = 1000


class Jobs:
    """`client.jobs`. A job may be named by its id or by any prefix of it that fits no other job."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def server(self) -> str:
        """The server's address, without a slash at the end."""
        return self._transport.url

    def submit(self, text: str, *, idempotency_key: str | None = None) -> Job:
        """Sends a request as it is: strict JSON text. Raises Invalid with `.fields` for a bad one."""
        headers = {"content-type": "application/json"} | (
            {"idempotency-key": idempotency_key} if idempotency_key else {}
        )
        return self._job(self._transport.request("POST", "/v1/jobs", content=text, headers=headers).json())

    def plan(self, text: str) -> Plan:
        """What a request would run, read, take and cost; submits nothing."""
        headers = {"content-type": "application/json"}
        answer = self._transport.request(
            "POST", "/v1/jobs", query={"dry_run": 1}, content=text, headers=headers, retry=2, timeout=60
        )
        return Plan.model_validate_json(answer.content)

    def get(self, job_id: str) -> Job:
        """One job. Raises NotFound, and Ambiguous for a prefix that fits several."""
        return self._job(self._read(job_id).json())

    def list(
        self,
        *,
        state: str | Sequence[str] | None = None,
        reason: str | None = None,
        owner: str | None = None,
        project: str | None = None,
        trainer: str | None = None,
        model_name: str | None = None,
        workflow_name: str | None = None,
        compute_resource: str | None = None,
        node: str | None = None,
        code: str | None = None,
        since: str | datetime | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> Pager[Job]:
        """Jobs, newest first; every filter given must hold, and one of the states.

        `since` is an instant or a length of time such as `"7d"`; `limit` ends the list early.
        """
        query: dict[str, Any] = {
            "state": [state] if isinstance(state, str) else list(state or ()) or None,
            "reason": reason,
            "owner": owner,
            "project": project,
            "trainer": trainer,
            "model_name": model_name,
            "workflow_name": workflow_name,
            "compute_resource": compute_resource,
            "node": node,
            "code": code,
            "since": durations.moment(since).isoformat() if since is not None else None,
            "label": [f"{name}={value}" for name, value in (labels or {}).items()] or None,
        }

        def fetch(after: str | None, size: int) -> Page[Job]:
            page = Page[dict[str, Any]].model_validate_json(
                self._transport.request("GET", "/v1/jobs", query={**query, "after": after, "limit": size}).content
            )
            return Page[Job].model_construct(items=tuple(self._job(item) for item in page.items), next=page.next)

        return Pager(fetch, limit=limit)

    def cancel(self, job_id: str) -> Job:
        """Asks for a job's end; a final job is left as it is."""
        return self._job(self._transport.request("POST", f"/v1/jobs/{_part(job_id)}/cancel", retry=2).json())

    def rerun(
        self,
        job_id: str,
        overrides: Mapping[str, Any] | None = None,
        *,
        latest: bool = False,
        idempotency_key: str | None = None,
    ) -> Job:
        """A new job from the same request, changed by a JSON merge patch; `latest` takes the newest deployed code."""
        headers = {"idempotency-key": idempotency_key} if idempotency_key else None
        body = {"overrides": dict(overrides or {}), "latest": latest}
        return self._job(
            self._transport.request("POST", f"/v1/jobs/{_part(job_id)}/rerun", json=body, headers=headers).json()
        )

    def plan_rerun(self, job_id: str, overrides: Mapping[str, Any] | None = None, *, latest: bool = False) -> Plan:
        """What a rerun with these changes would run, read, take and cost; submits nothing."""
        value = merge_patch(json.loads(self.request(job_id)), dict(overrides or {}))
        if latest and "code" not in (overrides or {}):
            value.pop("code", None)
        elif "code" not in value and (pinned := self.get(job_id).code):
            value["code"] = pinned
        return self.plan(json.dumps(value, ensure_ascii=False))

    def result(self, job_id: str) -> JobResult:
        """What a final job delivered, or how it ended."""
        return JobResult.model_validate_json(self._read(job_id, "/result").content)

    def request(self, job_id: str) -> str:
        """The request as it was sent, byte for byte."""
        text: str = self._read(job_id, "/request").text
        return text

    def attempts(self, job_id: str) -> tuple[Attempt, ...]:
        """Every attempt, first to last."""
        return Page[Attempt].model_validate_json(self._read(job_id, "/attempts").content).items

    def events(self, job_id: str, *, follow: bool = False, after: int | None = None) -> Iterator[Event]:
        """What happened to a job, oldest first; with `follow` until it is final."""
        if follow:
            path = f"/v1/jobs/{_part(job_id)}/events/stream"
            for event in follow_stream(self._transport, path, after=after):
                yield Event.model_validate(event.data)
            return
        cursor: str | int | None = after
        while True:
            page = Page[Event].model_validate_json(self._read(job_id, "/events", {"after": cursor}).content)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def metrics(self, job_id: str, *, name: str | None = None, attempt: int | None = None) -> Iterator[MetricPoint]:
        """The points its workflow reported, in order."""
        cursor: str | None = None
        while True:
            query = {"name": name, "attempt": attempt, "after": cursor}
            page = Page[MetricPoint].model_validate_json(self._read(job_id, "/metrics", query).content)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def evaluation(self, job_id: str) -> dict[str, Any]:
        """Curves, tables and slices of the holdout."""
        found: dict[str, Any] = self._read(job_id, "/evaluation").json()
        return found

    def logs(
        self,
        job_id: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        after: int | None = None,
        attempt: int | None = None,
        source: Source | None = None,
        search: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        rank: int | None = None,
    ) -> Iterator[NumberedLine]:
        """Log lines of the current attempt, or of the one named; with `follow` until no further line can come.

        `tail` starts that many lines before the end, `after` behind a line's number. All filters may be combined.
        """
        filters: dict[str, Any] = {
            "attempt": attempt,
            "source": source,
            "search": search,
            "since": durations.moment(since).isoformat() if since is not None else None,
            "until": durations.moment(until).isoformat() if until is not None else None,
            "rank": rank,
        }
        page = self.log_page(job_id, after=after, tail=tail, **filters)
        last: NumberedLine | None = None
        while True:
            yield from page.lines
            last = page.lines[-1] if page.lines else last
            if page.complete or not page.lines:
                break
            page = self.log_page(job_id, after=page.next, **filters)
        if follow and not (page.complete and attempt is not None):
            # With the attempt's number: a retry may have begun meanwhile, and its lines count from 1 again.
            place = f"{last.attempt}-{page.next}" if last else page.next
            path = f"/v1/jobs/{_part(job_id)}/logs/stream"
            for event in follow_stream(self._transport, path, query=filters, after=place):
                yield NumberedLine.model_validate(event.data)

    def log_page(self, job_id: str, *, after: int | None = None, tail: int | None = None, **filters: Any) -> LogPage:
        """One read of the log: the lines behind `after`, as many as the server hands out at once."""
        query: Query = {**filters, "after": after, "tail": tail, "limit": _LINES}
        return LogPage.model_validate_json(self._read(job_id, "/logs", query).content)

    def artifacts(self, job_id: str) -> tuple[Artifact, ...]:
        """The files of the attempt that succeeded."""
        return Page[Artifact].model_validate_json(self._read(job_id, "/artifacts").content).items

    def download(self, job_id: str, path: str, to: Path | str) -> Path:
        """Fetches one artifact into a file (or into a folder, under its own name); never leaves half a file behind."""
        target = Path(to)
        target = target / Path(path).name if target.is_dir() else target
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")
        try:
            with (
                self._transport.stream("GET", f"/v1/jobs/{_part(job_id)}/artifacts/{quote(path)}") as answer,
                partial.open("wb") as file,
            ):
                for chunk in answer.iter_bytes():
                    file.write(chunk)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    def compare(self, *job_ids: str) -> Comparison:
        """Two or more jobs side by side."""
        answer = self._transport.request("GET", "/v1/jobs/compare", query={"job": list(job_ids)})
        return Comparison.model_validate_json(answer.content)

    def _job(self, record: Mapping[str, Any]) -> Job:
        return Job.bound(record, self)

    def _read(self, job_id: str, rest: str = "", query: Query | None = None) -> Any:
        return self._transport.request("GET", f"/v1/jobs/{_part(job_id)}{rest}", query=query)


def _part(name: str) -> str:
    return quote(name, safe="")
