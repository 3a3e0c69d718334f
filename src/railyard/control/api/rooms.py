"""Everything a route may call. The composition root fills it in; tests may fill in less."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from railyard.artifacts.store import ArtifactStore
from railyard.control.api.health import DutyHealth
from railyard.control.api.metrics import Measures
from railyard.control.code.room import CodeRoom
from railyard.control.db.engine import Database
from railyard.control.db.listen import Listener
from railyard.control.intake.known import Known
from railyard.settings import Configured


@dataclass(frozen=True, kw_only=True)
class Rooms:
    database: Database
    listener: Listener
    store: ArtifactStore
    known: Known
    code: CodeRoom
    configured: Configured
    public_url: str
    secret: bytes
    """Signs sessions and attempts' tokens."""
    duties: Callable[[], Mapping[str, DutyHealth]]
    measures: Measures = field(default_factory=Measures)


def _of(request: Request) -> Rooms:
    rooms: Rooms = request.app.state.rooms
    return rooms


TheRooms = Annotated[Rooms, Depends(_of)]
