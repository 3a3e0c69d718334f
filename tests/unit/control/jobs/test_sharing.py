"""Who is next: never beyond capacity or quota, priority first, owners in turn, and nobody starves."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from railyard.control.executors.base import Capacity
from railyard.control.jobs.sharing import Claim, Held, Never, Rules, Wait, Waiter, share
from railyard.spec.records import ComputeClass

GIB = 2**30
CLASSES = {
    "CPU": ComputeClass(name="CPU", cpu=1, memory="1Gi"),
    "GPU": ComputeClass(name="GPU", cpu=1, memory="1Gi", gpu=1, slots=2),
}


def rules(**changes: Any) -> Rules:
    values: dict[str, Any] = {"capacity": Capacity(cpu=4, memory_bytes=8 * GIB, gpu=2), "classes": CLASSES}
    return Rules(**{**values, **changes})


def waiter(seq: int, owner: str = "risk", **changes: Any) -> Waiter:
    values: dict[str, Any] = {
        "job_id": f"j{seq}", "owner": owner, "compute_resource": "CPU", "cpu": 1.0, "memory_bytes": GIB, "gpu": 0,
        "priority": 0, "seq": seq,
    }  # fmt: skip
    return Waiter(**{**values, **changes})


def claimed(verdicts: list[Any]) -> list[str]:
    return [verdict.job_id for verdict in verdicts if isinstance(verdict, Claim)]


def test_older_jobs_come_first_and_higher_priority_before_all() -> None:
    waiting = [waiter(1), waiter(2), waiter(3, priority=5)]
    assert claimed(share(waiting, [], rules())) == ["j3", "j1", "j2"]


def test_the_owner_with_the_fewest_attempts_comes_next() -> None:
    held = [Held(owner="risk", compute_resource="CPU", attempts=2, cpu=2, memory_bytes=2 * GIB, gpu=0)]
    waiting = [waiter(1), waiter(2), waiter(3, "ops"), waiter(4, "ops")]
    verdicts = share(waiting, held, rules())
    assert claimed(verdicts) == ["j3", "j4"]
    late = next(verdict for verdict in verdicts if verdict.job_id == "j1")
    assert isinstance(late, Wait)
    assert late.reason == "waiting_fair_share"
    assert late.message.startswith("owners with fewer attempts than risk (2) come first; it needs 1 cpu")


def test_a_small_job_passes_a_large_one_that_does_not_fit_until_that_has_waited_too_long() -> None:
    held = [Held(owner="x", compute_resource="CPU", attempts=1, cpu=2, memory_bytes=GIB, gpu=0)]
    large, small = waiter(1, cpu=4.0), waiter(2, "ops")
    assert claimed(share([large, small], held, rules())) == ["j2"]
    starving = waiter(1, cpu=4.0, waited_seconds=301)
    verdicts = share([starving, small], held, rules())
    assert claimed(verdicts) == []
    assert verdicts[1].message == "j1 has waited longer, and what comes free is kept for it"  # type: ignore[union-attr]


def test_a_job_held_back_by_a_quota_keeps_nothing_free() -> None:
    verdicts = share(
        [waiter(1, compute_resource="GPU", gpu=1, waited_seconds=999), waiter(2, "ops")],
        [Held(owner="x", compute_resource="GPU", attempts=2, cpu=2, memory_bytes=GIB, gpu=1)],
        rules(),
    )
    assert claimed(verdicts) == ["j2"]
    assert verdicts[0] == Wait("j1", "waiting_quota", "the class GPU has 2 of 2 slots in use")


def test_a_job_of_an_unknown_class_waits_and_says_so() -> None:
    verdict = share([waiter(1, compute_resource="TPU")], [], rules())[0]
    assert verdict == Wait("j1", "waiting_capacity", "the class TPU is not configured on this server")


def test_cores_that_add_up_to_all_there_is_fit() -> None:
    tenth = [waiter(seq, cpu=0.1, memory_bytes=1) for seq in range(40)]
    assert len(claimed(share(tenth, [], rules()))) == 40


WAITERS = st.lists(
    st.builds(
        waiter,
        st.integers(1, 10**6),
        st.sampled_from(["a", "b", "c"]),
        compute_resource=st.sampled_from(["CPU", "GPU"]),
        cpu=st.sampled_from([0.5, 1.0, 2.0, 5.0]),
        memory_bytes=st.integers(1, 9 * GIB),
        gpu=st.integers(0, 3),
        priority=st.integers(-2, 2),
        waited_seconds=st.sampled_from([0.0, 1000.0]),
    ),
    max_size=40,
    unique_by=lambda found: found.seq,
)
HELD = st.lists(
    st.builds(
        Held, owner=st.sampled_from(["a", "b"]), compute_resource=st.sampled_from(["CPU", "GPU"]),
        attempts=st.integers(1, 2), cpu=st.sampled_from([0.5, 1.0]), memory_bytes=st.integers(1, GIB),
        gpu=st.integers(0, 1),
    ),
    max_size=2,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(WAITERS, HELD, st.none() | st.integers(1, 3))
def test_claims_stay_within_capacity_and_quota_and_everybody_gets_one_verdict(
    waiting: list[Waiter], held: list[Held], per_owner: int | None
) -> None:
    given_rules = rules(per_owner=per_owner)
    verdicts = share(waiting, held, given_rules)
    assert sorted(verdict.job_id for verdict in verdicts) == sorted(one.job_id for one in waiting)
    taken = [one for one in waiting if one.job_id in claimed(verdicts)]
    total = given_rules.capacity
    if taken:
        assert sum(one.cpu for one in [*taken, *held]) <= total.cpu + 1e-6
        assert sum(one.memory_bytes for one in [*taken, *held]) <= total.memory_bytes
        assert sum(one.gpu for one in [*taken, *held]) <= total.gpu
    owners = Counter(one.owner for one in taken)
    for owner, count in owners.items():
        before = sum(part.attempts for part in held if part.owner == owner)
        assert per_owner is None or before + count <= per_owner
    for verdict in verdicts:
        if isinstance(verdict, Never):
            one = next(found for found in waiting if found.job_id == verdict.job_id)
            assert one.cpu > total.cpu or one.memory_bytes > total.memory_bytes or one.gpu > total.gpu


@settings(max_examples=100, deadline=None)
@given(WAITERS)
def test_something_starts_on_an_empty_machine_unless_nothing_could(waiting: list[Waiter]) -> None:
    verdicts = share(waiting, [], rules())
    if any(not isinstance(verdict, Never) for verdict in verdicts):
        assert claimed(verdicts)
