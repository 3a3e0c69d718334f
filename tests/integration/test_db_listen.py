"""Notifications: heard when committed, one signal for many, and after a lost connection everybody looks again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from railyard.control.db.engine import Database, notify
from railyard.control.db.listen import ATTEMPTS, JOBS, QUEUE, Listener


@pytest.fixture
async def listener(database: Database) -> AsyncIterator[Listener]:
    found = Listener(database.url, retry_seconds=0.01)
    task = asyncio.create_task(found.run())
    await asyncio.wait_for(found.connected.wait(), 10)
    yield found
    task.cancel()


async def test_a_subscriber_hears_its_channel_only_when_the_transaction_commits(
    database: Database, listener: Listener
) -> None:
    with listener.subscribe(QUEUE) as queue, listener.subscribe(ATTEMPTS) as attempts:
        async with database.transaction() as connection:
            await notify(connection, QUEUE)
            assert not await queue.wait(0.05)
        assert await queue.wait(10)
        assert not await attempts.wait(0)


async def test_a_payload_wakes_only_those_who_asked_for_it(database: Database, listener: Listener) -> None:
    with (
        listener.subscribe(JOBS, "j1") as first,
        listener.subscribe(JOBS, "j2") as second,
        listener.subscribe(JOBS) as all_,
    ):
        async with database.transaction() as connection:
            await notify(connection, JOBS, "j2")
        assert await second.wait(10)
        assert await all_.wait(10)
        assert not await first.wait(0)


async def test_a_lost_connection_sets_every_signal(database: Database, listener: Listener) -> None:
    with listener.subscribe(QUEUE) as queue:
        await queue.wait(0)
        async with database.transaction() as connection:
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
                )
            )
        assert await queue.wait(10)


async def test_a_subscription_that_ended_is_forgotten(listener: Listener) -> None:
    with listener.subscribe(QUEUE):
        pass
    assert listener._signals == {}
