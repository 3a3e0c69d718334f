"""Every error leaves as `{"error": Problem}`, whoever raised it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.exceptions import HTTPException

from railyard.control.db.engine import is_away
from railyard.control.logging import request_id
from railyard.errors import (
    Forbidden,
    Invalid,
    NotFound,
    RailyardError,
    ServerError,
    TooLarge,
    Unauthorized,
    Unavailable,
    nearest,
)
from railyard.spec.base import Record, dump
from railyard.spec.records import FieldProblem, Problem

log = logging.getLogger(__name__)


class ErrorAnswer(Record):
    """The body of every answer with a status of 400 or more."""

    error: Problem = Field(description="What was expected, what came, where, and what to do next.")


def install(app: FastAPI, public_url: str) -> None:
    """Registers the handlers."""

    async def ours(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RailyardError)
        if error.status is None:
            log.error("an error that is no answer reached a caller: %s", error.message, exc_info=error)
        return answer(error, public_url)

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return answer(from_http(error, request.method, request.url.path), public_url, error.headers)

    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return answer(from_validation(error.errors()), public_url)

    app.add_exception_handler(RailyardError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)


def answer(error: RailyardError, public_url: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response that an error becomes."""
    problem = error.problem().model_copy(
        update={"docs": error.docs or f"{public_url}/help/{error.code}", "request_id": request_id.get()}
    )
    extra = dict(headers or {})
    if error.status == 401:
        extra.setdefault("WWW-Authenticate", "Bearer")
    if error.status in (429, 503):
        extra.setdefault("Retry-After", "1")
    return JSONResponse({"error": dump(problem)}, status_code=error.status or 500, headers=extra)


def unexpected(error: BaseException) -> RailyardError:
    """What a caller is told of our own fault: nothing but where to look it up, or to try again."""
    if is_away(error):
        log.warning("the database did not answer: %s", getattr(error, "orig", None) or error)
        return Unavailable(
            "the database does not answer",
            why="it may be starting again; running jobs go on meanwhile",
            mend="try again in a moment; railyard doctor shows whether it is back",
        )
    log.error("unexpected error while answering a request", exc_info=error)
    return ServerError(
        "the server met an error of its own",
        why="the details are in the server's log under the request id",
        mend="try again; if it stays, look up the request id in <home>/logs/server.log",
    )


def from_http(error: HTTPException, method: str, path: str) -> RailyardError:
    """What the framework raises, in our words."""
    said = str(error.detail)
    match error.status_code:
        case 401:
            return Unauthorized(said)
        case 403:
            return Forbidden(said)
        case 404:
            return NotFound(
                f"there is nothing at {path[:200]}",
                code="unknown_path",
                mend="/openapi.json lists every path of this server",
            )
        case 405:
            allowed = (error.headers or {}).get("Allow", "another method")
            return _MethodNotAllowed(f"{path[:200]} does not take {method}", mend=f"use {allowed}")
        case 413:
            return TooLarge(said)
        case status if status >= 500:
            return ServerError(said)
    return _BadRequest(said, mend="/openapi.json says what this path takes")


class _MethodNotAllowed(Invalid):
    code, status = "method_not_allowed", 405


class _BadRequest(Invalid):
    code, status = "bad_request", 400


def from_validation(problems: Sequence[Any]) -> Invalid:
    """What pydantic found wrong in parameters or a body, field by field."""
    fields = [_field(problem) for problem in problems]
    count = "one field" if len(fields) == 1 else f"{len(fields)} fields"
    return Invalid(
        f"the call does not hold in {count}",
        code="invalid_call",
        fields=fields,
        mend="correct the fields named; /openapi.json says what this path takes",
    )


def _field(problem: Mapping[str, Any]) -> FieldProblem:
    where, *inner = problem["loc"] or ("$",)
    path = _path(inner) if where == "body" and inner else _path([where, *inner])
    if problem["type"] == "missing":
        return FieldProblem(path=path, expected="a value (it is required)", got="nothing")
    if problem["type"] == "extra_forbidden":
        return FieldProblem(path=path, expected="a known key", got=f"the unknown key {inner[-1] if inner else where}")
    got = problem.get("input")
    if problem["type"] in ("literal_error", "enum"):
        choices = [part.strip("'") for part in str(problem["ctx"]["expected"]).replace(" or ", ", ").split(", ")]
        close = nearest(got, choices) if isinstance(got, str) else None
        return FieldProblem(path=path, expected=f"one of {', '.join(choices)}", got=_shown(got), nearest=close)
    expected = str(problem["msg"])
    for prefix in ("Value error, ", "Input should be ", "Input should "):
        expected = expected.removeprefix(prefix)
    return FieldProblem(path=path, expected=expected, got=_shown(got))


def _path(parts: Sequence[int | str]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes that are not JSON (is Content-Type application/json set?)"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else text[:117] + "…"
