"""Logs and metrics: numbered, sent twice without harm, sealed into the object store, read by number."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from job_bench import Bench

from railyard.control.db.engine import Database
from railyard.control.jobs import attempts, output
from railyard.control.jobs.attempts import _missing
from railyard.control.jobs.retention import Retention
from railyard.control.jobs.seal import Seal
from railyard.errors import Conflict, Invalid, NotFound, Refused
from railyard.spec.attempt import LogChunk, LogLine, MetricBatch, MetricPoint
from railyard.spec.records import LogPage

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


def chunk(first: int, count: int, width: int = 0) -> LogChunk:
    """Lines whose text is their own number."""
    texts = [f"line {number}".ljust(width, ".") for number in range(first, first + count)]
    return LogChunk(first_line=first, lines=tuple(LogLine(at=NOW, source="stdout", text=text) for text in texts))


async def send(bench: Bench, name: str, *chunks: LogChunk) -> None:
    for one in chunks:
        await attempts.logs(bench.database, name, bench.token(name), one)


async def page(bench: Bench, name: str, **values: int) -> LogPage:
    return await output.logs(bench.database, bench.artifacts, name[:-2], **values)


async def numbers(bench: Bench, name: str, **values: int) -> list[int]:
    found = (await page(bench, name, **values)).lines
    assert all(line.text.rstrip(".") == f"line {line.line}" for line in found)
    return [line.line for line in found]


async def test_lines_are_read_by_number_and_sending_them_again_changes_nothing(bench: Bench) -> None:
    name = await bench.running()
    await send(bench, name, chunk(1, 3), chunk(4, 2), chunk(1, 3), chunk(2, 3), chunk(5, 3))
    assert await numbers(bench, name) == [1, 2, 3, 4, 5, 6, 7]
    assert await numbers(bench, name, after=2, limit=3) == [3, 4, 5]
    assert await numbers(bench, name, tail=2) == [6, 7]
    assert (await page(bench, name, after=7)).next == 7


async def test_a_gap_stays_a_gap_and_may_be_filled_later(bench: Bench) -> None:
    name = await bench.running()
    await send(bench, name, chunk(1, 2), chunk(5, 2))
    assert await numbers(bench, name) == [1, 2, 5, 6]
    await send(bench, name, chunk(2, 4))
    assert await numbers(bench, name) == [1, 2, 3, 4, 5, 6]


async def test_a_log_is_whole_after_its_chunks_went_to_the_object_store(bench: Bench) -> None:
    name = await bench.running()
    seal = Seal(bench.database, bench.artifacts, chunk_bytes=3000, quiet_seconds=3600)
    for first in range(1, 101, 5):
        await send(bench, name, chunk(first, 5, width=40))
    assert (await seal.run_once())["stored"] > 1
    assert bench.artifacts.list(f"logs/{name[:-2]}/1") != []
    assert (await bench.row("SELECT count(*) FROM log_chunks WHERE inline IS NOT NULL"))["count"] > 0
    assert await numbers(bench, name) == list(range(1, 101))
    assert await numbers(bench, name, after=37, limit=20) == list(range(38, 58))
    assert await numbers(bench, name, tail=3) == [98, 99, 100]
    assert not (await page(bench, name)).complete
    await bench.fail(name, log_lines=102)
    await seal.run_once()
    assert not (await page(bench, name)).complete
    await send(bench, name, chunk(101, 2, width=40))
    assert (await seal.run_once())["sealed"] == 1
    assert (await bench.row("SELECT count(*) FROM log_chunks WHERE inline IS NOT NULL"))["count"] == 0
    last = await page(bench, name, after=100)
    assert ([line.line for line in last.lines], last.complete) == ([101, 102], True)
    with pytest.raises(Conflict):
        await send(bench, name, chunk(103, 1))


async def test_a_gap_is_not_joined_over_when_chunks_are_stored(bench: Bench) -> None:
    name = await bench.running()
    await send(bench, name, chunk(1, 2), chunk(10, 2), chunk(12, 2))
    await bench.fail(name)
    await Seal(bench.database, bench.artifacts, quiet_seconds=0).run_once()
    assert len(bench.artifacts.list(f"logs/{name[:-2]}")) == 2
    assert await numbers(bench, name, after=2) == [10, 11, 12, 13]


async def test_a_killed_runners_log_is_sealed_when_it_has_been_quiet(bench: Bench) -> None:
    name = await bench.running()
    await send(bench, name, chunk(1, 2))
    bench.executor.end(name, exit_code=3)
    await bench.reconcile.run_once()
    assert await Seal(bench.database, bench.artifacts, quiet_seconds=3600).run_once() == {}
    assert (await Seal(bench.database, bench.artifacts, quiet_seconds=0).run_once())["sealed"] == 1
    assert (await page(bench, name)).complete


async def test_writing_the_same_object_again_after_a_crash_is_harmless(bench: Bench) -> None:
    name = await bench.running()
    await send(bench, name, chunk(1, 2), chunk(3, 2))
    await bench.fail(name, log_lines=4)
    bench.artifacts.put(f"logs/{name[:-2]}/1/0-{1:012d}-{4:012d}.jsonl.zz", b"half of it")
    await Seal(bench.database, bench.artifacts).run_once()
    assert await numbers(bench, name) == [1, 2, 3, 4]


async def test_each_attempt_has_its_own_log_and_the_newest_is_shown(bench: Bench) -> None:
    name = await bench.running(retry={"user_code": 1})
    await send(bench, name, chunk(1, 3))
    await bench.fail(name)
    await bench.schedule.run_once()
    second = f"{name[:-2]}-2"
    await bench.report_started(second)
    await send(bench, second, chunk(1, 1))
    assert await numbers(bench, name) == [1]
    assert await numbers(bench, name, attempt=1) == [1, 2, 3]
    with pytest.raises(NotFound):
        await page(bench, name, attempt=3)


async def test_a_job_without_an_attempt_has_an_empty_open_log(bench: Bench) -> None:
    job = await bench.submit()
    found = await output.logs(bench.database, bench.artifacts, job.job_id)
    assert (found.lines, found.complete) == ((), False)


async def test_forgotten_logs_are_gone_and_the_job_stays(bench: Bench) -> None:
    name = await bench.running()
    await send(bench, name, chunk(1, 3))
    await bench.fail(name, log_lines=3)
    await Seal(bench.database, bench.artifacts).run_once()
    assert (await Retention(bench.database, bench.artifacts, logs_days=0).run_once())["logs"] == 1
    assert bench.artifacts.list(f"logs/{name[:-2]}") == []
    assert (await page(bench, name)).lines == ()
    assert (await bench.job(name[:-2])).state == "failed"


@pytest.mark.parametrize("values", [{"limit": 0}, {"limit": 10_001}, {"after": -1}, {"tail": 0}])
async def test_a_bad_range_of_lines_is_refused(bench: Bench, values: dict[str, int]) -> None:
    name = await bench.running()
    with pytest.raises(Invalid):
        await page(bench, name, **values)


async def test_lines_and_points_are_numbered_from_one(bench: Bench) -> None:
    name = await bench.running()
    with pytest.raises(Refused):
        await send(bench, name, chunk(0, 1))
    with pytest.raises(Refused):
        await attempts.metrics(bench.database, name, bench.token(name), MetricBatch(first=0, points=()))


async def test_text_that_postgres_cannot_hold_is_kept_as_a_mark(bench: Bench) -> None:
    name = await bench.running()
    lines = (LogLine(at=NOW, source="stderr", text="a\x00b\n\x85\u2028é"),)
    await send(bench, name, LogChunk(first_line=1, lines=lines))
    assert (await page(bench, name)).lines[0].text == "a�b\n\x85\u2028é"


async def test_points_are_kept_once_by_ordinal_and_nan_is_null(bench: Bench) -> None:
    name = await bench.running()
    points = tuple(MetricPoint(name="loss", value=value, step=1, at=NOW) for value in (1.0, math.nan, math.inf))
    for first in (1, 2):
        await attempts.metrics(bench.database, name, bench.token(name), MetricBatch(first=first, points=points))
    found = await output.metrics(bench.database, name[:-2])
    assert [point.value for point in found.items] == [1.0, None, None, None]
    rest = await output.metrics(bench.database, name[:-2], after=found.next)
    assert (rest.items, rest.next) == ((), found.next)


async def test_a_long_curve_is_thinned_with_its_last_point(bench: Bench) -> None:
    name = await bench.running()
    points = tuple(MetricPoint(name="loss", value=float(step), step=step, at=NOW) for step in range(1005))
    points += (MetricPoint(name="auc", value=0.5, step=0, at=NOW),)
    await attempts.metrics(bench.database, name, bench.token(name), MetricBatch(first=1, points=points))
    curves = await output.series(bench.database, name[:-2], points=100)
    assert len(curves["auc"]) == 1
    assert len(curves["loss"]) <= 101
    assert (curves["loss"][0].step, curves["loss"][-1].step) == (0, 1004)


STRETCHES = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 8)).map(lambda one: (one[0], sum(one))), max_size=6)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.integers(1, 40), st.integers(0, 20), STRETCHES)
def test_exactly_the_missing_lines_are_taken(first: int, extra: int, here: list[tuple[int, int]]) -> None:
    wanted = set(range(first, first + extra + 1)) - {line for start, end in here for line in range(start, end + 1)}
    taken = [line for start, end in _missing(first, first + extra, here) for line in range(start, end + 1)]
    assert sorted(wanted) == taken
