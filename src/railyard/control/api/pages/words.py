"""How the plain pages write a time, a duration, an amount of money, a metric."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from railyard.client.html import number, ordered
from railyard.spec.records import Job


def when(at: datetime | None) -> str:
    """UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else "–"


def seconds(value: float | None) -> str:
    """`4 m 10 s`."""
    if value is None:
        return "–"
    if value < 60:
        return f"{value:.1f} s"
    whole = round(value)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours} h {minutes:02d} m" if hours else f"{minutes} m {rest:02d} s"


def took(job: Job, now: datetime) -> str:
    """From the first start to the end, or to now."""
    return seconds(((job.finished_at or now) - job.started_at).total_seconds()) if job.started_at else "–"


def size(amount: int | None) -> str:
    """Bytes in binary units."""
    if amount is None:
        return "–"
    value = float(amount)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def headline(job: Job) -> str:
    """The one metric a list shows: `auc 0.912`, of the holdout where there is one."""
    for found in (job.metrics.holdout, job.metrics.train):
        for name, value in ordered(found).items():
            if value is not None and name != "n":
                return f"{name} {number(value)}"
    return "–"


def short(value: object) -> str:
    """A fact of the evidence, as JSON has it, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 300 else text[:299] + "…"
