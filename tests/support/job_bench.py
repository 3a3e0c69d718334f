"""A job manager on a real database with an executor in memory: submit, run duties by hand, report as a runner would."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fake_executor import FakeExecutor
from sqlalchemy import text

from railyard.artifacts.store import ArtifactStore, open_store
from railyard.control.db.engine import Database
from railyard.control.executors.base import Capacity, Runtime
from railyard.control.executors.places import Broken, Place, Waiting
from railyard.control.jobs import attempts, read
from railyard.control.jobs.facts import Policy
from railyard.control.jobs.reconcile import Reconcile
from railyard.control.jobs.rescue import Rescue
from railyard.control.jobs.schedule import Schedule
from railyard.control.jobs.sharing import Rules
from railyard.control.jobs.start import Starter
from railyard.control.jobs.states import Clocks
from railyard.control.jobs.submit import NewJob, submit
from railyard.control.results.commit import commit
from railyard.control.results.delivered import StoredDelivery
from railyard.spec.attempt import Failure, Heartbeat, Started
from railyard.spec.ids import split_attempt_name
from railyard.spec.reasons import EndReason
from railyard.spec.records import ComputeClass, Job, Price
from railyard.spec.request import TrainingRequest
from railyard.spec.result import (
    Artifact,
    CodeInfo,
    DataSummary,
    ErrorReport,
    Fingerprint,
    Metrics,
    ModelInfo,
    ResultManifest,
    SourceFile,
    Step,
)

GIB = 2**30
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PRICE = Price(cpu_hour=0.05, gb_hour=0.01, gpu_hour=1.0, currency="EUR")


def request_value(**changes: Any) -> dict[str, Any]:
    """A small valid request as JSON; `changes` replace top-level keys."""
    value: dict[str, Any] = {
        "model_description": "A model to predict fraud",
        "model_name": "fraud",
        "owner": "risk",
        "project": "cards",
        "trainer": "ada",
        "data": {"features": [{"names": ["amount"], "source": "file", "path": "/data/x.parquet"}]},
        "train": {"workflow_name": "Fraud", "label": "is_fraud", "custom_params": {"eta": 0.1}},
    }
    return {**value, **changes}


def new_job(*, key: str | None = None, by: str = "ada", cpu: float = 1.0, memory: int = GIB, **changes: Any) -> NewJob:
    """What intake would hand over."""
    value = request_value(**changes)
    return NewJob(
        request=TrainingRequest.model_validate(value), request_text=json.dumps(value), submitted_by=by, cpu=cpu,
        memory_bytes=memory, idempotency_key=key,
    )  # fmt: skip


class FakePlaces:
    """Every code lies ready, unless a test says otherwise."""

    def __init__(self) -> None:
        self.answers: dict[str | None, Place | Waiting | Broken] = {}

    async def place(self, code_id: str | None) -> Place | Waiting | Broken:
        ready = Place(folder="/code", runtime=Runtime(key="server", python="/usr/bin/python3"), project="demo")
        return self.answers.get(code_id, ready)


class Bench:
    """Everything that moves jobs, with short waits; `classes` are CPU (→ HIGH_MEMORY), HIGH_MEMORY and GPU (no slots)."""

    def __init__(
        self,
        database: Database,
        *,
        capacity: Capacity | None = None,
        per_owner: int | None = None,
        patience: float = 60.0,
    ) -> None:
        """`patience`: seconds a duty waits for one start."""
        self.database = database
        self.executor = FakeExecutor(capacity)
        self.places = FakePlaces()
        self.artifacts: ArtifactStore = open_store("memory:")
        classes = {
            "CPU": ComputeClass(name="CPU", cpu=1, memory="1Gi", next_class="HIGH_MEMORY", price=PRICE),
            "HIGH_MEMORY": ComputeClass(name="HIGH_MEMORY", cpu=1, memory="8Gi"),
            "GPU": ComputeClass(name="GPU", cpu=1, memory="1Gi", gpu=1, slots=0),
        }
        self.policy = Policy(classes=classes, clocks=Clocks(retry_wait_seconds=0.0))
        total = capacity or Capacity(cpu=4.0, memory_bytes=16 * GIB)
        self.rules = Rules(capacity=total, classes=classes, per_owner=per_owner)
        self.starter = Starter(
            database=database,
            executor=self.executor,
            secret=b"secret",
            url="http://localhost:1",
            cancel_grace_seconds=0.0,
            patience_seconds=patience,
        )
        self.schedule = self.new_schedule()
        self.reconcile = self.new_reconcile()
        self.rescue = Rescue(database, self.executor, self.policy, lost_after_seconds=30, grace_seconds=0)

    def new_schedule(self) -> Schedule:
        return Schedule(self.database, self.places, self.starter, self.rules, self.policy)

    def new_reconcile(self, **clocks: float) -> Reconcile:
        waits = {"adopt_seconds": 0.0, "absent_seconds": 0.0, "linger_seconds": 0.0, **clocks}
        return Reconcile(self.database, self.places, self.starter, self.policy, **waits)

    def make_slow(self, code_id: str) -> asyncio.Event:
        """Starts of this code's runtime wait for the event."""
        runtime = Runtime(key=code_id, python="/usr/bin/python3")
        self.places.answers[code_id] = Place(folder="/code", runtime=runtime, project="demo")
        return self.executor.slow.setdefault(code_id, asyncio.Event())

    async def settle(self) -> None:
        """Waits for the starts that go on by themselves."""
        starts = [task for task in asyncio.all_tasks() if task.get_name().startswith("start-")]
        await asyncio.gather(*starts)

    async def submit(self, *, code: str | None = None, **changes: Any) -> Job:
        return await submit(self.database, replace(new_job(**changes), code_id=code))

    async def job(self, job_id: str) -> Job:
        return await read.get(self.database, job_id)

    async def kinds(self, job_id: str) -> list[str]:
        """The kinds of a job's events, in order."""
        return [event.kind for event in (await read.events(self.database, job_id)).items]

    async def starting(self, **changes: Any) -> str:
        """A submitted and scheduled job; answers the name of its attempt."""
        job = await self.submit(**changes)
        await self.schedule.run_once()
        return f"{job.job_id}-1"

    async def running(self, **changes: Any) -> str:
        """A job whose runner has reported; answers the name of its attempt."""
        name = await self.starting(**changes)
        await self.report_started(name)
        return name

    def token(self, name: str) -> str:
        """The token that the executor was handed for the attempt."""
        return next(launch.token for launch in self.executor.launches if launch.name == name)

    async def report_started(self, name: str) -> None:
        report = Started(node="node1", pid=1, clock=datetime.now(UTC))
        await attempts.started(self.database, name, self.token(name), report)

    async def beat(self, name: str, **values: Any) -> Any:
        return await attempts.heartbeat(self.database, name, self.token(name), Heartbeat(**values))

    async def fail(self, name: str, code: EndReason = "user_code", log_lines: int = 0) -> None:
        report = Failure(error=ErrorReport(code=code, message=f"it failed: {code}"), log_lines=log_lines)
        await attempts.fail(self.database, name, self.token(name), report, policy=self.policy)

    async def commit(self, name: str, manifest: ResultManifest | None = None) -> Job:
        return await commit(
            self.database,
            name,
            self.token(name),
            manifest or self.deliver(name),
            delivered=StoredDelivery(self.artifacts),
        )

    def deliver(self, name: str, **changes: Any) -> ResultManifest:
        """Puts a small bundle into the store and answers the manifest that names it."""
        job_id, number = split_attempt_name(name)
        listed = []
        for path, content in (("model/manifest.json", json.dumps({"of": name}).encode()), ("model/model.ubj", b"ubj")):
            stored = self.artifacts.put(f"jobs/{job_id}/{number}/{path}", content)
            listed.append(Artifact(kind="model", path=path, sha256=stored.sha256, bytes=stored.bytes, format="json"))
        return manifest_of(name, tuple(listed), **changes)

    async def sql(self, statement: str, **values: Any) -> None:
        """A direct change of the database: time that passes, a fault."""
        async with self.database.transaction() as connection:
            await connection.execute(text(statement), values)

    async def row(self, statement: str, **values: Any) -> Mapping[str, Any]:
        async with self.database.transaction() as connection:
            return (await connection.execute(text(statement), values)).mappings().one()

    async def age_attempts(self, seconds: float) -> None:
        """Lets time pass for every active attempt."""
        columns = ", ".join(
            f"{name} = {name} - interval '{seconds} seconds'"
            for name in ("claimed_at", "started_at", "heartbeat_at", "gone_since", "stop_asked_at")
        )
        await self.sql(f"UPDATE attempts SET {columns} WHERE finished_at IS NULL")


def manifest_of(name: str, artifacts: tuple[Artifact, ...], **changes: Any) -> ResultManifest:
    """A manifest of a binary model over ten rows."""
    files = (SourceFile(path="/data/x.parquet", bytes=100, sha256="ab" * 32, rows=10),)
    fingerprint = Fingerprint(sha256="cd" * 32, files=files, schema={"amount": "Float64"}, rows=10)
    summary = DataSummary(
        fingerprint=fingerprint, rows_read=12, rows_after_filters=10, rows_train=7, rows_holdout=3, columns=("amount",),
        columns_available=5, bytes_read=50, bytes_total=100,
    )  # fmt: skip
    identity = next(
        (one.sha256 for one in artifacts if one.path == "model/manifest.json"), hashlib.sha256().hexdigest()
    )
    model = ModelInfo(
        manifest_sha256=identity, format="xgboost_ubj", pickled=False, bytes=3, framework="xgboost",
        framework_version="3.2.0", features=("amount",), label="is_fraud",
    )  # fmt: skip
    values: dict[str, Any] = {
        "attempt": name, "workflow_name": "Fraud", "task": "binary", "data": summary,
        "metrics": Metrics(train={"auc": 0.9}, holdout={"auc": 0.8, "ks": None}),
        "steps": (Step(name="train", started_at=NOW, finished_at=NOW, seconds=1.5, peak_memory=1000),),
        "artifacts": artifacts, "model": model, "code": CodeInfo(python="3.11.7"), "seed": 0,
    }  # fmt: skip
    return ResultManifest(**{**values, **changes})
