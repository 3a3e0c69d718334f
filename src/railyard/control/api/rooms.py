"""Everything a route may call. The composition root fills it in; tests may fill in less."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request

from railyard.artifacts.store import ArtifactStore
from railyard.control.api.health import DutyHealth
from railyard.control.api.metrics import Measures
from railyard.control.db.engine import Database
from railyard.control.db.listen import Listener
from railyard.control.intake.known import Known
from railyard.control.jobs.facts import Policy
from railyard.settings import Configured
from railyard.spec.records import CodeVersion, Page, Workflow


class CodeRoom(Protocol):
    """The part of the code room that routes call."""

    async def register(self, zip_bytes: bytes, by: str) -> CodeVersion:
        """Keeps a code bundle; the same bytes are the same version."""

    async def deploy(self, code_id: str, version: str | None, by: str) -> CodeVersion:
        """Makes a code version the one that plain requests run."""

    async def get(self, code_id: str) -> CodeVersion:
        """One code version by id, unique prefix, or `project@version`. Raises NotFound, Ambiguous."""

    async def list(self, *, after: str | None, limit: int) -> Page[CodeVersion]:
        """Code versions, newest first."""

    async def workflows(self) -> Sequence[Workflow]:
        """Every workflow that a plain request finds."""

    async def workflow(self, name: str) -> Workflow:
        """One of them. Raises NotFound with near names."""


@dataclass(frozen=True, kw_only=True)
class Rooms:
    database: Database
    listener: Listener
    store: ArtifactStore
    known: Known
    policy: Policy
    code: CodeRoom
    configured: Callable[[], Configured]
    """The settings as they are now, each with where it came from."""
    public_url: str
    secret: bytes
    """Signs sessions and attempts' tokens."""
    duties: Callable[[], Mapping[str, DutyHealth]]
    measures: Measures = field(default_factory=Measures)


def _of(request: Request) -> Rooms:
    rooms: Rooms = request.app.state.rooms
    return rooms


TheRooms = Annotated[Rooms, Depends(_of)]
