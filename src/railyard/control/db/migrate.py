"""Brings a database to the newest schema."""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, text

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_KEY = 0x7261696C79617264
"""`railyard` in ASCII: servers that start at once migrate one after the other."""
_one_at_a_time = threading.Lock()
"""Alembic's context is global to the process: two upgrades in threads would wait for each other for ever."""


def upgrade(url: str) -> None:
    """Runs the migrations this database has not seen, in one transaction. Blocks; several servers may call it."""
    engine = create_engine(url, poolclass=NullPool)
    try:
        with _one_at_a_time, engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            command.upgrade(config(connection), "head")
    finally:
        engine.dispose()


def config(connection: Connection) -> Config:
    """Alembic's configuration over an open connection.

    The connection travels as an attribute: a URL with `%2F`, as any socket folder has, breaks Alembic's interpolation.
    """
    found = Config()
    found.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    found.attributes["connection"] = connection
    return found
