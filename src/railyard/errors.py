"""Every error we raise. The API's answer, the CLI's four lines and the job's cause card are the same object.

RailyardError
├── Invalid              422  a request or a file does not hold what it should; `.fields` says where
├── Unauthorized         401  no token, or one that is not (or no longer) valid
├── Forbidden            403  the token may not do this
├── NotFound             404  no such object; near names are listed
├── Ambiguous            409  a prefix fits several objects; they are listed
├── Conflict             409  somebody was first, or the object is in another state
├── Refused              409  quota, budget, policy, in use
├── TooLarge             413  the body is over the limit
├── RateLimited          429  come back later
├── ServerError          500  our fault; the request id leads to the log
├── Unavailable          503  a part the server needs is away; safe to try again
├── Unreachable          –    no server answered; safe to try again
├── Timeout              –    still going when the time given was up
├── JobFailed            –    the job that was waited for ended as failed
├── JobCancelled         –    the job that was waited for was cancelled
├── ConfigurationError   –    settings that do not hold together, or a missing extra
└── AttemptError         –    an attempt must end; `.report` carries reason, sentence, mend and evidence
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from railyard.spec.reasons import EndReason
from railyard.spec.records import FieldProblem, Problem
from railyard.spec.result import ErrorReport
from railyard.spec.states import StepName


class RailyardError(Exception):
    """Something that a caller can act on: code, message, why, mend."""

    code = "internal"
    status: int | None = None
    """The HTTP status, where the error is an answer."""
    exit_code = 1
    """The exit code of the CLI."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        why: str = "",
        mend: str = "",
        docs: str = "",
        request_id: str = "",
        fields: Iterable[FieldProblem] = (),
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.message = message
        self.why = why
        self.mend = mend
        self.docs = docs
        self.request_id = request_id
        self.fields = tuple(fields)
        self.detail = dict(detail or {})

    def __str__(self) -> str:
        """Four lines at most: error, why, mend, more."""
        lines = [f"error: {self.message}"]
        why = [self.why] if self.why else [describe(problem) for problem in self.fields[:10]]
        lines += [f"why:   {line}" for line in why]
        lines += [f"mend:  {self.mend}"] if self.mend else []
        more = "   ".join(part for part in (self.docs, f"request {self.request_id}" if self.request_id else "") if part)
        lines += [f"more:  {more}"] if more else []
        return "\n".join(lines)

    def problem(self) -> Problem:
        """The body of the API's answer."""
        return Problem(
            code=self.code,
            message=self.message,
            why=self.why,
            mend=self.mend,
            docs=self.docs,
            request_id=self.request_id,
            fields=self.fields,
            detail=self.detail,
        )


class Invalid(RailyardError):
    code, status, exit_code = "invalid", 422, 2


class Unauthorized(RailyardError):
    code, status, exit_code = "unauthorized", 401, 4


class Forbidden(RailyardError):
    code, status, exit_code = "forbidden", 403, 4


class NotFound(RailyardError):
    code, status, exit_code = "not_found", 404, 3


class Ambiguous(RailyardError):
    code, status, exit_code = "ambiguous", 409, 3


class Conflict(RailyardError):
    code, status, exit_code = "conflict", 409, 6


class Refused(RailyardError):
    code, status, exit_code = "refused", 409, 6


class TooLarge(RailyardError):
    code, status, exit_code = "too_large", 413, 6


class RateLimited(RailyardError):
    code, status, exit_code = "rate_limited", 429, 6


class ServerError(RailyardError):
    code, status = "internal", 500


class Unavailable(RailyardError):
    code, status, exit_code = "unavailable", 503, 5


class Unreachable(RailyardError):
    code, exit_code = "unreachable", 5


class Timeout(RailyardError):
    code, exit_code = "timeout", 8


class JobFailed(RailyardError):
    code, exit_code = "job_failed", 10


class JobCancelled(RailyardError):
    code, exit_code = "job_cancelled", 11


class ConfigurationError(RailyardError):
    code, exit_code = "configuration", 2


class AttemptError(RailyardError):
    """Ends an attempt for a stated reason; the runner turns it into the job's reason."""

    def __init__(
        self,
        reason: EndReason,
        message: str,
        *,
        mend: str = "",
        step: StepName | None = None,
        traceback: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=reason, mend=mend, detail=evidence)
        self.report = ErrorReport(
            code=reason, message=message, mend=mend, step=step, traceback=traceback, evidence=dict(evidence or {})
        )


def describe(problem: FieldProblem) -> str:
    """One bad field in one line."""
    nearest = f"; did you mean {problem.nearest}?" if problem.nearest else ""
    return f"{problem.path}: expected {problem.expected}, got {problem.got}{nearest}"


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate a typing person most likely meant, or None."""
    pool = list(candidates)
    folded = {candidate.casefold(): candidate for candidate in reversed(pool)}
    found = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def missing_extra(module: str, extra: str) -> ConfigurationError:
    """What to raise when an optional dependency is not installed."""
    return ConfigurationError(
        f"{module} is not installed",
        code="missing_extra",
        why=f"this part of Railyard comes with the extra `{extra}`",
        mend=f'pip install "railyard[{extra}]"',
    )
