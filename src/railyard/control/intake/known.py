"""What intake knows when a request arrives, handed to it where the server is composed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from railyard.control.db.engine import Database
from railyard.control.executors.base import Capacity, Executor
from railyard.control.jobs.places import Places
from railyard.spec.attempt import DataAccess
from railyard.spec.records import CodeVersion, ComputeClass
from railyard.spec.request import TrainingRequest


class Code(Protocol):
    """The part of the code room that intake needs."""

    async def resolve(self, code: str | None, workflow_name: str) -> CodeVersion:
        """The code version that a request means. Raises NotFound with near names."""


@dataclass(frozen=True, kw_only=True)
class Known:
    database: Database
    code: Code
    places: Places
    executor: Executor
    classes: Mapping[str, ComputeClass]
    capacity: Capacity
    data_access: Callable[[TrainingRequest], DataAccess]
    """Where the names of a request's data block lead; only those that it names."""
