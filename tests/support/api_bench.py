"""The HTTP surface over a job bench: an application, a token of each kind, and a real server for streams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx2
import uvicorn
from job_bench import Bench

from railyard.control.api import tokens_store
from railyard.control.api.app import create_app
from railyard.control.api.rooms import Rooms
from railyard.control.db.listen import Listener
from railyard.control.executors.base import Capacity
from railyard.control.intake.known import Known
from railyard.errors import Invalid, NotFound
from railyard.settings import Configured, Settings
from railyard.spec.records import CodeVersion, FieldProblem, Page, Workflow, WorkflowInfo

URL = "http://127.0.0.1:8787"
CODE_ID = "c0ffee123456"


class FakeCode:
    """One deployed code version with the workflow Fraud, whose parameters have a schema."""

    def __init__(self) -> None:
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {"eta": {"type": "number"}, "depth": {"type": "integer"}},
            "additionalProperties": False,
        }
        info = WorkflowInfo(name="Fraud", file="workflows/fraud.py", doc="Finds fraud.", param_schema=schema)
        self.version = CodeVersion.model_validate(
            {
                "code_id": CODE_ID, "project": "demo", "sha256": "c0ffee", "bytes": 1, "state": "ready", "version": "1",
                "deployed_at": "2026-11-21T09:00:00Z", "created_at": "2026-11-21T09:00:00Z", "created_by": "ci",
                "workflows": [info],
            }
        )  # fmt: skip
        self.registered: list[tuple[bytes, str]] = []
        self.deployed: list[tuple[str, str | None, str]] = []

    async def resolve(self, code: str | None, workflow_name: str) -> CodeVersion:
        if workflow_name != "Fraud":
            problem = FieldProblem(
                path="train.workflow_name", expected="a workflow", got=workflow_name, nearest="Fraud"
            )
            raise Invalid("unknown workflow", code="unknown_workflow", fields=[problem])
        if code not in (None, CODE_ID):
            raise Invalid("unknown code", code="unknown_code")
        return self.version

    async def register(self, zip_bytes: bytes, by: str) -> CodeVersion:
        self.registered.append((zip_bytes, by))
        return self.version

    async def deploy(self, code_id: str, version: str | None, by: str) -> CodeVersion:
        self.deployed.append((code_id, version, by))
        return self.version

    async def get(self, code_id: str) -> CodeVersion:
        if not CODE_ID.startswith(code_id):
            raise NotFound(f"there is no code version {code_id}", code="unknown_code")
        return self.version

    async def list(self, *, after: str | None, limit: int) -> Page[CodeVersion]:
        return Page(items=(self.version,))

    async def workflows(self) -> tuple[Workflow, ...]:
        return (Workflow(name="Fraud", project="demo", code=CODE_ID, deployed=True, info=self.version.workflows[0]),)

    async def workflow(self, name: str) -> Workflow:
        return (await self.workflows())[0]


class ApiBench:
    """`client` speaks to the application in this process; `serve` puts it behind a real socket."""

    def __init__(self, bench: Bench, *, settings: Settings | None = None) -> None:
        self.bench = bench
        self.code = FakeCode()
        self.listener = Listener(bench.database.url)
        self.settings = settings or Settings(connections={"warehouse": "postgresql://reader@db/dw"})
        known = Known(
            database=bench.database,
            code=self.code,
            places=bench.places,
            executor=bench.executor,
            classes=bench.policy.classes,
            capacity=Capacity(cpu=4.0, memory_bytes=16 * 2**30),
            settings=lambda: self.settings,
        )
        self.rooms = Rooms(
            database=bench.database,
            listener=self.listener,
            store=bench.artifacts,
            known=known,
            policy=bench.policy,
            code=self.code,
            configured=lambda: Configured(self.settings, dict.fromkeys(Settings.model_fields, "default")),
            public_url=URL,
            secret=b"s" * 32,
            duties=dict,
        )
        self.app = create_app(self.rooms)

    async def token(self, *scopes: str, user: str = "ada", teams: tuple[str, ...] = ("risk",)) -> str:
        async with self.bench.database.transaction() as connection:
            return (await tokens_store.create(connection, user=user, teams=teams, scopes=scopes)).token

    @asynccontextmanager
    async def client(self, *scopes: str, **token: Any) -> AsyncIterator[httpx2.AsyncClient]:
        """A client with a token of these scopes; without scopes one without a token."""
        headers = {"Authorization": f"Bearer {await self.token(*scopes, **token)}"} if scopes else {}
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url=URL, headers=headers) as client:
            yield client

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """The application's address while the block runs; notifications arrive."""
        server = _Web(uvicorn.Config(self.app, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
        listening = asyncio.create_task(self.listener.run())
        serving = asyncio.create_task(server.serve())
        await asyncio.wait_for(server.is_up.wait(), 30)
        await asyncio.wait_for(self.listener.connected.wait(), 30)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await serving
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


class _Web(uvicorn.Server):
    """Says when it listens, and leaves the signals of the test's process alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()
