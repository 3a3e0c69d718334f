"""What the duties make of faults: lost starts, vanished attempts, silence, blindness, leftovers."""

from __future__ import annotations

import pytest
from job_bench import Bench

from railyard.control.db.engine import Database
from railyard.control.jobs import read, store
from railyard.control.jobs.moves import consider
from railyard.control.jobs.rescue import Rescue
from railyard.control.jobs.retention import Retention
from railyard.control.jobs.seal import Seal
from railyard.control.jobs.states import Gone, Move
from railyard.control.jobs.submit import cancel


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


async def test_an_executor_that_cannot_be_seen_changes_nothing(bench: Bench) -> None:
    name = await bench.running()
    bench.executor.blind = True
    for _ in range(3):
        with pytest.raises(ConnectionError):
            await bench.reconcile.run_once()
    await bench.age_attempts(3600)
    with pytest.raises(ConnectionError):
        await bench.rescue.run_once()
    bench.executor.blind = False
    await bench.reconcile.run_once()
    assert (await bench.job(name[:-2])).state == "running"


async def test_absent_once_proves_nothing_and_twice_is_lost(bench: Bench) -> None:
    name = await bench.running(retry={"infrastructure": 0})
    bench.executor.vanish(name)
    assert (await bench.reconcile.run_once())["absent"] == 1
    assert (await bench.job(name[:-2])).state == "running"
    assert (await bench.reconcile.run_once())["ended"] == 1
    job = await bench.job(name[:-2])
    assert (job.state, job.reason) == ("failed", "lost")


async def test_a_heartbeat_between_two_absences_counts_as_presence(bench: Bench) -> None:
    name = await bench.running(retry={"infrastructure": 0})
    bench.executor.vanish(name)
    await bench.reconcile.run_once()
    await bench.beat(name)
    await bench.reconcile.run_once()
    assert (await bench.job(name[:-2])).state == "running"


async def test_two_absences_in_one_breath_are_one(bench: Bench) -> None:
    name = await bench.running()
    bench.executor.vanish(name)
    reconcile = bench.new_reconcile(absent_seconds=60.0)
    await reconcile.run_once()
    assert (await reconcile.run_once())["soon"] == 1
    assert (await bench.job(name[:-2])).state == "running"


async def test_a_name_taken_by_something_else_is_lost_and_never_adopted(bench: Bench) -> None:
    name = await bench.running(retry={"infrastructure": 0})
    bench.executor.replace(name)
    await bench.reconcile.run_once()
    await bench.reconcile.run_once()
    assert (await bench.job(name[:-2])).reason == "lost"
    assert bench.executor.cancelled == []


async def test_an_attempt_that_is_back_is_forgiven_its_absence(bench: Bench) -> None:
    name = await bench.running()
    await bench.sql("UPDATE attempts SET gone_since = now()")
    await bench.reconcile.run_once()
    assert (await bench.row("SELECT gone_since FROM attempts"))["gone_since"] is None
    assert (await bench.job(name[:-2])).state == "running"


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [({"out_of_memory": True}, "out_of_memory"), ({"exit_code": 3}, "user_code"), ({"signal": 9}, "lost")],
)
async def test_a_gone_attempt_ends_for_what_is_known_of_its_end(
    bench: Bench, evidence: dict[str, object], reason: str
) -> None:
    name = await bench.running(retry={"infrastructure": 0})
    bench.executor.end(name, **evidence)
    await bench.reconcile.run_once()
    job = await bench.job(name[:-2])
    assert (job.state, job.reason) == ("failed", reason)
    assert job.error is not None
    assert job.error.evidence == evidence


async def test_an_attempt_over_its_timeout_is_ended_from_outside(bench: Bench) -> None:
    name = await bench.running(timeout_seconds=10)
    await bench.age_attempts(24)
    await bench.reconcile.run_once()
    assert bench.executor.cancelled == []
    await bench.age_attempts(2)
    assert (await bench.reconcile.run_once())["stopping"] == 1
    assert bench.executor.cancelled == [name]
    assert (await bench.beat(name)).cancel_requested
    bench.executor.end(name, signal=9)
    await bench.reconcile.run_once()
    job = await bench.job(name[:-2])
    assert (job.state, job.reason) == ("failed", "timeout")


async def test_one_job_that_cannot_be_handled_holds_up_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await bench.running(), await bench.running()
    for name in (first, second):
        bench.executor.end(name, exit_code=3)
    await bench.sql("UPDATE jobs SET resolved_request = jsonb_set(resolved_request, '{retry}', '7') WHERE job_id = :id",
                    id=first[:-2])  # fmt: skip
    counts = await bench.reconcile.run_once()
    assert (counts["failed"], counts["ended"]) == (1, 1)
    assert (await bench.job(second[:-2])).state == "failed"


async def test_rescue_needs_silence_and_the_executors_word(bench: Bench) -> None:
    name = await bench.running(retry={"infrastructure": 0})
    bench.executor.vanish(name)
    assert (await bench.rescue.run_once()) == {}
    await bench.age_attempts(31)
    assert (await bench.rescue.run_once())["ended"] == 1
    assert (await bench.job(name[:-2])).reason == "lost"


async def test_a_silent_attempt_that_the_executor_sees_goes_on_and_says_so(bench: Bench) -> None:
    name = await bench.running()
    await bench.age_attempts(3600)
    assert (await bench.rescue.run_once())["silent"] == 1
    job = await bench.job(name[:-2])
    assert job.state == "running"
    assert str(job.message).startswith("no heartbeat for 3")
    await bench.beat(name)
    assert (await bench.job(name[:-2])).message is None


async def test_rescue_touches_nothing_soon_after_the_servers_own_start(bench: Bench) -> None:
    name = await bench.running()
    bench.executor.vanish(name)
    await bench.age_attempts(3600)
    now = 0.0
    rescue = Rescue(bench.database, bench.executor, bench.policy, grace_seconds=30, clock=lambda: now)
    assert (await rescue.run_once()) == {}
    now = 30.0
    assert (await rescue.run_once())["ended"] == 1
    assert (await bench.job(name[:-2])).state == "queued"


async def test_what_is_left_of_an_attempt_is_removed_after_its_log_is_sealed(bench: Bench) -> None:
    name = await bench.running()
    await bench.commit(name)
    reconcile = bench.new_reconcile(linger_seconds=60.0)
    await reconcile.run_once()
    assert (bench.executor.cancelled, bench.executor.removed) == ([], [])
    seal = Seal(bench.database, bench.artifacts, quiet_seconds=3600)
    assert await seal.run_once() == {}
    bench.executor.end(name, exit_code=0)
    await reconcile.run_once()
    assert bench.executor.removed == []
    assert (await seal.run_once())["sealed"] == 1
    assert (await reconcile.run_once())["removed"] == 1
    assert bench.executor.removed == [name]
    assert await reconcile.run_once() == {}


async def test_a_process_that_outlives_its_attempt_is_ended(bench: Bench) -> None:
    name = await bench.running()
    await bench.commit(name)
    await bench.reconcile.run_once()
    assert bench.executor.cancelled == [name]


async def test_a_cancel_that_comes_between_look_and_move_is_not_turned_into_a_retry(bench: Bench) -> None:
    name = await bench.running()
    async with bench.database.transaction() as connection:
        before = await store.job_facts(connection, name[:-2])
    await cancel(bench.database, name[:-2], "bob")
    async with bench.database.transaction() as connection:
        decision, moved = await consider(connection, before, Gone(), bench.policy, by="reconcile")
    assert isinstance(decision, Move)
    assert (decision.to_state, moved) == ("queued", False)
    bench.executor.end(name)
    await bench.reconcile.run_once()
    assert (await bench.job(name[:-2])).state == "cancelled"


async def test_everything_may_run_twice_without_harm(bench: Bench) -> None:
    name = await bench.running(retry={"user_code": 1})
    bench.executor.end(name, exit_code=3)
    for _ in range(3):
        await bench.reconcile.run_once()
        await bench.rescue.run_once()
    job = await bench.job(name[:-2])
    assert (job.state, job.attempt) == ("queued", 1)
    assert (await bench.kinds(job.job_id)).count("retried") == 1
    assert (await bench.row("SELECT retries FROM jobs"))["retries"] == {"user_code": 1}


async def test_retention_clears_what_failed_attempts_left_and_nothing_else(bench: Bench) -> None:
    failed = await bench.running(retry={"user_code": 1})
    bench.deliver(failed)
    await bench.fail(failed)
    await bench.schedule.run_once()
    good = f"{failed[:-2]}-2"
    await bench.report_started(good)
    await bench.commit(good)
    retention = Retention(bench.database, bench.artifacts, leftovers_days=0, keys_days=0)
    counts = await retention.run_once()
    assert (counts["swept"], counts["artifacts"]) == (1, 2)
    assert bench.artifacts.list(f"jobs/{failed[:-2]}/1") == []
    assert len(bench.artifacts.list(f"jobs/{failed[:-2]}/2")) == 2
    assert (await retention.run_once())["swept"] == 0
    assert len(await read.attempts(bench.database, failed[:-2])) == 2
