"""The reconcile duty: compares what the database says with what the executor sees, and repairs the difference.

It reads everything anew each time, so it may run at any moment and twice. The database is read before the executor is
asked: what was started in between is then seen, never missed. "I cannot see" is an exception and changes nothing.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from railyard.control.db.engine import Database
from railyard.control.db.listen import ATTEMPTS
from railyard.control.executors.base import Executor, Observation
from railyard.control.executors.places import Broken, Place, Places
from railyard.control.jobs import store
from railyard.control.jobs.facts import Policy, facts
from railyard.control.jobs.loop import Counts
from railyard.control.jobs.moves import consider
from railyard.control.jobs.start import Starter
from railyard.control.jobs.states import Alive, Gone, Stop, decide
from railyard.spec.ids import attempt_name

logger = logging.getLogger(__name__)


class Reconcile:
    name = "reconcile"
    channel: str | None = ATTEMPTS

    def __init__(
        self,
        database: Database,
        places: Places,
        starter: Starter,
        policy: Policy,
        *,
        seconds: float = 5.0,
        adopt_seconds: float = 15.0,
        give_up_seconds: float = 600.0,
        absent_seconds: float = 1.0,
        linger_seconds: float = 10.0,
        keep_seconds: float = 600.0,
    ) -> None:
        """`adopt_seconds`: a start not confirmed for so long is repeated; after `give_up_seconds` it is lost.
        `absent_seconds`: least time between the two observations without an attempt that make it lost.
        `linger_seconds`: an attempt that is over may take so long to end by itself.
        `keep_seconds`: what is left of an attempt is removed after this, its log complete or not.
        """
        self.seconds = seconds
        self._database = database
        self._places = places
        self._starter = starter
        self._policy = policy
        self._adopt_seconds = adopt_seconds
        self._give_up_seconds = give_up_seconds
        self._absent_seconds = absent_seconds
        self._linger_seconds = linger_seconds
        self._keep_seconds = keep_seconds

    @property
    def _executor(self) -> Executor:
        return self._starter.executor

    async def run_once(self) -> Counts:
        """Counts: adopted, ended, stopping, absent, removed, and `soon` while something is about to end."""
        counts: Counter[str] = Counter()
        async with self._database.transaction() as connection:
            active = await store.active_jobs(connection)
            over = await store.to_remove(connection)
        if not active and not over:
            return counts
        observed = await self._executor.observe()
        for row in active:
            try:
                await self._look(row, observed, counts)
            except Exception:
                counts["failed"] += 1
                logger.exception("reconcile failed for %s; it goes on with the others", row.job_id)
        for row in over:
            try:
                await self._clear(row, observed.get(attempt_name(row.job_id, row.number)), counts)
            except Exception:
                counts["failed"] += 1
                logger.exception("%s-%s could not be cleared away; it is tried again", row.job_id, row.number)
        return counts

    async def _look(self, row: Any, observed: Mapping[str, Observation], counts: Counter[str]) -> None:
        seen = observed.get(attempt_name(row.job_id, row.attempt))
        if seen is not None and row.uid is not None and seen.uid != row.uid:
            # Something else has the name now: what we started is not there any more, and this one is not ours.
            seen = None
        if row.outbox == "submit" and (seen is None or row.uid is None):
            await self._adopt(row, seen, counts)
        elif seen is None:
            await self._absent(row, counts)
        elif seen.phase == "gone":
            await self._gone(row, dict(seen.evidence), counts)
        else:
            await self._alive(row, counts)

    async def _adopt(self, row: Any, seen: Observation | None, counts: Counter[str]) -> None:
        """The start was not confirmed: whoever was to do it died, or the executor did not answer."""
        if seen is not None:
            async with self._database.transaction() as connection:
                await store.mark_submitted(connection, row.job_id, row.attempt, seen.uid)
            counts["adopted"] += 1
            return
        waited = (row.now - row.claimed_at).total_seconds()
        if row.cancel_requested_at is not None and waited > self._linger_seconds:
            # Nothing of this name is there, and nobody else will start it: an observation without it is enough.
            return await self._gone(row, {}, counts)
        if waited < self._adopt_seconds:
            counts["soon"] += row.cancel_requested_at is not None
            return None
        place = await self._places.place(row.code_id)
        if isinstance(place, Broken):
            return await self._gone(row, {"start": place.message}, counts)
        try:
            if isinstance(place, Place):
                counts["adopted"] += await self._starter.begin(row, row.attempt, row.nonce, place)
        except Exception as error:
            if waited > self._give_up_seconds:
                return await self._gone(row, {"start": str(error)}, counts)
            logger.warning("the start of %s-%s is still not certain: %s", row.job_id, row.attempt, error)
        return None

    async def _absent(self, row: Any, counts: Counter[str]) -> None:
        """Not in the executor's full list. Once proves little; twice, without a sign of life between, is lost."""
        counts["absent"] += 1
        if row.gone_since is None:
            async with self._database.transaction() as connection:
                await store.mark_absent(connection, row.job_id, row.attempt)
            counts["soon"] += 1
        elif (row.now - row.gone_since).total_seconds() >= self._absent_seconds:
            await self._gone(row, {}, counts)
        else:
            counts["soon"] += 1

    async def _gone(self, row: Any, evidence: Mapping[str, Any], counts: Counter[str]) -> None:
        async with self._database.transaction() as connection:
            detail = {"evidence": dict(evidence)}
            _, moved = await consider(connection, row, Gone(evidence), self._policy, by=self.name, detail=detail)
        counts["ended"] += moved

    async def _alive(self, row: Any, counts: Counter[str]) -> None:
        decision = decide(facts(row, self._policy), Alive(), row.now, self._policy.clocks)
        async with self._database.transaction() as connection:
            if row.gone_since is not None:
                await store.mark_present(connection, row.job_id, row.attempt)
            if isinstance(decision, Stop):
                await store.mark_stopping(connection, row, decision.reason)
        if isinstance(decision, Stop):
            counts["stopping"] += 1
            counts["soon"] += 1
            name = attempt_name(row.job_id, row.attempt)
            await self._executor.cancel(name, grace_seconds=self._starter.cancel_grace_seconds)

    async def _clear(self, row: Any, seen: Observation | None, counts: Counter[str]) -> None:
        """An attempt that is over: ends what still lives, then removes what is left once its log is complete."""
        name = attempt_name(row.job_id, row.number)
        if seen is not None and seen.phase == "alive":
            if row.seconds_over > self._linger_seconds:
                await self._executor.cancel(name, grace_seconds=self._starter.cancel_grace_seconds)
                counts["stopping"] += 1
            counts["soon"] += 1
            return
        if row.log_sealed_at is None and row.seconds_over < self._keep_seconds:
            async with self._database.transaction() as connection:
                await store.mark_gone(connection, row.job_id, row.number)
            return
        await self._executor.remove(name)
        async with self._database.transaction() as connection:
            await store.mark_removed(connection, row.job_id, row.number)
        counts["removed"] += 1
