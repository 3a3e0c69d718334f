"""What intake knows when a request arrives, handed to it where the server is composed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from railyard.control.db.engine import Database
from railyard.control.executors.base import Capacity, Executor
from railyard.control.executors.places import Places
from railyard.settings import Settings
from railyard.spec.records import CodeVersion, ComputeClass


class Code(Protocol):
    """The part of the code room that intake needs."""

    async def resolve(self, code: str | None, workflow_name: str) -> CodeVersion:
        """The code version that a request means. Raises Invalid with near names, or where it is broken."""

    async def settled(self, code_id: str) -> CodeVersion:
        """The version once its preparation has ended."""


@dataclass(frozen=True, kw_only=True)
class Known:
    database: Database
    code: Code
    places: Places
    executor: Executor
    classes: Mapping[str, ComputeClass]
    capacity: Capacity
    settings: Callable[[], Settings]
    """The settings now: buckets, connections, classes and prices may change while the server runs. Reading them brings
    `classes` up to date."""
