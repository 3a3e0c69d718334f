"""What OpenAPI says of an operation's answers: an example of the good one, and the errors it can give."""

from __future__ import annotations

from typing import Any

ERROR_SCHEMA = "#/components/schemas/ErrorAnswer"

_ERRORS: dict[int, tuple[str, str, str]] = {
    400: ("The call is malformed", "bad_request", "There was an error parsing the body"),
    401: ("No token, or one that is not valid", "unauthorized", "this needs a token"),
    403: ("The token may not do this", "scope_missing", "this token may not do that: it needs the scope submit"),
    404: ("No such object; near names are listed", "not_found", "there is no job j81f3k2abq"),
    409: ("Somebody was first, several objects fit, or the object is in another state", "conflict", "the job is final"),
    413: ("The body is over the limit", "too_large", "the body is larger than the 67,108,864 bytes this path takes"),
    422: (
        "The call or the request does not hold; `fields` says where",
        "invalid_request",
        "the request does not hold in one field",
    ),
    429: ("Too many calls; come back later", "rate_limited", "too many calls"),
    503: ("A part the server needs is away; safe to try again", "unavailable", "the database does not answer"),
}

Responses = dict[int | str, dict[str, Any]]


def ok(example: Any, status: int = 200) -> Responses:
    """The example of a good answer."""
    return {status: {"content": {"application/json": {"example": example}}}}


def also(status: int, model: type[Any], description: str, example: Any) -> Responses:
    """A second kind of good answer."""
    content = {"application/json": {"example": example}}
    return {status: {"model": model, "description": description, "content": content}}


def other(media_type: str, example: Any, status: int = 200) -> Responses:
    """The example of a good answer that is not JSON."""
    found: Responses = {status: {"content": {media_type: {"example": example}}}}
    if status >= 400:
        found[status]["description"] = _ERRORS[status][0]
    return found


def errors(*statuses: int) -> Responses:
    """The errors an operation can give; all have one shape."""
    found: Responses = {}
    for status in statuses:
        description, code, message = _ERRORS[status]
        example = {"error": {"code": code, "message": message, "why": "", "mend": "", "docs": f"http://127.0.0.1:8787/help/{code}",
                             "request_id": "r5k2m8qtz1", "fields": [], "detail": {}}}  # fmt: skip
        # By reference, not by `model`: that would give the error the media type of the good answer.
        content = {"application/json": {"schema": {"$ref": ERROR_SCHEMA}, "example": example}}
        found[status] = {"description": description, "content": content}
    return found
