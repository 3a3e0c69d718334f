"""Fixtures of every ring: one Postgres for the session, a fresh migrated database for a test."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from railyard.control.db.embedded import EmbeddedPostgres
from railyard.control.db.engine import Database, conninfo
from railyard.control.db.migrate import upgrade

_numbers = itertools.count(1)


def _beside(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _administer(url: str, statement: str) -> None:
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQLAlchemy URL of an embedded server; RAILYARD_TEST_DATABASE_URL names one of your own instead."""
    given = os.environ.get("RAILYARD_TEST_DATABASE_URL")
    if given:
        yield given
        return
    server = EmbeddedPostgres(Path(tmp_path_factory.mktemp("postgres")), durable=False)
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def _template(postgres_url: str) -> Iterator[str]:
    """Name of a migrated database that tests copy (19 ms) instead of migrating their own."""
    name = f"template_{os.getpid()}"
    _administer(postgres_url, f"DROP DATABASE IF EXISTS {name}")
    _administer(postgres_url, f"CREATE DATABASE {name}")
    upgrade(_beside(postgres_url, name))
    yield name
    _administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(postgres_url: str, _template: str) -> Iterator[str]:
    """URL of a fresh, migrated, empty database of this test's own."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    _administer(postgres_url, f"CREATE DATABASE {name} TEMPLATE {_template} STRATEGY wal_log")
    yield _beside(postgres_url, name)
    _administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A `Database` over `database_url`."""
    found = Database(database_url)
    yield found
    await found.close()
