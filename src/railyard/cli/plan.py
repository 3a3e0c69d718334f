"""What a dry run says, for a person's eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from railyard.cli import lazy, words
from railyard.cli.app import App

if TYPE_CHECKING:
    from railyard.spec.records import Plan


def show_plan(app: App, plan: Plan) -> None:
    """A dry run's answer, or the API's own resource with --json."""
    out = app.out
    if out.json:
        out.resource(lazy.spec.dump(plan))
        return
    rows = [
        (
            "runs",
            f"{plan.code or 'no code'} on {plan.compute_resource} ({plan.cpu:g} cpu, {words.size(plan.memory_bytes)})",
        ),
        ("reads", f"{words.count(plan.rows_total)} rows, at most {words.count(plan.rows_estimated)} after the filters"),
        ("bytes", words.size(plan.bytes_estimated) if plan.bytes_estimated is not None else "–"),
        (
            "takes",
            f"{words.took(plan.seconds_estimated)} (median of {plan.jobs_seen} jobs)" if plan.jobs_seen else "unknown",
        ),
        ("costs", lazy.html.money(plan.cost)),
        ("queue", f"number {plan.queue_position} in line"),
        ("columns", ", ".join(f"{name} {kind}" for name, kind in plan.columns.items())),
        *(("warning", text) for text in plan.warnings),
    ]
    for name, text in rows:
        out.line(f"{out.ink(f'{name:<8}', 'faint')} {text}")
    out.talk("nothing was submitted")
