"""What a supervisor is told at its birth. The token is not in it: it comes by descriptor."""

from __future__ import annotations

from pathlib import Path

from railyard.spec.attempt import Limits
from railyard.spec.base import Record


class Order(Record):
    """One attempt to carry out."""

    name: str
    url: str
    """Where the server answers."""
    address: Path | None = None
    """The file in which a server on this machine says where it answers now: `{"url": …}`."""
    folder: Path
    """`<home>/attempts/<name>`."""
    limits: Limits
    """As of the start; the spec's, once it is here, say the same."""
    groups: bool = True
    """Whether the kernel's control groups may be used; without, memory is sampled."""
    cold_reason: str | None = None
    """Why no warm interpreter runs this; None where one does."""
