"""What notebooks show: HTML without script and without anything from outside. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import escape

from railyard.spec.base import Money
from railyard.spec.records import Job
from railyard.spec.states import State

_CHIPS: dict[State, tuple[str, str, str]] = {
    "queued": ("○", "#57606a", "#eaeef2"),
    "starting": ("◔", "#0550ae", "#ddf4ff"),
    "running": ("▶", "#0550ae", "#ddf4ff"),
    "succeeded": ("✓", "#116329", "#dafbe1"),
    "failed": ("✕", "#a40e26", "#ffebe9"),
    "cancelled": ("⊘", "#57606a", "#eaeef2"),
}
SYMBOLS: dict[State, str] = {state: chip[0] for state, chip in _CHIPS.items()}
"""One sign per state, the same in the terminal and in notebooks; the word always stands beside it."""

_CARD = (
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.5;max-width:46em;"
    "padding:.7em 1em;border:1px solid var(--jp-border-color2,#d0d7de);border-radius:6px;"
    "color:var(--jp-ui-font-color1,inherit)"
)
_LEAST = Decimal("0.0001")
_FIRST = ("auc", "pr_auc", "log_loss", "accuracy", "f1", "precision", "recall", "brier", "r2", "rmse", "mae")
_LAST = ("positive_rate", "n")
_FAINT = "color:var(--jp-ui-font-color2,#57606a)"


def escaped(text: object) -> str:
    """Text made safe for HTML, quotes included."""
    return escape(str(text), quote=True)


def chip(state: State) -> str:
    """The state as a small coloured label."""
    symbol, ink, paper = _CHIPS[state]
    style = f"color:{ink};background:{paper};border-radius:1em;padding:.1em .7em;font-weight:600;white-space:nowrap"
    return f'<span style="{style}">{symbol} {state}</span>'


def sparkline(values: Sequence[float | None], *, width: int = 160, height: int = 32, title: str = "") -> str:
    """A line of the values in an SVG of its own; gaps where a value is None; empty with fewer than two values."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    step = (width - 4) / (len(values) - 1)
    pieces: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            pieces.append([])
            continue
        pieces[-1].append(f"{2 + index * step:.1f},{height - 3 - (value - low) / span * (height - 6):.1f}")
    lines = "".join(f'<polyline points="{" ".join(piece)}"/>' for piece in pieces if len(piece) > 1)
    label = escaped(f"{title}: {known[0]:.6g} to {known[-1]:.6g}" if title else f"{known[0]:.6g} to {known[-1]:.6g}")
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        f'<title>{label}</title><g fill="none" stroke="var(--jp-brand-color1,#0969da)" stroke-width="1.5">'
        f"{lines}</g></svg>"
    )


def money(cost: Money) -> str:
    """An amount in words: never 0 for unknown."""
    if cost.amount is None:
        return f"{cost.core_hours:.3f} core-hours, unpriced"
    sign = "≈" if cost.basis == "estimated" else ""
    tiny = 0 < cost.amount < _LEAST
    return f"{'<' if tiny else sign}{_LEAST if tiny else cost.amount:.4f} {cost.currency or ''}".rstrip()


def number(value: float | None) -> str:
    """A metric's value: four digits, counts whole."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value.is_integer() and 1 < abs(value) < 1e12 else f"{value:.4g}"


def ordered(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    """Metrics with those that people ask for first, counts last."""
    first, last = [name for name in _FIRST if name in metrics], [name for name in _LAST if name in metrics]
    middle = sorted(set(metrics) - set(first) - set(last))
    return {name: metrics[name] for name in (*first, *middle, *last)}


def job_card(job: Job, url: str, series: dict[str, list[float | None]]) -> str:
    """One job: state, metrics, cost, why it failed, and a line per reported metric."""
    link = f'<a href="{escaped(url)}" target="_blank" rel="noopener">{escaped(job.job_id)}</a>'
    parts = [f"<div>{chip(job.state)} &nbsp;<b>{escaped(job.model_name)}</b> · {link}</div>"]
    facts = [job.workflow_name, job.compute_resource, *([job.code] if job.code else []), money(job.cost)]
    parts.append(f'<div style="{_FAINT}">{" · ".join(escaped(fact) for fact in facts)}</div>')
    if job.error:
        parts.append(f"<div><b>{escaped(job.error.code)}</b> {escaped(job.error.message)}</div>")
        parts += [f'<div style="{_FAINT}">{escaped(job.error.mend)}</div>'] if job.error.mend else []
    elif job.message:
        parts.append(f'<div style="{_FAINT}">{escaped(job.message)}</div>')
    parts += [_metrics(job)] if job.metrics.holdout or job.metrics.train else []
    for name, values in series.items():
        line = sparkline(values, title=name)
        parts += [f'<div>{line} <span style="{_FAINT}">{escaped(name)}</span></div>'] if line else []
    parts += [f"<div>{escaped(job.model_id)}</div>"] if job.model_id else []
    return f'<div style="{_CARD}">{"".join(parts)}</div>'


def job_row(job: Job, url: str) -> str:
    """One job in one line."""
    best = " · ".join(
        f"{escaped(name)} {number(value)}" for name, value in list(ordered(job.metrics.holdout).items())[:3]
    )
    link = f'<a href="{escaped(url)}" target="_blank" rel="noopener">{escaped(job.job_id)}</a>'
    return f"{chip(job.state)} {link} {escaped(job.model_name)} {best}"


def _metrics(job: Job) -> str:
    names = list(dict.fromkeys([*ordered(job.metrics.holdout), *ordered(job.metrics.train)]))[:12]
    cell = 'style="text-align:right;padding:0 .8em"'
    rows = "".join(
        f"<tr><td>{escaped(name)}</td><td {cell}>{number(job.metrics.holdout.get(name))}</td>"
        f"<td {cell}>{number(job.metrics.train.get(name))}</td></tr>"
        for name in names
    )
    return f'<table style="margin:.4em 0"><tr><th></th><th {cell}>holdout</th><th {cell}>train</th></tr>{rows}</table>'
