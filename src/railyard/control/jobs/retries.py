"""How often an attempt is tried again, and after which wait. Which budget a reason draws on: spec/reasons.py."""

from __future__ import annotations

from railyard.spec.reasons import RetryBudget
from railyard.spec.request import RetryPolicy

_LONGEST_WAIT_SECONDS = 600.0


def retries_allowed(retry: RetryPolicy, budget: RetryBudget) -> int | None:
    """Retries that the request grants to a budget; None for any number."""
    if budget == "preempted":
        return None if retry.preempted == "unlimited" else retry.preempted
    granted = {
        "user_code": retry.user_code,
        "out_of_memory": retry.out_of_memory.max,
        "infrastructure": retry.infrastructure,
        "never": 0,
    }
    return granted[budget]


def backoff_seconds(used: int, first: float) -> float:
    """Wait before the next retry: doubles with every one used, to ten minutes."""
    return float(min(first * 2.0 ** min(used, 30), max(first, _LONGEST_WAIT_SECONDS)))
