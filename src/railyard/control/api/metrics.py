"""The page at /metrics: jobs counted from the database, steps timed since this start, health of the duties."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Row

from railyard.control.api import metrics_store
from railyard.control.api.health import DutyHealth
from railyard.control.db.engine import Database

KEEP_SECONDS = 5.0
"""How old the counts may be: however many scrape, the database is asked once in this long."""
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)


class Measures(Collector):
    """What is measured, with its cache. One per server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._steps = Histogram(
            "railyard_step_seconds",
            "Duration of a step of an attempt that has ended",
            ["workflow", "step"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._registry.register(self)
        self._lock = asyncio.Lock()
        self._counted_at = float("-inf")
        self._counts: Sequence[Row[Any]] = ()
        self._seq = 0
        self._duties: Mapping[str, DutyHealth] = {}

    async def begin(self, database: Database) -> None:
        """Steps are measured from here on."""
        async with database.transaction() as connection:
            self._seq = await metrics_store.last_event(connection)

    async def page(self, database: Database, duties: Mapping[str, DutyHealth]) -> bytes:
        """Everything in Prometheus' text format."""
        async with self._lock:
            self._duties = duties
            if time.monotonic() - self._counted_at > KEEP_SECONDS:
                await self._look(database)
            return generate_latest(self._registry)

    async def _look(self, database: Database) -> None:
        async with database.transaction() as connection:
            self._counts = await metrics_store.job_counts(connection)
            # From this server's start on, as Prometheus expects of a restarted process.
            last = await metrics_store.last_event(connection, self._seq)
            ended = await metrics_store.ended_steps(connection, self._seq, last)
            self._seq = last
        for row in ended:
            if row.seconds is not None:
                self._steps.labels(row.workflow_name, row.step).observe(row.seconds)
        self._counted_at = time.monotonic()

    def collect(self) -> Iterable[Metric]:
        """Called by the registry."""
        jobs = GaugeMetricFamily(
            "railyard_jobs",
            "Jobs by state and by who and where",
            labels=["state", "owner", "project", "compute_class", "node"],
        )
        queued: dict[str, int] = {}
        for row in self._counts:
            jobs.add_metric([row.state, row.owner, row.project, row.compute_resource, row.node], row.jobs)
            if row.state == "queued":
                queued[row.compute_resource] = queued.get(row.compute_resource, 0) + row.jobs
        yield jobs
        queue = GaugeMetricFamily("railyard_queue_length", "Queued jobs by compute class", labels=["compute_class"])
        for name, count in queued.items():
            queue.add_metric([name], count)
        yield queue
        yield from self._duty_metrics()

    def _duty_metrics(self) -> Iterable[Metric]:
        since = GaugeMetricFamily(
            "railyard_duty_seconds_since_success", "Seconds since a background duty last succeeded", labels=["duty"]
        )
        healthy = GaugeMetricFamily("railyard_duty_healthy", "1 where a duty succeeded lately", labels=["duty"])
        for name, duty in self._duties.items():
            if duty.seconds_since_success is not None:
                since.add_metric([name], duty.seconds_since_success)
            healthy.add_metric([name], float(duty.healthy))
        yield since
        yield healthy
