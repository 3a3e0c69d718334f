"""How the background duties fare, as /readyz and /metrics show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DutyHealth:
    """One background duty."""

    seconds_since_success: float | None
    """None before the first success."""
    late_after_seconds: float
    """From here on the duty counts as not working."""

    @property
    def healthy(self) -> bool:
        return self.seconds_since_success is not None and self.seconds_since_success < self.late_after_seconds
