"""The life of a job on a real database: submit, claim, report, commit, retry, cancel."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from job_bench import GIB, Bench, new_job

from railyard.control.db.engine import Database
from railyard.control.executors.base import Capacity
from railyard.control.executors.places import Broken, Waiting
from railyard.control.jobs import attempts, read
from railyard.control.jobs.submit import cancel, submit
from railyard.errors import Ambiguous, Conflict, NotFound, Unauthorized, Unavailable
from railyard.spec.attempt import DataAccess, Started


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


async def test_a_request_becomes_a_succeeded_job_with_a_model_and_a_history(bench: Bench) -> None:
    job = await bench.submit()
    assert (job.state, job.queue_position, job.attempt) == ("queued", 1, 0)
    assert await bench.schedule.run_once() == {"failed": 0, "claimed": 1, "soon": 0, "started": 1}
    assert (await bench.job(job.job_id)).state == "starting"
    name = f"{job.job_id}-1"
    await bench.report_started(name)
    running = await bench.job(job.job_id)
    assert (running.state, running.node, running.queue_position) == ("running", "node1", None)
    done = await bench.commit(name)
    assert (done.state, done.reason, done.error) == ("succeeded", None, None)
    assert done.model_id is not None
    assert done.model_id.startswith("fraud:")
    assert done.metrics.holdout == {"auc": 0.8, "ks": None}
    assert done.data is not None
    assert done.data.rows_train == 7
    assert await bench.kinds(job.job_id) == ["submitted", "claimed", "started", "succeeded"]


async def test_fifty_submits_with_one_key_are_one_job(bench: Bench) -> None:
    jobs = await asyncio.gather(*(submit(bench.database, new_job(key="k1")) for _ in range(50)))
    assert len({job.job_id for job in jobs}) == 1
    assert (await bench.row("SELECT count(*) FROM jobs"))["count"] == 1
    assert (await bench.row("SELECT count(*) FROM job_events"))["count"] == 1


async def test_a_key_with_another_request_is_refused_and_another_users_key_is_another_key(bench: Bench) -> None:
    first = await submit(bench.database, new_job(key="k1"))
    with pytest.raises(Conflict) as refused:
        await submit(bench.database, new_job(key="k1", project="other"))
    assert refused.value.code == "idempotency_key_reused"
    assert refused.value.detail == {"job_id": first.job_id}
    assert (await submit(bench.database, new_job(key="k1", by="bob"))).job_id != first.job_id


async def test_two_schedulers_claim_nothing_twice_and_never_more_than_there_is(bench: Bench) -> None:
    for _ in range(20):
        await bench.submit()
    schedulers = [bench.new_schedule() for _ in range(6)]
    counts = await asyncio.gather(*(one.run_once() for one in schedulers))
    assert sum(count["claimed"] for count in counts) == 4
    assert len(bench.executor.launches) == 4
    assert len({launch.name for launch in bench.executor.launches}) == 4
    page = await read.list_jobs(bench.database, read.Filters(state=("queued",)))
    assert {job.reason for job in page.items} == {"waiting_capacity"}
    assert "needs 1 cpu, 1.0 GiB; free: 0 of 4 cpu" in str(page.items[0].message)
    assert sorted(job.queue_position or 0 for job in page.items) == list(range(1, 17))


async def test_a_wait_for_room_is_one_event_however_often_others_come_first(database: Database) -> None:
    bench = Bench(database, capacity=Capacity(cpu=2.0, memory_bytes=16 * GIB))
    running = [await bench.running() for _ in range(2)]
    waiting = (await bench.submit()).job_id
    reasons = []
    for name in running:
        await bench.schedule.run_once()
        reasons.append((await bench.job(waiting)).reason)
        await bench.submit(owner="other")
        await bench.commit(name)
        await bench.schedule.run_once()
        reasons.append((await bench.job(waiting)).reason)
    assert reasons[:3] == ["waiting_capacity", "waiting_fair_share", "waiting_capacity"]
    assert (await bench.kinds(waiting)).count("waiting") == 1


async def test_the_attempt_row_is_there_before_the_executor_is_asked(bench: Bench) -> None:
    bench.executor.unsure = "before"
    job = await bench.submit()
    assert (await bench.schedule.run_once())["unstarted"] == 1
    assert (await bench.job(job.job_id)).state == "starting"
    bench.executor.unsure = None
    assert (await bench.reconcile.run_once())["adopted"] == 1
    assert [launch.name for launch in bench.executor.launches] == [f"{job.job_id}-1"]
    await bench.report_started(f"{job.job_id}-1")


async def test_a_start_whose_answer_was_lost_is_adopted_and_not_repeated(bench: Bench) -> None:
    bench.executor.unsure = "after"
    name = await bench.starting()
    bench.executor.unsure = None
    await bench.reconcile.run_once()
    assert len(bench.executor.launches) == 1
    row = await bench.row("SELECT outbox, uid FROM attempts")
    assert dict(row) == {"outbox": "submitted", "uid": "uid1"}
    await bench.report_started(name)


async def test_a_runtime_that_is_slow_to_start_holds_up_no_other_job(database: Database) -> None:
    bench = Bench(database, patience=0.05)
    ready = bench.make_slow("slow")
    slow = await bench.submit(code="slow")
    assert (await bench.schedule.run_once())["unstarted"] == 1
    assert (await bench.reconcile.run_once())["adopted"] == 0
    quick = await bench.starting()
    await bench.report_started(quick)
    assert (await bench.job(slow.job_id)).state == "starting"
    ready.set()
    await bench.settle()
    assert [launch.name for launch in bench.executor.launches] == [quick, f"{slow.job_id}-1"]
    await bench.report_started(f"{slow.job_id}-1")


async def test_a_start_that_ends_after_its_job_was_cancelled_is_cleared_away(database: Database) -> None:
    bench = Bench(database, patience=0.05)
    ready = bench.make_slow("slow")
    job = await bench.submit(code="slow")
    await bench.schedule.run_once()
    await cancel(bench.database, job.job_id, "ada")
    await bench.age_attempts(1)
    for _ in range(2):  # gone, then removed: nothing is there yet
        await bench.reconcile.run_once()
    await bench.sql("UPDATE attempts SET log_sealed_at = now()")
    await bench.reconcile.run_once()
    assert (await bench.job(job.job_id)).state == "cancelled"
    assert bench.executor.launches == []
    ready.set()
    await bench.settle()
    name = f"{job.job_id}-1"
    await bench.reconcile.run_once()
    assert bench.executor.cancelled == [name]
    bench.executor.end(name)
    await bench.reconcile.run_once()
    assert await bench.executor.observe() == {}


async def test_a_young_unconfirmed_start_is_left_to_whoever_is_starting_it(bench: Bench) -> None:
    bench.executor.unsure = "before"
    await bench.starting()
    bench.executor.unsure = None
    await bench.new_reconcile(adopt_seconds=15.0).run_once()
    assert bench.executor.launches == []


async def test_a_start_that_never_succeeds_is_given_up_as_lost(bench: Bench) -> None:
    bench.executor.unsure = "before"
    name = await bench.starting(retry={"infrastructure": 0})
    await bench.age_attempts(601)
    await bench.reconcile.run_once()
    job = await bench.job(name[:-2])
    assert (job.state, job.reason) == ("failed", "lost")
    assert job.error is not None
    assert job.error.evidence == {"start": "the executor did not answer"}


async def test_a_failure_without_budget_fails_the_job_with_its_reason(bench: Bench) -> None:
    name = await bench.running()
    await bench.fail(name, "bad_label")
    job = await bench.job(name[:-2])
    assert (job.state, job.reason, job.message) == ("failed", "bad_label", "it failed: bad_label")
    assert job.error is not None
    assert (await read.attempts(bench.database, job.job_id))[0].state == "failed"
    await bench.fail(name, "bad_label")


async def test_a_failure_with_budget_is_tried_again_as_another_attempt_with_another_token(bench: Bench) -> None:
    name = await bench.running(retry={"user_code": 1})
    await bench.fail(name)
    job = await bench.job(name[:-2])
    assert (job.state, job.reason, job.attempt) == ("queued", "waiting_retry", 1)
    await bench.schedule.run_once()
    second = f"{job.job_id}-2"
    assert bench.token(second) != bench.token(name)
    await bench.report_started(second)
    await bench.fail(second)
    job = await bench.job(job.job_id)
    assert (job.state, job.reason) == ("failed", "user_code")
    assert await bench.kinds(job.job_id) == [
        "submitted", "claimed", "started", "retried", "claimed", "started", "failed",
    ]  # fmt: skip


async def test_a_retry_waits_until_its_time(bench: Bench) -> None:
    name = await bench.running(retry={"user_code": 1})
    await bench.fail(name)
    await bench.sql("UPDATE jobs SET not_before = now() + interval '1 hour'")
    assert (await bench.schedule.run_once())["claimed"] == 0
    assert (await bench.job(name[:-2])).reason == "waiting_retry"


async def test_out_of_memory_moves_to_the_next_class_with_its_memory(bench: Bench) -> None:
    name = await bench.running(retry={"out_of_memory": {"max": 1}})
    bench.executor.end(name, out_of_memory=True, peak_memory=GIB, memory_limit=GIB)
    await bench.reconcile.run_once()
    job = await bench.job(name[:-2])
    assert (job.state, job.compute_resource) == ("queued", "HIGH_MEMORY")
    first = (await read.attempts(bench.database, job.job_id))[0]
    assert (first.reason, first.compute_resource) == ("out_of_memory", "CPU")
    await bench.schedule.run_once()
    assert bench.executor.launches[-1].limits.memory_bytes == 8 * GIB


async def test_cancelling_a_queued_job_ends_it_at_once_and_twice_is_once(bench: Bench) -> None:
    job = await bench.submit()
    assert (await cancel(bench.database, job.job_id, "bob")).state == "cancelled"
    assert (await cancel(bench.database, job.job_id, "bob")).state == "cancelled"
    assert await bench.kinds(job.job_id) == ["submitted", "cancelled"]
    assert (await bench.schedule.run_once())["claimed"] == 0


async def test_an_active_job_is_cancelled_only_when_nothing_runs_any_more(bench: Bench) -> None:
    name = await bench.running()
    job = await cancel(bench.database, name[:-2], "bob")
    assert (job.state, job.cancel_requested_at is not None) == ("running", True)
    assert (await bench.beat(name)).cancel_requested
    assert (await bench.reconcile.run_once())["soon"] == 1
    assert bench.executor.cancelled == [name]
    assert (await bench.job(job.job_id)).state == "running"
    await bench.fail(name, "cancelled_by_user")
    assert (await bench.job(job.job_id)).state == "running"
    bench.executor.end(name, signal=15)
    await bench.reconcile.run_once()
    done = await bench.job(job.job_id)
    assert (done.state, done.reason) == ("cancelled", "cancelled_by_user")
    assert await bench.kinds(job.job_id) == ["submitted", "claimed", "started", "cancel_requested", "cancelled"]


async def test_cancelling_a_job_whose_start_was_never_confirmed_ends_it(bench: Bench) -> None:
    bench.executor.unsure = "before"
    name = await bench.starting()
    await cancel(bench.database, name[:-2], "bob")
    await bench.age_attempts(1)
    await bench.reconcile.run_once()
    assert (await bench.job(name[:-2])).state == "cancelled"
    assert bench.executor.launches == []


async def test_a_commit_beats_a_pending_cancel(bench: Bench) -> None:
    name = await bench.running()
    await cancel(bench.database, name[:-2], "bob")
    assert (await bench.commit(name)).state == "succeeded"
    with pytest.raises(Conflict) as refused:
        await cancel(bench.database, name[:-2], "bob")
    assert refused.value.code == "job_final"


async def test_whoever_wins_between_commit_and_cancel_there_is_one_final_state(bench: Bench) -> None:
    for round_ in range(8):
        name = await bench.running(model_name=f"m{round_}")
        manifest = bench.deliver(name)
        bench.executor.end(name)

        async def cancelled(name: str = name) -> None:
            await cancel(bench.database, name[:-2], "bob")
            await bench.reconcile.run_once()

        await asyncio.gather(bench.commit(name, manifest), cancelled(), return_exceptions=True)
        job = await bench.job(name[:-2])
        assert job.state in ("succeeded", "cancelled", "queued")
        attempt = (await read.attempts(bench.database, job.job_id))[0]
        models = (await bench.row("SELECT count(*) FROM models WHERE job_id = :id", id=job.job_id))["count"]
        assert (attempt.state == "succeeded") == (job.state == "succeeded") == (models == 1)


async def test_a_prefix_finds_a_job_and_several_or_none_say_so(bench: Bench) -> None:
    for job_id in ("jabc000001", "jabc000002", "jxyz000001"):
        job = await bench.submit()
        await bench.sql("DELETE FROM job_events WHERE job_id = :id", id=job.job_id)
        await bench.sql("UPDATE jobs SET job_id = :to WHERE job_id = :id", to=job_id, id=job.job_id)
    assert (await bench.job("jxyz")).job_id == "jxyz000001"
    with pytest.raises(Ambiguous) as several:
        await bench.job("jabc")
    assert set(several.value.detail["candidates"]) == {"jabc000001", "jabc000002"}
    with pytest.raises(NotFound) as none:
        await bench.job("jxyz000002")
    assert none.value.mend == "did you mean jxyz000001?"
    with pytest.raises(NotFound):
        await bench.job("")
    with pytest.raises(NotFound):
        await bench.job("j%")


async def test_a_job_that_can_never_fit_fails_with_the_numbers(database: Database) -> None:
    bench = Bench(database, capacity=Capacity(cpu=2, memory_bytes=4 * GIB))
    job = await bench.submit(cpu=3.0)
    assert (await bench.schedule.run_once())["failed"] == 1
    job = await bench.job(job.job_id)
    assert (job.state, job.reason) == ("failed", "unschedulable")
    assert job.message == "it needs 3 cpu, 1.0 GiB; all there is: 2 cpu, 4.0 GiB"


async def test_a_job_waits_for_its_runtime_and_fails_when_that_cannot_be_built(bench: Bench) -> None:
    job = await bench.submit()
    bench.places.answers[None] = Waiting(message="the runtime is being built")
    await bench.schedule.run_once()
    waiting = await bench.job(job.job_id)
    assert (waiting.state, waiting.reason, waiting.message) == (
        "queued",
        "waiting_runtime",
        "the runtime is being built",
    )
    bench.places.answers[None] = Broken(message="no version of x fits", mend="loosen the pin")
    await bench.schedule.run_once()
    failed = await bench.job(job.job_id)
    assert (failed.state, failed.reason) == ("failed", "runtime_build")
    assert failed.error is not None
    assert failed.error.mend == "loosen the pin"


async def test_a_quota_per_owner_and_slots_of_a_class_are_told_with_numbers(database: Database) -> None:
    bench = Bench(database, per_owner=1)
    await bench.running()
    second, gpu = await bench.submit(), await bench.submit(owner="ops", compute_resource="GPU")
    await bench.schedule.run_once()
    waiting = await bench.job(second.job_id)
    assert (waiting.reason, waiting.message) == ("waiting_quota", "risk has 1 of 1 attempts at work")
    assert (await bench.job(gpu.job_id)).message == "the class GPU has 0 of 0 slots in use"
    assert (await bench.kinds(second.job_id)) == ["submitted", "waiting"]
    await bench.schedule.run_once()
    assert (await bench.kinds(second.job_id)) == ["submitted", "waiting"]


async def test_a_job_that_waited_too_long_fails(bench: Bench) -> None:
    job = await bench.submit()
    await bench.sql("UPDATE jobs SET created_at = now() - interval '8 days'")
    await bench.schedule.run_once()
    done = await bench.job(job.job_id)
    assert (done.state, done.reason) == ("failed", "queue_timeout")


def shown(amount: Decimal | None) -> Decimal | None:
    """As people see it; the seconds that the test itself takes are below that."""
    return None if amount is None else amount.quantize(Decimal("0.0001"))


async def test_cost_counts_every_attempt_by_the_databases_clock(bench: Bench) -> None:
    name = await bench.running(retry={"user_code": 1})
    await bench.sql("UPDATE attempts SET started_at = now() - interval '2 hours'")
    live = (await bench.job(name[:-2])).cost
    assert shown(live.amount) == Decimal("0.1200")
    await bench.fail(name)
    await bench.schedule.run_once()
    second = f"{name[:-2]}-2"
    await bench.report_started(second)
    await bench.sql("UPDATE attempts SET started_at = now() - interval '1 hour' WHERE number = 2")
    both = (await bench.job(name[:-2])).cost
    assert (shown(both.amount), both.currency, both.basis) == (Decimal("0.1800"), "EUR", "metered")
    assert both.core_hours == pytest.approx(3.0, abs=0.01)
    assert both.formula.count(" × ") == 6
    assert shown((await bench.commit(second)).cost.amount) == Decimal("0.1800")


async def test_a_class_without_a_price_is_unpriced_and_never_free(bench: Bench) -> None:
    name = await bench.running(compute_resource="HIGH_MEMORY")
    cost = (await bench.job(name[:-2])).cost
    assert (cost.amount, cost.basis) == (None, "unpriced")


async def test_a_job_over_its_budget_finishes_its_attempt_and_gets_no_other(bench: Bench) -> None:
    name = await bench.running(max_cost={"amount": 0.05, "currency": "EUR"}, retry={"user_code": 3})
    await bench.sql("UPDATE attempts SET started_at = now() - interval '1 hour'")
    await bench.reconcile.run_once()
    assert bench.executor.cancelled == []
    await bench.fail(name, "user_code")
    await bench.sql("UPDATE jobs SET not_before = now()")
    await bench.schedule.run_once()
    job = await bench.job(name[:-2])
    assert (job.state, job.reason) == ("failed", "budget")


async def test_the_spec_has_the_request_exactly_and_the_place_of_the_code(bench: Bench) -> None:
    params = {"z": 1e300, "a": 2**53 + 1, "n": None, "u": "é", "nested": {"b": [1.0, 1e-300]}}
    name = await bench.starting(train={"workflow_name": "Fraud", "custom_params": params})
    spec = await attempts.spec_of(
        bench.database, name, bench.token(name), places=bench.places, data_access=lambda _: DataAccess()
    )
    assert repr(spec.request.train.custom_params) == repr(params)
    assert (spec.job_id, spec.number, spec.code.folder, spec.limits.memory_bytes) == (name[:-2], 1, "/code", GIB)
    bench.places.answers[None] = Waiting(message="gone")
    with pytest.raises(Unavailable):
        await attempts.spec_of(
            bench.database, name, bench.token(name), places=bench.places, data_access=lambda _: DataAccess()
        )


@pytest.mark.parametrize("name", ["", "x", "j-", "j000000000-1", "-1", "j0-99999999999", "j0-x"])
async def test_a_wrong_name_or_token_is_refused(bench: Bench, name: str) -> None:
    await bench.running()
    with pytest.raises(Unauthorized):
        await attempts.check(bench.database, name, "ra_00")


async def test_a_stale_attempt_can_change_nothing(bench: Bench) -> None:
    name = await bench.running()
    bench.executor.vanish(name)
    await bench.reconcile.run_once()
    await bench.reconcile.run_once()
    await bench.schedule.run_once()
    second = f"{name[:-2]}-2"
    await bench.report_started(second)
    assert (await bench.beat(name)).stale
    for call in (bench.commit(name), bench.fail(name), bench.report_started(name), attempts.check(
        bench.database, name, bench.token(name)
    )):  # fmt: skip
        with pytest.raises(Conflict) as refused:
            await call
        assert refused.value.code == "stale_attempt"
    job = await bench.job(name[:-2])
    assert (job.state, job.attempt) == ("running", 2)
    assert (await bench.commit(second)).state == "succeeded"


async def test_a_heartbeat_carries_step_progress_and_the_highest_peak(bench: Bench) -> None:
    name = await bench.running()
    await bench.beat(name, step="train", progress=0.5, usage={"memory_bytes": 7, "peak_memory_bytes": 9})
    await bench.beat(name, step="train", progress=0.6, usage={"memory_bytes": 5, "peak_memory_bytes": 5})
    job = await bench.job(name[:-2])
    assert (job.step, job.progress, job.usage.peak_memory_bytes) == ("train", 0.6, 9)
    assert (await bench.kinds(job.job_id)).count("step") == 1


async def test_a_commit_before_the_first_report_succeeds_and_the_late_report_is_harmless(bench: Bench) -> None:
    name = await bench.starting()
    assert (await bench.commit(name)).state == "succeeded"
    await bench.report_started(name)
    assert (await bench.job(name[:-2])).state == "succeeded"


async def test_the_runners_clock_is_not_trusted_but_told(bench: Bench) -> None:
    name = await bench.starting()
    report = Started(node="n", pid=1, clock=datetime.now(UTC) - timedelta(minutes=10))
    await attempts.started(bench.database, name, bench.token(name), report)
    event = (await read.events(bench.database, name[:-2])).items[-1]
    assert event.detail["clock_skew_seconds"] == pytest.approx(-600, abs=30)
