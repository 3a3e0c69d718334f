"""The SQL of tokens and of one-time login codes. Only hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from railyard.control.db.tables import login_codes, tokens
from railyard.spec.ids import new_id
from railyard.spec.records import NewToken, TokenInfo

USED_EVERY = timedelta(minutes=1)
"""How exact `last_used_at` is: a token that is used all the time costs one write in this long."""
LOGIN_CODE_LIFE = timedelta(minutes=10)


def hash_of(secret: str) -> str:
    """What the tables keep of a secret: it has 256 random bits, so a plain SHA-256 cannot be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def create(
    connection: AsyncConnection,
    *,
    user: str,
    teams: Sequence[str],
    scopes: Sequence[str],
    expires_at: datetime | None = None,
) -> NewToken:
    """Makes a token; the answer is the only place its secret ever stands."""
    secret = f"ry_{secrets.token_urlsafe(32)}"
    row = await connection.execute(
        insert(tokens)
        .values(
            token_id=new_id("t"),
            token_hash=hash_of(secret),
            user=user,
            teams=list(teams),
            scopes=list(scopes),
            expires_at=expires_at,
        )
        .returning(*tokens.c)
    )
    return NewToken(token=secret, info=_info(row.one()))


async def find(connection: AsyncConnection, secret: str) -> TokenInfo | None:
    """The living token with this secret; notes that it was used."""
    digest = hash_of(secret)
    row = (
        await connection.execute(select(*tokens.c, _stale()).where(tokens.c.token_hash == digest, _alive()))
    ).one_or_none()
    if row is None or not hmac.compare_digest(row.token_hash, digest):
        return None
    return await _used(connection, row)


async def find_id(connection: AsyncConnection, token_id: str) -> TokenInfo | None:
    """The living token with this id, for a browser's session; notes that it was used."""
    row = (
        await connection.execute(select(*tokens.c, _stale()).where(tokens.c.token_id == token_id, _alive()))
    ).one_or_none()
    return await _used(connection, row) if row is not None else None


async def list_all(connection: AsyncConnection, user: str | None = None) -> tuple[TokenInfo, ...]:
    """Every token, or those of one user, newest first; revoked ones too."""
    query = select(tokens).order_by(tokens.c.created_at.desc(), tokens.c.token_id)
    if user is not None:
        query = query.where(tokens.c.user == user)
    return tuple(_info(row) for row in await connection.execute(query))


async def get(connection: AsyncConnection, token_id: str) -> TokenInfo | None:
    """The token with this id, living or not."""
    row = (await connection.execute(select(tokens).where(tokens.c.token_id == token_id))).one_or_none()
    return _info(row) if row is not None else None


async def revoke(connection: AsyncConnection, token_id: str) -> None:
    """Ends a token's life; a second call changes nothing."""
    await connection.execute(
        update(tokens).where(tokens.c.token_id == token_id, tokens.c.revoked_at.is_(None)).values(revoked_at=func.now())
    )


async def any_admin(connection: AsyncConnection) -> bool:
    """Whether somebody alive may administer this server."""
    return bool(
        await connection.scalar(
            select(select(tokens.c.token_id).where(tokens.c.scopes.any("admin"), _alive()).exists())
        )
    )


async def create_login_code(connection: AsyncConnection, token_id: str) -> str:
    """A code that one browser may exchange, once and soon, for a session of this token."""
    code = secrets.token_urlsafe(32)
    await connection.execute(delete(login_codes).where(login_codes.c.expires_at < func.now()))
    await connection.execute(
        insert(login_codes).values(code_hash=hash_of(code), token_id=token_id, expires_at=func.now() + LOGIN_CODE_LIFE)
    )
    return code


async def spend_login_code(connection: AsyncConnection, code: str) -> str | None:
    """Takes a code out; answers with its token's id, or None where it is unknown, spent or late."""
    taken = await connection.execute(
        delete(login_codes)
        .where(login_codes.c.code_hash == hash_of(code), login_codes.c.expires_at >= func.now())
        .returning(login_codes.c.token_id)
    )
    found: str | None = taken.scalar_one_or_none()
    return found


def _alive() -> Any:
    return tokens.c.revoked_at.is_(None) & or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > func.now())


def _stale() -> Any:
    return or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at < func.now() - USED_EVERY).label("stale")


async def _used(connection: AsyncConnection, row: Any) -> TokenInfo:
    if row.stale:
        await connection.execute(
            update(tokens).where(tokens.c.token_id == row.token_id, _stale()).values(last_used_at=func.now())
        )
    return _info(row)


def _info(row: Any) -> TokenInfo:
    return TokenInfo(
        token_id=row.token_id,
        user=row.user,
        teams=tuple(row.teams),
        scopes=tuple(row.scopes),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
