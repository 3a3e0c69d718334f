"""What a browser needs before it is signed in: the help pages, their style, and the way in."""

from __future__ import annotations

import re
import time
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from markupsafe import Markup, escape

from railyard.control.api import answers, html, sessions, tokens_store
from railyard.control.api.help_pages import PAGES
from railyard.control.api.rooms import TheRooms
from railyard.errors import NotFound, nearest

router = APIRouter(tags=["pages"])

_TICKS = re.compile(r"`([^`]+)`")


@router.get(
    "/help/{code}",
    operation_id="get_help",
    summary="What an error code or a reason means, and what to do",
    response_class=HTMLResponse,
    responses=answers.other("text/html", "<h1>Out of memory</h1>…") | answers.errors(404, 422),
)
async def get_help(code: str) -> HTMLResponse:
    found = PAGES.get(code)
    if found is None:
        near = nearest(code, PAGES)
        raise NotFound(
            f"there is no page for {code[:64]}",
            mend=f"see /help/{near}" if near else "codes are lower-case words with _",
        )
    return html.page(_templates(), "help.html", code=code, page=found)


@router.get(
    "/login",
    operation_id="open_session",
    summary="Exchange a one-time code for a browser's session",
    response_class=HTMLResponse,
    responses=answers.other("text/html", "<h1>Signed in</h1>")
    | answers.other("text/html", "<h1>Sign in</h1>", 401)
    | answers.errors(422),
)
async def open_session(rooms: TheRooms, code: Annotated[str | None, Query(max_length=200)] = None) -> HTMLResponse:
    if code is None:
        return html.page(_templates(), "sign_in.html", done=False, problem="")
    async with rooms.database.transaction() as connection:
        token_id = await tokens_store.spend_login_code(connection, code)
    if token_id is None:
        problem = "This link was used before, or its ten minutes are over."
        return html.page(_templates(), "sign_in.html", status=401, done=False, problem=problem)
    # A page that goes on by itself, not a redirect: after a link in another site's page the browser would
    # follow a redirect without the new, strict cookie.
    answer = html.page(_templates(), "sign_in.html", done=True, problem="")
    answer.set_cookie(
        sessions.COOKIE,
        sessions.sign(token_id, rooms.secret, time.time()),
        max_age=sessions.LIFE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=rooms.public_url.startswith("https://"),
        path="/",
    )
    return answer


@router.get(
    "/assets/plain.css",
    operation_id="get_style",
    summary="The style of the plain pages",
    response_class=Response,
    responses=answers.other("text/css", "body { … }"),
)
async def get_style() -> Response:
    return Response(_style(), media_type="text/css", headers={"Cache-Control": "public, max-age=300"})


@cache
def _style() -> str:
    return (html.TEMPLATES / "plain.css").read_text()


@cache
def _templates() -> Environment:
    return html.environment(filters={"ticks": _ticks})


def _ticks(text: str) -> Markup:
    """Text with `code` between ticks, as HTML."""
    return Markup(_TICKS.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 (escaped in this line)
