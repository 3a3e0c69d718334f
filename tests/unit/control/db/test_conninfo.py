"""A SQLAlchemy URL as libpq wants it."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from railyard.control.db.engine import conninfo


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (
            "postgresql+psycopg://u:p%40ss@host:5433/db",
            {"user": "u", "password": "p@ss", "host": "host", "port": "5433", "dbname": "db"},
        ),
        (
            "postgresql://u@/db?host=%2Frun%2Fa%20b&port=1",
            {"user": "u", "host": "/run/a b", "port": "1", "dbname": "db"},
        ),
        ("postgresql://h/db?sslmode=require", {"host": "h", "dbname": "db", "sslmode": "require"}),
    ],
)
def test_every_part_of_the_url_arrives(url: str, parts: dict[str, str]) -> None:
    assert conninfo_to_dict(conninfo(url)) == parts
