"""Numbers, times and sizes in words. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any


def count(value: int | None) -> str:
    """12,345, or – for nothing."""
    return "–" if value is None else f"{value:,}"


def size(value: float) -> str:
    """Bytes as 4.1 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def took(seconds: float | None) -> str:
    """0.4 s, 4m 10s, 2h 05m."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    return f"{minutes // 60}h {minutes % 60:02d}m"


def when(at: datetime | None, now: datetime | None = None) -> str:
    """The local time today, `yesterday 09:12`, or the date."""
    if at is None:
        return "–"
    here = at.astimezone()
    days = ((now or datetime.now(UTC)).astimezone().date() - here.date()).days
    if days == 0:
        return f"{here:%H:%M:%S}"
    return f"yesterday {here:%H:%M}" if days == 1 else f"{here:%Y-%m-%d %H:%M}"


def stamp(at: datetime | None) -> str:
    """RFC 3339 UTC, for pipes."""
    return "" if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def fact(name: str, value: Any) -> str:
    """One piece of evidence; sizes in words where the name says that it is one."""
    if isinstance(value, int) and re.search(r"memory|bytes", name):
        return f"{name} {size(value)}"
    if isinstance(value, list):
        shown = ", ".join(str(item) for item in value[:12])
        return f"{name} {shown}{', …' if len(value) > 12 else ''}"
    return f"{name} {value}"


_LIBRARY = re.compile(r"/(?:site|dist)-packages/|/lib/python3|<frozen ")


def last_frame(traceback: str) -> list[str]:
    """The innermost frame outside libraries (its place, its line of code), and the exception that came out of it."""
    lines = [line for line in traceback.rstrip().splitlines() if line.strip()]
    places = [index for index, line in enumerate(lines) if re.match(r'\s*File ".*", line \d+', line)]
    if not places:
        return [line.strip() for line in lines[-1:]]
    own = [index for index in places if not _LIBRARY.search(lines[index])] or places
    place = re.sub(r'^\s*File "(.*)", line (\d+)(?:, in (.*))?$', r"\1:\2 in \3", lines[own[-1]])
    rest = lines[own[-1] + 1 :]
    code = [f"  {line.strip()}" for line in rest[:1] if line.startswith("    ")]
    ends = [line.strip() for line in rest if not line.startswith(" ")]
    return [place.removesuffix(" in "), *code, *ends[-1:]]
