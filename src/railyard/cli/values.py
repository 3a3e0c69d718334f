"""`k=v` on the command line: v is JSON where it can be read as such, else text; k may be a path. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import click


def pairs(given: Iterable[str], option: str) -> dict[str, Any]:
    """`-p max_depth=6 -p name=x`. Raises UsageError for one without `=`."""
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"{option} {text!r}: expected NAME=VALUE")
        found[name.strip()] = parsed(value)
    return found


def pointer(path: str) -> tuple[str | int, ...]:
    """`data.filters[2].predicate`, as errors write it, to its steps. Raises UsageError for what is no path."""
    if not re.fullmatch(r"[^.\[\]]+(\[\d+\])*(\.[^.\[\]]+(\[\d+\])*)*", path):
        raise click.UsageError(f"--set {path!r}: expected a path such as data.date_column or data.filters[0].predicate")
    return tuple(int(index) if index else name for index, name in re.findall(r"\[(\d+)\]|([^.\[\]]+)", path))


def parsed(text: str) -> Any:
    """JSON (numbers, true, null, lists, objects, quoted text), or the text itself."""
    try:
        return json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return text


def _not_json(name: str) -> Any:
    raise ValueError(name)
