"""Which duties run, with which clocks. A new duty is a file in its room and a line here."""

from __future__ import annotations

from railyard.artifacts.store import ArtifactStore
from railyard.control.api.health import DutyHealth
from railyard.control.db.engine import Database
from railyard.control.db.listen import Listener
from railyard.control.executors.base import Executor
from railyard.control.executors.places import Places
from railyard.control.jobs.facts import Policy
from railyard.control.jobs.loop import Duty, Loop
from railyard.control.jobs.reconcile import Reconcile
from railyard.control.jobs.rescue import Rescue
from railyard.control.jobs.retention import Retention
from railyard.control.jobs.schedule import Schedule
from railyard.control.jobs.seal import Seal
from railyard.control.jobs.sharing import Rules
from railyard.control.jobs.start import Starter
from railyard.settings import JobSettings


def compose(
    settings: JobSettings,
    *,
    database: Database,
    store: ArtifactStore,
    listener: Listener,
    executor: Executor,
    places: Places,
    rules: Rules,
    policy: Policy,
    secret: bytes,
    url: str,
) -> list[Loop]:
    """Every duty in its loop. `url` is where runners on this machine reach the API."""
    starter = Starter(
        database=database,
        executor=executor,
        secret=secret,
        url=url,
        cancel_grace_seconds=settings.cancel_grace_seconds,
        log_bytes=settings.log_bytes,
    )
    duties: list[Duty] = [
        Schedule(database, places, starter, rules, policy, seconds=settings.schedule_seconds),
        Reconcile(database, places, starter, policy, seconds=settings.reconcile_seconds),
        Rescue(
            database,
            executor,
            policy,
            seconds=settings.rescue_seconds,
            lost_after_seconds=settings.lost_after_seconds,
            grace_seconds=settings.grace_seconds,
        ),
        Retention(database, store, seconds=settings.retention_seconds),
        Seal(database, store),
    ]
    return [Loop(duty, listener) for duty in duties]


def health(loops: list[Loop]) -> dict[str, DutyHealth]:
    """How each of them fares."""
    return {
        loop.duty.name: DutyHealth(
            seconds_since_success=loop.seconds_since_success, late_after_seconds=loop.late_after_seconds
        )
        for loop in loops
    }
