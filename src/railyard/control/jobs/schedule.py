"""The schedule duty: claims queued jobs for which there is capacity, starts them, and says why others wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from railyard.control.db.engine import Database
from railyard.control.db.listen import QUEUE
from railyard.control.executors.places import Broken, Place, Places, Waiting
from railyard.control.jobs import store
from railyard.control.jobs.facts import Policy
from railyard.control.jobs.loop import Counts
from railyard.control.jobs.moves import consider
from railyard.control.jobs.sharing import CAPACITY_REASONS, Claim, Held, Never, Rules, Verdict, Wait, Waiter, share
from railyard.control.jobs.start import Starter
from railyard.control.jobs.states import CannotStart, Claimed, Looked, Move
from railyard.control.jobs.tokens import attempt_token, new_nonce, token_hash
from railyard.spec.base import dump
from railyard.spec.ids import attempt_name

_PER_LINE = 32
"""How far down the line of one owner in one class a run looks."""
_AT_ONCE = 16
_MESSAGES = 50
"""Waiting jobs whose numbers are brought up to date in one run; a new reason is always written."""


class Schedule:
    name = "schedule"
    channel: str | None = QUEUE

    def __init__(
        self,
        database: Database,
        places: Places,
        starter: Starter,
        rules: Rules,
        policy: Policy,
        *,
        seconds: float = 1.0,
    ) -> None:
        self.seconds = seconds
        self._database = database
        self._places = places
        self._starter = starter
        self._rules = rules
        self._policy = policy

    async def run_once(self) -> Counts:
        """Counts: failed, claimed, started, unstarted (the executor has not answered), waiting, soon."""
        counts: Counter[str] = Counter()
        counts["failed"] += await self._refuse_late()
        async with self._database.transaction() as connection:
            codes = await store.queued_codes(connection)
        places = await self._ask_places(codes)
        async with self._database.transaction() as connection:
            claimed = await self._plan(connection, places, counts)
        counts["soon"] += len(claimed) >= _PER_LINE  # a line may have been claimed to its end
        limit = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*(self._start(row, nonce, places[row.code_id], limit, counts) for row, nonce in claimed))
        return counts

    async def _refuse_late(self) -> int:
        """Fails jobs that waited beyond the queue timeout."""
        failed = 0
        async with self._database.transaction() as connection:
            for row in await store.timed_out_in_queue(connection, self._policy.clocks.queue_timeout_seconds):
                _, moved = await consider(connection, row, Looked(), self._policy, by=self.name)
                failed += moved
        return failed

    async def _ask_places(self, code_ids: set[str | None]) -> dict[str | None, Place | Waiting | Broken]:
        """Asked before the plan is locked: it may take a look at files or at another table."""
        ids = list(code_ids)
        return dict(zip(ids, await asyncio.gather(*(self._places.place(code_id) for code_id in ids)), strict=True))

    async def _plan(
        self,
        connection: AsyncConnection,
        places: Mapping[str | None, Place | Waiting | Broken],
        counts: Counter[str],
    ) -> list[tuple[Any, str]]:
        """Claims what fits, in one transaction that holds the plan's lock; answers the rows and nonces to start."""
        await store.lock_plan(connection)
        rows = {row.job_id: row for row in await store.queue_heads(connection, _PER_LINE) if row.code_id in places}
        ready = [row for row in rows.values() if isinstance(places[row.code_id], Place)]
        verdicts = share(map(_waiter, ready), await self._held(connection), self._rules)
        verdicts += [_not_placed(row.job_id, places[row.code_id]) for row in rows.values() if row not in ready]
        moving = [verdict.job_id for verdict in verdicts if not isinstance(verdict, Wait)]
        locked = await store.lock_queued(connection, moving)
        claimed: list[tuple[Any, str]] = []
        for verdict in verdicts:
            row = rows[verdict.job_id]
            if isinstance(verdict, Wait):
                counts["waiting"] += 1
                await self._tell_wait(connection, row, verdict, counts["waiting"])
            elif verdict.job_id in locked:
                nonce = await self._carry_out(connection, row, verdict, counts)
                claimed += [(row, nonce)] if nonce else []
        return claimed

    async def _held(self, connection: AsyncConnection) -> Sequence[Held]:
        return [
            Held(
                owner=row.owner, compute_resource=row.compute_resource, attempts=row.attempts, cpu=float(row.cpu),
                memory_bytes=int(row.memory_bytes), gpu=int(row.gpu),
            )
            for row in await store.in_use(connection)
        ]  # fmt: skip

    async def _carry_out(
        self, connection: AsyncConnection, row: Any, verdict: Claim | Never, counts: Counter[str]
    ) -> str | None:
        """Claims or fails one job; answers the nonce of a claimed attempt."""
        seen = Claimed() if isinstance(verdict, Claim) else CannotStart(verdict.reason, verdict.message, verdict.mend)
        decision, moved = await consider(connection, row, seen, self._policy, by=self.name)
        if not moved or not isinstance(decision, Move):
            return None
        counts["claimed" if decision.to_state == "starting" else "failed"] += 1
        if decision.to_state != "starting":
            return None
        number, nonce = row.attempt + 1, new_nonce()
        compute_class = self._rules.classes[row.compute_resource]
        token = attempt_token(self._starter.secret, attempt_name(row.job_id, number), nonce)
        await store.insert_attempt(
            connection,
            {
                "job_id": row.job_id,
                "number": number,
                "nonce": nonce,
                "token_hash": token_hash(token),
                "executor": self._starter.executor.name,
                "compute_resource": row.compute_resource,
                "cpu": row.cpu,
                "memory_bytes": row.memory_bytes,
                "gpu": row.gpu,
                "price": dump(compute_class.price) if compute_class.price else None,
            },
        )
        return nonce

    async def _tell_wait(self, connection: AsyncConnection, row: Any, wait: Wait, place: int) -> None:
        changed = row.reason != wait.reason
        if changed or (place <= _MESSAGES and row.message != wait.message):
            await store.set_wait(
                connection,
                row.job_id,
                reason=wait.reason,
                message=wait.message,
                # Which of these it is swings with every start: told by the job, not by its history.
                changed=changed and not {row.reason, wait.reason} <= CAPACITY_REASONS,
                from_reason=row.reason,
            )

    async def _start(
        self, row: Any, nonce: str, place: Place | Waiting | Broken, limit: asyncio.Semaphore, counts: Counter[str]
    ) -> None:
        if not isinstance(place, Place):
            return
        async with limit:
            try:
                known = await self._starter.begin(row, row.attempt + 1, nonce, place)
            except Exception:  # told by the starter; `reconcile` asks again
                known = False
            counts["started" if known else "unstarted"] += 1


def _waiter(row: Any) -> Waiter:
    since = row.not_before or row.created_at
    return Waiter(
        job_id=row.job_id, owner=row.owner, compute_resource=row.compute_resource, cpu=row.cpu,
        memory_bytes=row.memory_bytes, gpu=row.gpu, priority=row.priority, seq=row.seq,
        waited_seconds=(row.now - since).total_seconds(),
    )  # fmt: skip


def _not_placed(job_id: str, place: Place | Waiting | Broken) -> Verdict:
    if isinstance(place, Broken):
        return Never(job_id, "runtime_build", place.message, place.mend)
    return Wait(job_id, "waiting_runtime", place.message if isinstance(place, Waiting) else "")
