"""The rescue duty: finds attempts whose heartbeat stopped, and lets the executor's word decide.

After downtime every heartbeat is stale, so a stale heartbeat alone changes nothing but the message of the job, and for
a grace period after this server's own start nothing at all is touched.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from railyard.control.db.engine import Database
from railyard.control.executors.base import Executor
from railyard.control.jobs import store
from railyard.control.jobs.facts import Policy
from railyard.control.jobs.loop import Counts
from railyard.control.jobs.moves import consider
from railyard.control.jobs.states import Gone
from railyard.spec.ids import attempt_name


class Rescue:
    name = "rescue"
    channel: str | None = None

    def __init__(
        self,
        database: Database,
        executor: Executor,
        policy: Policy,
        *,
        seconds: float = 10.0,
        lost_after_seconds: float = 30.0,
        grace_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` tells seconds, monotonic: the grace period counts from this call."""
        self.seconds = seconds
        self._database = database
        self._executor = executor
        self._policy = policy
        self._lost_after_seconds = lost_after_seconds
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._since = clock()

    async def run_once(self) -> Counts:
        """Counts: ended, silent (no heartbeat, but the executor sees it)."""
        counts: Counter[str] = Counter()
        if self._clock() - self._since < self._grace_seconds:
            return counts
        async with self._database.transaction() as connection:
            silent = await store.silent_jobs(connection, self._lost_after_seconds)
        if not silent:
            return counts
        observed = await self._executor.observe()
        for row in silent:
            seen = observed.get(attempt_name(row.job_id, row.attempt))
            ours = seen is not None and (row.uid is None or seen.uid == row.uid)
            async with self._database.transaction() as connection:
                if seen is not None and ours and seen.phase == "alive":
                    heard = row.heartbeat_at or row.attempt_started_at or row.claimed_at
                    quiet = (row.now - heard).total_seconds()
                    counts["silent"] += 1
                    await store.set_message(
                        connection, row, f"no heartbeat for {quiet:.0f} s; the executor still sees it"
                    )
                    continue
                evidence = dict(seen.evidence) if seen is not None and ours else {}
                _, moved = await consider(
                    connection, row, Gone(evidence), self._policy, by=self.name, detail={"evidence": evidence}
                )
                counts["ended"] += moved
        return counts
