"""Lengths of time as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from railyard.errors import Invalid

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw]?)")


def seconds(value: str | float) -> float:
    """Seconds of `90`, `"90s"`, `"2h"`, `"1h30m"`. Raises Invalid."""
    if isinstance(value, int | float):
        if value < 0:
            raise _bad(value)
        return float(value)
    text = value.strip().lower()
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise _bad(value)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def moment(value: str | datetime, now: datetime | None = None) -> datetime:
    """An instant: `"2h"` is two hours ago, otherwise RFC 3339; without a zone it is UTC. Raises Invalid."""
    if isinstance(value, str) and not re.match(r"\d{4}-", value):
        return (now or datetime.now(UTC)) - timedelta(seconds=seconds(value))
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError:
        raise _bad(value) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _bad(value: object) -> Invalid:
    return Invalid(
        f"{value!r} is not a length of time or an instant",
        why='expected such as "90s", "30m", "2h", "1d", or an instant such as 2026-11-21T09:00:00Z',
    )
