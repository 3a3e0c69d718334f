"""Tokens, who am I, and the one-time link that signs a browser in."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, Field

from railyard.control.api import answers, tokens_store
from railyard.control.api.auth import Admin, Reader
from railyard.control.api.rooms import TheRooms
from railyard.errors import Forbidden, Invalid, NotFound
from railyard.spec.base import Label, Record, Spec
from railyard.spec.records import NewToken, Page, TokenInfo, Whoami
from railyard.version import __version__

router = APIRouter(prefix="/v1", tags=["tokens"])

_INFO = {
    "token_id": "t5k2m8qtz1", "user": "robstory", "teams": ["machine-learning-infrastructure"], "scopes": ["submit"],
    "created_at": "2026-11-21T09:12:00Z", "last_used_at": None, "expires_at": None, "revoked_at": None,
}  # fmt: skip


class TokenRequest(Spec):
    """A token to make."""

    user: Label = Field(description="The person or program it is for; stored as `submitted_by` with every job.")
    teams: tuple[Label, ...] = Field((), description="The owners it may submit for; an admin token may name any.")
    scopes: Annotated[tuple[Literal["read", "submit", "deploy", "admin"], ...], Field(min_length=1)] = ("submit",)
    expires_at: AwareDatetime | None = Field(None, description="When it stops working; never, where this is left out.")


class LoginLink(Record):
    url: str = Field(description="Open it once, in a browser, within ten minutes.")
    code: str
    expires_in_seconds: int


@router.get(
    "/whoami",
    operation_id="get_whoami",
    summary="Who the token belongs to, and what server this is",
    responses=answers.ok(
        {"user": "admin", "teams": [], "scopes": ["admin"], "server": "http://127.0.0.1:8787", "version": "0.1.0"}
    )
    | answers.errors(401, 403),
)
async def get_whoami(caller: Reader, rooms: TheRooms) -> Whoami:
    return Whoami(
        user=caller.user, teams=caller.teams, scopes=caller.scopes, server=rooms.public_url, version=__version__
    )


@router.get(
    "/tokens",
    operation_id="list_tokens",
    summary="Tokens without their secrets: all for an admin, else the caller's own",
    responses=answers.ok({"items": [_INFO], "next": None}) | answers.errors(401, 403),
)
async def list_tokens(caller: Reader, rooms: TheRooms) -> Page[TokenInfo]:
    async with rooms.database.transaction() as connection:
        found = await tokens_store.list_all(connection, None if caller.may("admin") else caller.user)
    return Page(items=found)


@router.post(
    "/tokens",
    status_code=201,
    operation_id="create_token",
    summary="Make a token; its secret stands in this answer and nowhere else",
    responses=answers.ok({"token": "ry_…", "info": _INFO}, 201) | answers.errors(401, 403, 422),
)
async def create_token(body: TokenRequest, _caller: Admin, rooms: TheRooms) -> NewToken:
    _require_future(body.expires_at)
    async with rooms.database.transaction() as connection:
        return await tokens_store.create(
            connection, user=body.user, teams=body.teams, scopes=body.scopes, expires_at=body.expires_at
        )


@router.delete(
    "/tokens/{token_id}",
    operation_id="revoke_token",
    summary="End a token's life; a second call changes nothing",
    responses=answers.ok(_INFO | {"revoked_at": "2026-11-21T10:00:00Z"}) | answers.errors(401, 403, 404, 422),
)
async def revoke_token(token_id: str, caller: Reader, rooms: TheRooms) -> TokenInfo:
    async with rooms.database.transaction() as connection:
        found = await tokens_store.get(connection, token_id)
        if found is None:
            raise NotFound(f"there is no token {token_id[:64]}", mend="railyard token list")
        if not caller.may("admin") and found.user != caller.user:
            raise Forbidden("only an admin may revoke another's token", code="scope_missing")
        await tokens_store.revoke(connection, token_id)
        return await tokens_store.get(connection, token_id) or found


@router.post(
    "/login-links",
    status_code=201,
    operation_id="create_login_link",
    summary="A one-time link that signs a browser in as the caller",
    responses=answers.ok({"url": "http://127.0.0.1:8787/login?code=…", "code": "…", "expires_in_seconds": 600}, 201)
    | answers.errors(401, 403),
)
async def create_login_link(caller: Reader, rooms: TheRooms) -> LoginLink:
    async with rooms.database.transaction() as connection:
        code = await tokens_store.create_login_code(connection, caller.token_id)
    return LoginLink(
        url=f"{rooms.public_url}/login?code={code}",
        code=code,
        expires_in_seconds=int(tokens_store.LOGIN_CODE_LIFE.total_seconds()),
    )


def _require_future(at: datetime | None) -> None:
    if at is not None and at.timestamp() <= time.time():
        raise Invalid("expires_at lies in the past", code="invalid_call", mend="leave it out, or name a later time")
