"""A job for a person's eyes: the step line, the result block, the cause card."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from railyard.cli import lazy, words
from railyard.cli.output import Output

if TYPE_CHECKING:
    from railyard.client.job import Job
    from railyard.spec.base import Money
    from railyard.spec.records import JobResult
    from railyard.spec.result import DataSummary, ModelInfo
    from railyard.spec.states import State

TONES = {
    "queued": "faint",
    "starting": "busy",
    "running": "busy",
    "succeeded": "ok",
    "failed": "bad",
    "cancelled": "faint",
}
EXIT_CODES = {"succeeded": 0, "failed": 10, "cancelled": 11}
"""A job's own exit code, by its final state."""


def state(job: Job, out: Output) -> str:
    """✓ succeeded, coloured."""
    text = f"{lazy.html.SYMBOLS[job.state]} {job.state}"
    return out.ink(text, TONES[job.state])


def seconds(job: Job, now: datetime | None = None) -> float | None:
    """From start to finish, or to now; None before it started."""
    if job.started_at is None:
        return None
    return max(0.0, ((job.finished_at or now or datetime.now(UTC)) - job.started_at).total_seconds())


def block(job: Job, out: Output) -> list[str]:
    """What a final job came to, or where a running one stands. Reads its warnings from the server."""
    took = words.took(seconds(job))
    head = [state(job, out), out.ink(job.job_id, "strong"), job.model_name, f"in {took}" if job.final else took]
    lines = ["  ".join(head)]
    rows: list[tuple[str, str]] = []
    if job.error:
        rows += cause(job)
    elif job.message or job.reason:
        rows.append(("reason", ": ".join(part for part in (job.reason, job.message) if part)))
    rows += [("rows", text) for text in counts(job.data)]
    for name, metrics in (("holdout", job.metrics.holdout), ("train", job.metrics.train)):
        rows += [(name, metric_line(metrics))] if metrics else []
    result = job.result() if job.state == "succeeded" else None
    if job.model_id:
        rows.append(("model", job.model_id + (f"  {model_form(result.model)}" if result and result.model else "")))
    if job.experimental:
        rows.append(("note", "experimental: it read a source that changes, or ran code that is not deployed"))
    rows += [("warning", text) for text in _warnings(job, result)]
    if job.started_at or job.cost.amount is not None:
        rows.append(("cost", cost(job.cost)))
    rows.append(("url", job.url))
    for name, text in rows:
        first, *more = text.splitlines() or [""]
        lines.append(f"  {out.ink(f'{name:<9}', 'faint')} {first}")
        lines += [f"  {'':<9} {line}" for line in more]
    return lines


def model_form(model: ModelInfo) -> str:
    """How a model was saved, and how large it is."""
    return f"{model.format}, {words.size(model.bytes)}" + (", a pickle" if model.pickled else "")


def _warnings(job: Job, result: JobResult | None) -> list[str]:
    of_data = job.data.warnings if job.data else ()
    return list(dict.fromkeys([*of_data, *(result.warnings if result else ())]))


def cause(job: Job) -> list[tuple[str, str]]:
    """Why it failed: reason, sentence, evidence, last frame, mend."""
    report = job.error
    if report is None:
        return []
    where = f" in step {report.step}" if report.step else ""
    again = f", attempt {job.attempt}" if job.attempt > 1 else ""
    rows = [("reason", f"{report.code}{where}{again}"), ("why", report.message)]
    if report.evidence:
        rows.append(("evidence", " · ".join(words.fact(name, value) for name, value in report.evidence.items())))
    if report.traceback:
        rows.append(("at", "\n".join(words.last_frame(report.traceback))))
    rows += [("mend", report.mend)] if report.mend else []
    return rows


def counts(data: DataSummary | None) -> list[str]:
    """The counts of the data."""
    if data is None:
        return []
    parts = [f"{words.count(data.rows_read)} read", f"{words.count(data.rows_after_filters)} after filters"]
    parts += [f"{words.count(data.rows_train)} train", f"{words.count(data.rows_holdout)} holdout"]
    return [" · ".join(parts)]


def metric_line(metrics: Mapping[str, float | None], most: int | None = None) -> str:
    """auc 0.912  log_loss 0.31"""
    shown = list(lazy.html.ordered(metrics).items())[:most]
    return "  ".join(f"{name} {lazy.html.number(value)}" for name, value in shown)


def cost(money: Money) -> str:
    """An amount and how it came about."""
    return lazy.html.money(money) + (f"  = {money.formula}" if money.formula else "")


def step_line(job: Job, out: Output, now: datetime | None = None) -> str:
    """✓ prepare 0.4 s  ✓ fetch 1.2 s  ▶ train 41 % 12.0 s; a step that a job ended in bears the job's sign."""
    now = job.finished_at or now or datetime.now(UTC)
    parts = []
    for step in job.steps:
        if step.finished_at is not None:
            parts.append(f"{out.ink('✓', 'ok')} {step.name} {words.took(step.seconds)}")
        else:
            share = f" {job.progress:.0%}" if job.progress is not None and step.name == job.step else ""
            going = words.took(max(0.0, (now - step.started_at).total_seconds()))
            parts.append(f"{_sign(job, out)} {step.name}{share} {going}")
    if not job.final and all(step.finished_at is not None for step in job.steps):
        waits = f" {job.reason}" if job.reason else ""
        place = f", number {job.queue_position} in line" if job.state == "queued" and job.queue_position else ""
        parts.append(f"{out.ink(lazy.html.SYMBOLS[job.state], TONES[job.state])} {job.state}{waits}{place}")
    return "  ".join(parts)


def _sign(job: Job, out: Output) -> str:
    state: State = job.state if job.final else "running"
    return out.ink(lazy.html.SYMBOLS[state], TONES[state])


def news(before: Job | None, job: Job) -> list[str]:
    """What changed between two looks at a job, one line each: for output that is not a terminal."""
    lines = []
    if before is None or (before.state, before.reason, before.attempt) != (job.state, job.reason, job.attempt):
        parts = [job.state, *([f"attempt {job.attempt}"] if job.attempt > 1 else [])]
        parts += [": ".join(filter(None, (job.reason, job.message)))] if job.reason and not job.final else []
        lines += [" · ".join(parts)] if not job.final else []
    known = {step.name: step.finished_at for step in before.steps} if before and before.attempt == job.attempt else {}
    for step in job.steps:
        if step.finished_at is not None and known.get(step.name) is None:
            lines.append(f"✓ {step.name} {words.took(step.seconds)}")
        elif step.finished_at is None and step.name not in known:
            lines.append(f"▶ {step.name}")
    return lines
