"""Where a job's code lies and in which runtime it runs: what `jobs` asks of whoever knows code.

It stands below both, because `jobs` and `code` never import each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from railyard.control.executors.base import Runtime


@dataclass(frozen=True, kw_only=True)
class Place:
    """The code is unpacked and its runtime is built."""

    folder: str
    """The project folder: it holds workflows/."""
    runtime: Runtime
    project: str | None = None
    git_sha: str | None = None
    dirty: bool = False


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Not yet: the runtime is being built. The job waits with `waiting_runtime`."""

    message: str


@dataclass(frozen=True, kw_only=True)
class Broken:
    """Never: the runtime cannot be built. The job fails with `runtime_build`."""

    message: str
    mend: str = ""


class Places(Protocol):
    async def place(self, code_id: str | None) -> Place | Waiting | Broken:
        """The place of a code version; None means the server's own interpreter without user code."""
