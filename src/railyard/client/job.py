"""A job in the hands of a program: the record, and what one can do with it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, PrivateAttr

from railyard.client import durations
from railyard.client.html import SYMBOLS, job_card, job_row, money, number, ordered
from railyard.errors import JobCancelled, JobFailed, RailyardError, Timeout
from railyard.spec import records
from railyard.spec.attempt import MetricPoint
from railyard.spec.states import FINAL_STATES

if TYPE_CHECKING:
    from railyard.client.jobs import Jobs

LAST_LINES = 20
"""How many log lines a failed wait brings along."""
_SERIES = 4
_FIRST_POLL_SECONDS = 0.1
_LONGEST_POLL_SECONDS = 2.0


class Job(records.Job):
    """A job as the server last told it. `refresh`, `wait` and `cancel` bring this object up to date and return it."""

    model_config = ConfigDict(frozen=False)

    _jobs: Jobs = PrivateAttr()

    @classmethod
    def bound(cls, record: Mapping[str, Any] | records.Job, jobs: Jobs) -> Job:
        """A job that can speak to its server."""
        job = cls.model_validate(record if isinstance(record, Mapping) else record.model_dump())
        job._jobs = jobs
        return job

    @property
    def url(self) -> str:
        """Where a browser shows it."""
        return f"{self._jobs.server}/jobs/{self.job_id}"

    @property
    def final(self) -> bool:
        """True in a state that is never left."""
        return self.state in FINAL_STATES

    def refresh(self) -> Job:
        """Reads it again."""
        self.__dict__.update(self._jobs.get(self.job_id).__dict__)
        return self

    def wait(self, timeout: float | str | None = None, *, check: bool = True) -> Job:
        """Waits until it is final; `timeout` is seconds or such as `"2h"`.

        Raises JobFailed (its `detail` holds job_id, reason, url and last_lines) and JobCancelled unless `check` is
        False, and Timeout when the job is still going.
        """
        deadline = None if timeout is None else time.monotonic() + durations.seconds(timeout)
        pause = _FIRST_POLL_SECONDS
        while not self.refresh().final:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                given = timeout if isinstance(timeout, str) else f"{timeout:g} s"
                raise Timeout(
                    f"{self.job_id} is still {self.state} after {given}",
                    why=self.message or "",
                    mend=f"railyard job watch {self.job_id}",
                    detail={"job_id": self.job_id, "state": self.state, "url": self.url},
                )
            time.sleep(pause if left is None else min(pause, left))
            pause = min(_LONGEST_POLL_SECONDS, pause * 1.5)
        if check:
            self.raise_for_state()
        return self

    def raise_for_state(self) -> None:
        """Raises JobFailed or JobCancelled if it ended so."""
        if self.state == "cancelled":
            raise JobCancelled(
                f"{self.job_id} was cancelled",
                why=self.message or "",
                mend=f"railyard job rerun {self.job_id}",
                detail={"job_id": self.job_id, "reason": self.reason, "url": self.url},
            )
        if self.state == "failed":
            report = self.error
            raise JobFailed(
                f"{self.job_id} failed: {report.message if report else self.message or self.reason}",
                why=f"{self.reason}{f' in step {report.step}' if report and report.step else ''}",
                mend=(report.mend if report else "") or f"railyard job logs {self.job_id}",
                docs=self.url,
                detail={
                    "job_id": self.job_id,
                    "reason": self.reason,
                    "url": self.url,
                    "last_lines": self._last_lines(),
                },
            )

    def cancel(self) -> Job:
        """Asks for its end; returns at once. `wait(check=False)` sees it through."""
        self.__dict__.update(self._jobs.cancel(self.job_id).__dict__)
        return self

    def rerun(self, overrides: Mapping[str, Any] | None = None, *, latest: bool = False) -> Job:
        """A new job from the same request, changed by a JSON merge patch; `latest` takes the newest deployed code."""
        return self._jobs.rerun(self.job_id, overrides, latest=latest)

    def result(self) -> records.JobResult:
        """Everything the job delivered; Conflict while it is not final."""
        return self._jobs.result(self.job_id)

    def logs(self, *, follow: bool = False, **filters: Any) -> Iterator[records.NumberedLine]:
        """Its log lines; with `follow` until it is final, across dropped connections. Filters as `client.jobs.logs`."""
        return self._jobs.logs(self.job_id, follow=follow, **filters)

    def history(self) -> list[MetricPoint]:
        """The metrics its workflow reported while training, in order."""
        return list(self._jobs.metrics(self.job_id))

    def __repr__(self) -> str:
        lines = [f"{SYMBOLS[self.state]} {self.state}  {self.job_id}  {self.model_name}  {self.workflow_name}"]
        if self.error:
            lines.append(f"  {self.error.code}: {self.error.message}")
        elif self.message:
            lines.append(f"  {self.message}")
        if self.metrics.holdout:
            lines.append(
                "  " + "  ".join(f"{name} {number(value)}" for name, value in ordered(self.metrics.holdout).items())
            )
        lines.append(f"  {money(self.cost)}  {self.url}")
        return "\n".join(lines)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        series: dict[str, list[float | None]] = {}
        try:
            for point in self.history():
                series.setdefault(point.name, []).append(point.value)
        except RailyardError:
            series = {}  # A card without curves is better than a traceback in place of a card.
        return job_card(self, self.url, dict(list(series.items())[:_SERIES]))

    def _row_html(self) -> str:
        return job_row(self, self.url)

    def _last_lines(self) -> list[str]:
        try:
            return [line.text for line in self._jobs.logs(self.job_id, tail=LAST_LINES)]
        except RailyardError:
            return []
