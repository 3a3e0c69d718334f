"""Small line charts as inline SVG: no script, no style attribute, readable in light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite

from markupsafe import Markup, escape

Point = tuple[float, float]

WIDTH, HEIGHT = 340, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 22
MOST_POINTS = 400
"""Per line; more would not be seen."""


def chart(lines: Mapping[str, Sequence[Point]], *, x: str, y: str, unit: bool = False) -> Markup:
    """Lines over one pair of axes, at most two; `unit` fixes both axes to 0…1. Empty where there is nothing to draw."""
    drawn = {
        name: thinned([point for point in line if isfinite(point[0]) and isfinite(point[1])])
        for name, line in lines.items()
    }
    points = [point for line in drawn.values() for point in line]
    if not points:
        return Markup("")
    low_x, high_x = (0.0, 1.0) if unit else _span(point[0] for point in points)
    low_y, high_y = (0.0, 1.0) if unit else _span(point[1] for point in points)

    def place(point: Point) -> str:
        across = _share(point[0], low_x, high_x) * (WIDTH - _LEFT - _RIGHT)
        down = (1 - _share(point[1], low_y, high_y)) * (HEIGHT - _TOP - _BOTTOM)
        return f"{_LEFT + across:.1f},{_TOP + down:.1f}"

    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img"',
        f' aria-label="{escape(f"{y} over {x}")}">',
        f'<path class="axis" fill="none" d="M{_LEFT},{_TOP}V{bottom}H{right}"/>',
        f'<text x="{_LEFT - 4}" y="{_TOP + 9}" text-anchor="end">{_number(high_y)}</text>',
        f'<text x="{_LEFT - 4}" y="{bottom}" text-anchor="end">{_number(low_y)}</text>',
        f'<text x="{_LEFT}" y="{HEIGHT - 6}">{_number(low_x)}</text>',
        f'<text x="{right}" y="{HEIGHT - 6}" text-anchor="end">{_number(high_x)}</text>',
        f'<text x="{(_LEFT + right) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x)}</text>',
    ]
    for colour, line in zip(("one", "two"), drawn.values(), strict=False):
        if len(line) == 1:
            across, down = place(line[0]).split(",")
            parts.append(f'<circle class="{colour}" cx="{across}" cy="{down}" r="3"/>')
        elif line:
            parts.append(f'<polyline class="{colour}" points="{" ".join(place(point) for point in line)}"/>')
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 (numbers of ours, and words escaped above)


def thinned(line: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most `most` points of a line, evenly spaced, both ends kept."""
    if len(line) <= most:
        return list(line)
    return [line[round(index * (len(line) - 1) / (most - 1))] for index in range(most)]


def _span(values: Iterable[float]) -> tuple[float, float]:
    found = list(values)
    return min(found), max(found)


def _share(value: float, low: float, high: float) -> float:
    """Where a value lies between two others, 0 to 1; in the middle where these are equal. Halves cannot overflow."""
    return (value / 2 - low / 2) / (high / 2 - low / 2) if high / 2 > low / 2 else 0.5


def _number(value: float) -> str:
    return f"{value:.4g}"
