"""Who is calling: a bearer token, or a browser's session. Routes depend on Reader, Submitter, Deployer or Admin."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from railyard.control.api import sessions, tokens_store
from railyard.control.api.rooms import Rooms, TheRooms
from railyard.control.intake.caller import Caller
from railyard.errors import Forbidden, Unauthorized
from railyard.spec.records import TokenInfo

# For the document alone: what a header holds is read below, where a wrong one gets the one shape of error.
_Scheme = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, scheme_name="Token", description="`railyard token create` makes one.")),
]
_AttemptScheme = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, scheme_name="AttemptToken", description="Only the attempt's runner has it.")),
]


def bearer(request: Request) -> str | None:
    """The token of the Authorization header, if there is one."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" and value.strip() else None


async def signed_in(request: Request, rooms: TheRooms, _scheme: _Scheme) -> Caller:
    """The caller behind a token or a session. Raises Unauthorized."""
    token = bearer(request)
    if token is not None:
        return await _by_token(rooms, token)
    cookie = request.cookies.get(sessions.COOKIE)
    if cookie is not None:
        caller = await by_session(rooms, cookie)
        if caller is not None:
            sessions.require_same_origin(request, request.method)
            return caller
        raise Unauthorized("the browser's session is over", mend="railyard up --open, or: railyard login")
    raise Unauthorized(
        "this needs a token",
        why="the request has no Authorization header",
        mend="send Authorization: Bearer <token>; the CLI reads it from its context file, the SDK from RAILYARD_TOKEN",
    )


async def _by_token(rooms: Rooms, token: str) -> Caller:
    if token.startswith("ra_"):
        raise Forbidden("an attempt's token opens only /v1/attempts/…", code="attempt_token", mend="use a user's token")
    async with rooms.database.transaction() as connection:
        info = await tokens_store.find(connection, token)
    if info is None:
        raise Unauthorized(
            "this token is not valid",
            code="bad_token",
            why="it is unknown here, expired or revoked",
            mend="ask an admin: railyard token create; on your own machine, railyard up writes a fresh one",
        )
    return _caller(info)


async def by_session(rooms: Rooms, cookie: str) -> Caller | None:
    """The caller whose browser holds this cookie, or None."""
    token_id = sessions.verify(cookie, rooms.secret, time.time())
    if token_id is None:
        return None
    async with rooms.database.transaction() as connection:
        info = await tokens_store.find_id(connection, token_id)
    return _caller(info) if info is not None else None


def _caller(info: TokenInfo) -> Caller:
    return Caller(user=info.user, teams=info.teams, scopes=info.scopes, token_id=info.token_id)


async def _reader(caller: Annotated[Caller, Depends(signed_in)]) -> Caller:
    caller.require("read")
    return caller


async def _submitter(caller: Annotated[Caller, Depends(signed_in)]) -> Caller:
    caller.require("submit")
    return caller


async def _deployer(caller: Annotated[Caller, Depends(signed_in)]) -> Caller:
    caller.require("deploy")
    return caller


async def _admin(caller: Annotated[Caller, Depends(signed_in)]) -> Caller:
    caller.require("admin")
    return caller


async def _attempt_token(request: Request, _scheme: _AttemptScheme) -> str:
    token = bearer(request)
    if token is None:
        raise Unauthorized("this needs the attempt's token", mend="only the runner of an attempt calls this path")
    return token


Reader = Annotated[Caller, Depends(_reader)]
Submitter = Annotated[Caller, Depends(_submitter)]
Deployer = Annotated[Caller, Depends(_deployer)]
Admin = Annotated[Caller, Depends(_admin)]
AttemptToken = Annotated[str, Depends(_attempt_token)]
