"""The migrations make exactly the schema that tables.py describes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, make_url, text

from railyard.control.db.engine import conninfo
from railyard.control.db.migrate import config, upgrade
from railyard.control.db.tables import metadata


def test_migrated_schema_is_the_one_in_tables(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_migrated_checks_and_index_conditions_are_those_in_tables(database_url: str, postgres_url: str) -> None:
    """Alembic compares neither CHECK constraints nor the condition of a partial index, so Postgres's own words are."""
    wanted_url = make_url(postgres_url).set(database="wanted").render_as_string(hide_password=False)
    with psycopg.connect(conninfo(postgres_url), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS wanted")
        admin.execute("CREATE DATABASE wanted")
    wanted = create_engine(wanted_url)
    metadata.create_all(wanted)
    found = create_engine(database_url)
    assert _rules(found) == _rules(wanted)
    wanted.dispose()
    found.dispose()


def _rules(engine) -> list[tuple[str, ...]]:  # type: ignore[no-untyped-def]
    query = """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
        UNION ALL
        SELECT tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
        ORDER BY 1, 2, 3
    """
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_servers_that_start_at_once_migrate_one_after_the_other(postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="fresh").render_as_string(hide_password=False)
    with psycopg.connect(conninfo(postgres_url), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS fresh")
        admin.execute("CREATE DATABASE fresh")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [url] * 4))
    engine = create_engine(url)
    assert {*inspect(engine).get_table_names()} == {*metadata.tables, "alembic_version"}
    engine.dispose()


def test_every_migration_stands_in_one_line_of_descent(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert len(ScriptDirectory.from_config(config(connection)).get_heads()) == 1
    engine.dispose()
