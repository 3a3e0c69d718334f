"""When a call is sent again, and after how long. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRIES = 3
"""How often an idempotent call is sent again by default."""
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 30.0
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


def retries_for(method: str, headers: Mapping[str, str], wanted: int | None) -> int:
    """How often this call may be sent again.

    A POST is sent again only when it carries an idempotency key, or when the caller vouches for it by stating a number.
    """
    if wanted is not None:
        return wanted
    repeatable = method.upper() in _IDEMPOTENT or any(name.lower() == "idempotency-key" for name in headers)
    return RETRIES if repeatable else 0


def wait_seconds(tried: int, retry_after: str | None = None, *, now: datetime | None = None) -> float:
    """How long to wait after the try of this number (from 1): doubling, jittered; or what the server asked for."""
    asked = _retry_after(retry_after, now or datetime.now(UTC))
    if asked is not None:
        return min(asked, LONGEST_WAIT_SECONDS)
    ceiling = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (tried - 1))
    return random.uniform(ceiling / 2, ceiling)


def _retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds of a Retry-After header: a number, or an HTTP date; None where there is none to be understood."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
