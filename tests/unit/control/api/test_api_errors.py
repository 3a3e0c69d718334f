"""Whatever goes wrong, the answer has one shape, a request id and a page that explains it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI, Request
from sqlalchemy.exc import OperationalError

from railyard.control.api.app import create_app
from railyard.control.api.help_pages import PAGES
from railyard.control.api.rooms import Rooms
from railyard.errors import Conflict, Unavailable
from railyard.settings import Settings
from railyard.spec.records import Problem

Call = Callable[..., Any]


@pytest.fixture
def app(make_rooms: Callable[..., Rooms]) -> FastAPI:
    app = create_app(make_rooms(settings=Settings(max_body_bytes=1024, max_artifact_bytes=4096)))

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("with the password hunter2")

    @app.get("/ours")
    async def ours() -> None:
        raise Conflict("somebody was first", mend="look again")

    @app.get("/gone")
    async def gone() -> None:
        raise OperationalError("SELECT 1", {}, psycopg.OperationalError("the connection is closed"))

    @app.get("/away")
    async def away() -> None:
        raise Unavailable("the database does not answer")

    @app.get("/typed/{number}")
    async def typed(number: int) -> int:
        return number

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.put("/v1/attempts/{name}/artifacts/{path:path}", include_in_schema=False)
    async def never(name: str, path: str) -> None:
        """Stands behind the true route; only its size limit is looked at."""

    return app


def _problem(response: Any) -> Problem:
    assert set(response.json()) == {"error"}
    problem = Problem.model_validate(response.json()["error"])
    assert problem.code in PAGES
    assert problem.docs == f"http://127.0.0.1:8787/help/{problem.code}"
    assert problem.request_id == response.headers["x-request-id"]
    return problem


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, "unknown_path"),
        ("GET", "/v1/", 404, "unknown_path"),
        ("PATCH", "/v1/tokens", 405, "method_not_allowed"),
        ("GET", "/ours", 409, "conflict"),
        ("GET", "/away", 503, "unavailable"),
        ("GET", "/gone", 503, "unavailable"),
        ("GET", "/boom", 500, "internal"),
        ("GET", "/typed/x", 422, "invalid_call"),
        ("GET", "/help/nonsense", 404, "not_found"),
        ("GET", "/v1/whoami", 401, "unauthorized"),
    ],
)
async def test_every_kind_of_failure_has_the_one_shape(
    call: Call, app: FastAPI, method: str, path: str, status: int, code: str
) -> None:
    response = await call(method, path, app=app)
    assert response.status_code == status
    assert _problem(response).code == code


async def test_an_unforeseen_error_tells_the_caller_nothing_and_the_log_everything(
    call: Call, app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        response = await call("GET", "/boom", app=app)
    assert "hunter2" not in response.text
    assert "RuntimeError" not in response.text
    assert any(record.exc_info and "RuntimeError" in repr(record.exc_info[1]) for record in caplog.records)


async def test_a_bad_parameter_is_named_with_what_was_expected_and_what_came(call: Call, app: FastAPI) -> None:
    (field,) = _problem(await call("GET", "/typed/x", app=app)).fields
    assert (field.path, field.got) == ("path.number", '"x"')
    assert "integer" in field.expected


async def test_a_sent_request_id_comes_back(call: Call, app: FastAPI) -> None:
    response = await call("GET", "/ours", app=app, headers={"X-Request-Id": "abc-123"})
    assert response.headers["x-request-id"] == "abc-123"
    assert _problem(response).request_id == "abc-123"


@pytest.mark.parametrize("bad", ["", "two words", "x" * 65, "a\x1b[31m", "é"])
async def test_a_request_id_that_could_harm_a_log_is_replaced(call: Call, app: FastAPI, bad: str) -> None:
    response = await call("GET", "/healthz", app=app, headers={"X-Request-Id": bad.encode()})
    assert response.headers["x-request-id"].isalnum()


async def test_the_405_says_which_methods_are_taken(call: Call, app: FastAPI) -> None:
    response = await call("PATCH", "/ours", app=app)
    assert response.headers["allow"] == "GET"
    assert "GET" in _problem(response).mend


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_refused_whether_or_not_it_says_its_length(
    call: Call, app: FastAPI, declared: bool
) -> None:
    async def chunks() -> Any:
        for _ in range(3):
            yield b"x" * 512

    response = await call("POST", "/echo", app=app, content=b"x" * 1536 if declared else chunks())
    assert response.status_code == 413
    assert _problem(response).code == "too_large"


async def test_a_body_at_the_limit_passes(call: Call, app: FastAPI) -> None:
    assert (await call("POST", "/echo", app=app, content=b"x" * 1024)).json() == 1024


async def test_artifacts_have_a_limit_of_their_own(call: Call, app: FastAPI) -> None:
    path = "/v1/attempts/j1-1/artifacts/model/x"
    assert (await call("PUT", path, app=app, content=b"x" * 2000)).status_code != 413
    assert (await call("PUT", path, app=app, content=b"x" * 5000)).status_code == 413


async def test_a_401_names_the_scheme(call: Call, app: FastAPI) -> None:
    assert (await call("GET", "/v1/whoami", app=app)).headers["www-authenticate"] == "Bearer"


async def test_a_503_says_that_it_is_worth_trying_again(call: Call, app: FastAPI) -> None:
    assert (await call("GET", "/away", app=app)).headers["retry-after"] == "1"
