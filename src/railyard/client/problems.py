"""Turns an answer of the server back into the error that the server raised. Pure: no HTTP library here."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import ValidationError

from railyard.errors import (
    Ambiguous,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RailyardError,
    RateLimited,
    Refused,
    ServerError,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from railyard.spec.records import Problem

_BY_STATUS: dict[int, type[RailyardError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: Invalid,
    422: Invalid,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
_SHARING_409: tuple[type[RailyardError], ...] = (Ambiguous, Refused)
"""Classes that share a status with another one and are told apart by their code."""


def error_of(status: int, body: bytes, headers: Mapping[str, str], *, where: str) -> RailyardError:
    """The error of an answer that is not a success.

    `where` is `METHOD url`, for answers that are not the API's own (a proxy's page, another server's 404).
    """
    problem = _problem(body)
    if problem is None:
        return _foreign(status, body, headers, where)
    return _class_of(status, problem.code)(
        problem.message,
        code=problem.code,
        why=problem.why,
        mend=problem.mend,
        docs=problem.docs,
        request_id=problem.request_id or headers.get("x-request-id", ""),
        fields=problem.fields,
        detail=problem.detail,
    )


def _class_of(status: int, code: str) -> type[RailyardError]:
    if status == 409:
        return next((kind for kind in _SHARING_409 if kind.code == code), Conflict)
    return _BY_STATUS.get(status) or (ServerError if status >= 500 else RailyardError)


def _problem(body: bytes) -> Problem | None:
    try:
        value = json.loads(body)
        return Problem.model_validate(value["error"])
    except (ValueError, TypeError, KeyError, ValidationError):
        return None


def _foreign(status: int, body: bytes, headers: Mapping[str, str], where: str) -> RailyardError:
    words = " ".join(body[:400].decode("utf-8", "replace").split())[:200]
    if 300 <= status < 400:
        return ServerError(
            f"{where} answered {status}, a redirect to {headers.get('location', 'nowhere')}",
            code="not_railyard",
            why="the API of a Railyard server never redirects; something else answers at this address",
            mend="railyard whoami shows the address and where it came from; railyard login URL sets it",
        )
    kind = _class_of(status, "")
    gone = kind is NotFound
    return kind(
        f"{where} answered {status}",
        code="not_railyard" if gone else None,
        why=words or "the answer has no body",
        mend="railyard doctor checks whether a Railyard server answers there" if gone or status >= 500 else "",
        request_id=headers.get("x-request-id", ""),
    )
