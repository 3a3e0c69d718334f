"""The one way to the database: short transactions, and notifications."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg.conninfo import make_conninfo
from sqlalchemy import Executable, Row, make_url, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine


class Database:
    """A pool of connections to Postgres. Rooms are handed one connection inside one transaction, never the engine."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = url
        # Every time that is read is UTC, whatever the server's own zone.
        given = make_url(url).query.get("options", "")
        options = f"{given} -c timezone=UTC".strip()
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=5,
            pool_pre_ping=True,
            hide_parameters=True,  # an error in the log must not carry a request or a token's hash
            connect_args={"options": options},
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end of the block, rolled back on an exception."""
        async with self.engine.begin() as connection:
            yield connection

    async def close(self) -> None:
        await self.engine.dispose()


def is_away(error: BaseException) -> bool:
    """Whether an error means that the database cannot be reached now; the same call may well succeed soon."""
    return isinstance(error, (OperationalError, InterfaceError, PoolTimeout))


async def notify(connection: AsyncConnection, channel: str, payload: str = "") -> None:
    """Wakes whoever listens, when this transaction commits."""
    await connection.execute(text("SELECT pg_notify(:channel, :payload)"), {"channel": channel, "payload": payload})


async def all_rows(connection: AsyncConnection, query: Executable) -> Sequence[Row[Any]]:
    """Every row of a query."""
    rows: Sequence[Any] = (await connection.execute(query)).all()
    return rows


async def one_row(connection: AsyncConnection, query: Executable) -> Row[Any] | None:
    """The only row of a query, or None."""
    row: Any = (await connection.execute(query)).one_or_none()
    return row  # type: ignore[no-any-return]


def conninfo(url: str) -> str:
    """A SQLAlchemy URL as libpq wants it, for the few places that speak psycopg themselves."""
    parts = make_url(url)
    given: dict[str, Any] = {
        "host": parts.host,
        "port": parts.port,
        "user": parts.username,
        "password": parts.password,
        "dbname": parts.database,
        **parts.query,
    }
    return make_conninfo(**{name: value for name, value in given.items() if value is not None})
