"""Lists of jobs: every filter, pages by key, few queries, and an index under each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from job_bench import Bench
from sqlalchemy import event, text
from sqlalchemy.dialects import postgresql

from railyard.control.db.engine import Database
from railyard.control.jobs import list_store, read, store
from railyard.control.jobs.read import Filters
from railyard.errors import Invalid


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


async def fill(bench: Bench, count: int) -> None:
    """History: final jobs of ten owners, and a few that are queued."""
    await bench.sql(
        """
        INSERT INTO jobs (job_id, state, reason, model_name, model_description, owner, project, trainer, submitted_by,
            workflow_name, compute_resource, cpu, memory_bytes, timeout_seconds, labels, request_text, resolved_request,
            finished_at, node, created_at)
        SELECT 'jh' || lpad(n::text, 8, '0'), CASE WHEN n % 200 = 0 THEN 'queued' ELSE 'failed' END,
            CASE WHEN n % 200 = 0 THEN NULL ELSE 'user_code' END, 'model' || n % 50, 'd', 'owner' || n % 10,
            'project' || n % 10, 'ada', 'ada', 'Flow' || n % 20, 'CPU', 1, 1, 1,
            jsonb_build_object('team', 't' || n % 100), '{}', '{}',
            CASE WHEN n % 200 = 0 THEN NULL ELSE now() END, 'node' || n % 5, now() - n * interval '1 minute'
        FROM generate_series(1, :count) n
        """,
        count=count,
    )
    await bench.sql("ANALYZE jobs")


async def test_every_filter_shows_exactly_the_jobs_that_have_it(bench: Bench) -> None:
    wanted = await bench.submit(
        owner="ops", project="ads", trainer="bob", model_name="churn", compute_resource="GPU",
        labels={"team": "x", "env": "dev"}, train={"workflow_name": "Churn"},
    )  # fmt: skip
    await bench.submit()
    now = datetime.now(UTC)
    for filters in (
        Filters(owner=("ops",)), Filters(owner=("ops", "nobody")), Filters(project=("ads",)), Filters(trainer=("bob",)),
        Filters(model_name=("churn",)), Filters(workflow_name=("Churn",)), Filters(compute_resource=("GPU",)),
        Filters(labels={"team": "x"}), Filters(labels={"team": "x", "env": "dev"}), Filters(q="chu"),
        Filters(q=wanted.job_id[:6]), Filters(state=("queued", "running"), owner=("ops",)),
        Filters(owner=("ops",), since=now - timedelta(hours=1), until=now + timedelta(hours=1)),
    ):  # fmt: skip
        found = await read.list_jobs(bench.database, filters)
        assert [job.job_id for job in found.items] == [wanted.job_id], filters
    for nothing in (
        Filters(state=("failed",)), Filters(labels={"team": "y"}), Filters(q="%"), Filters(q="_____"), Filters(q="CHU"),
        Filters(until=now - timedelta(hours=1)), Filters(node=("n",)), Filters(reason=("lost",)), Filters(code=("c0",)),
    ):  # fmt: skip
        assert (await read.list_jobs(bench.database, nothing)).items == (), nothing
    assert await read.counts(bench.database) == {"queued": 2}


async def test_pages_follow_each_other_and_a_new_job_shifts_none(bench: Bench) -> None:
    made = [(await bench.submit()).job_id for _ in range(5)]
    first = await read.list_jobs(bench.database, limit=2)
    await bench.submit()
    second = await read.list_jobs(bench.database, limit=2, after=first.next)
    third = await read.list_jobs(bench.database, limit=2, after=second.next)
    shown = [job.job_id for page in (first, second, third) for job in page.items]
    assert shown == made[::-1]
    assert third.next is None


@pytest.mark.parametrize(
    "values", [{"limit": 0}, {"limit": 1001}, {"after": "x"}, {"after": "-1"}, {"after": "9" * 30}]
)
async def test_a_bad_page_is_refused(bench: Bench, values: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await read.list_jobs(bench.database, **values)  # type: ignore[arg-type]


async def test_queue_positions_follow_priority_then_age_within_a_class(bench: Bench) -> None:
    first = await bench.submit()
    second = await bench.submit()
    urgent = await bench.submit(priority=5)
    other = await bench.submit(compute_resource="HIGH_MEMORY")
    positions = {job.job_id: job.queue_position for job in (await read.list_jobs(bench.database)).items}
    assert positions == {urgent.job_id: 1, first.job_id: 2, second.job_id: 3, other.job_id: 1}


async def test_events_are_read_in_order_and_never_past_an_open_transaction(bench: Bench) -> None:
    job = await bench.submit()
    async with bench.database.transaction() as slow:
        await store.add_event(slow, job.job_id, kind="waiting", by="slow")
        async with bench.database.transaction() as quick:
            await store.add_event(quick, job.job_id, kind="step", by="quick")
        seen = await read.events(bench.database, job.job_id)
        assert [one.by for one in seen.items] == ["ada"]
    rest = await read.events(bench.database, job.job_id, after=seen.next)
    assert [one.by for one in rest.items] == ["slow", "quick"]
    assert (await read.events(bench.database, job.job_id, after=rest.next)).next == rest.next
    assert [one.by for one in (await read.events(bench.database)).items] == ["ada", "slow", "quick"]


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that run inside the block."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def test_a_page_takes_two_statements_however_long_it_is(bench: Bench) -> None:
    await fill(bench, 1000)
    with counted(bench.database) as statements:
        page = await read.list_jobs(bench.database, Filters(state=("queued", "failed")), limit=1000)
    assert len(page.items) == 1000
    assert len(statements) == 2


async def plan_of(bench: Bench, query: object) -> str:
    compiled = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
    async with bench.database.transaction() as connection:
        rows = await connection.execute(text("EXPLAIN " + str(compiled).replace(":", "\\:")))
        return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(state=("queued",)),
        Filters(owner=("owner3",)),
        Filters(project=("project3",)),
        Filters(model_name=("model7",)),
        Filters(workflow_name=("Flow7",)),
        Filters(node=("node1",)),
        Filters(reason=("lost",)),
        Filters(q="jh0000"),
    ],
)
async def test_no_list_reads_the_whole_history(bench: Bench, filters: Filters) -> None:
    await fill(bench, 5000)
    query = list_store.page_query(filters, after=2500, limit=51)
    plan = await plan_of(bench, query)
    assert "Seq Scan on jobs" not in plan
    assert "Index" in plan


async def test_the_duties_look_only_at_jobs_that_are_not_final(bench: Bench) -> None:
    await fill(bench, 5000)
    with counted(bench.database) as statements:
        async with bench.database.transaction() as connection:
            await store.active_jobs(connection)
            await store.timed_out_in_queue(connection, 3600)
            await store.in_use(connection)
    assert len(statements) == 3
    for query in (store.active_query(), store.queue_query(64)):
        plan = await plan_of(bench, query)
        assert "Seq Scan on jobs" not in plan, plan
        assert "ix_jobs_" in plan
