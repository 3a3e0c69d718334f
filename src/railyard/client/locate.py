"""Finds the line of a JSON text that holds a value, so that an error can point at it. Pure."""

from __future__ import annotations

import json
import re

_BLANK = re.compile(r"[ \t\n\r]*")
_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')
_SCALAR = re.compile(r"[^,\]}\s]+")


def line_of(text: str, path: str) -> int | None:
    """The line, from 1, of what a path such as `data.filters[2].predicate` names; None where there is no such place.

    `text` is valid JSON. For a key that is missing it is the line of the object that should hold it.
    """
    parts = [name or int(index) for name, index in _PART.findall(path)]
    places = _places(text)
    for length in (len(parts), len(parts) - 1):
        found = places.get(tuple(parts[:length]))
        if found is not None and length > 0:
            return text.count("\n", 0, found) + 1
    return None


def _places(text: str) -> dict[tuple[str | int, ...], int]:
    """Where every key, and every item of a list, begins."""
    found: dict[tuple[str | int, ...], int] = {}
    _value(text, _skip(text, 0), (), found)
    return found


def _value(text: str, at: int, path: tuple[str | int, ...], found: dict[tuple[str | int, ...], int]) -> int:
    """Walks over one value; returns where it ends."""
    if text[at] not in "{[":
        return _end(_STRING if text[at] == '"' else _SCALAR, text, at)
    is_object, end, at, index = text[at] == "{", "}" if text[at] == "{" else "]", _skip(text, at + 1), 0
    while text[at] != end:
        key: str | int = index
        start = at
        if is_object:
            at = _end(_STRING, text, start)
            key = str(json.loads(text[start:at]))
            at = _skip(text, _skip(text, at) + 1)
        found[(*path, key)] = start
        at = _skip(text, _value(text, at, (*path, key), found))
        at, index = (_skip(text, at + 1) if text[at] == "," else at), index + 1
    return at + 1


def _skip(text: str, at: int) -> int:
    return _end(_BLANK, text, at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found is not None
    return found.end()
