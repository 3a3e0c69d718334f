"""JSON as people write it (`//` comments) and as the server demands it (strict)."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_TOKENS = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n\r]*')


def strip_comments(text: str) -> str:
    """Blanks `//` comments outside strings; positions and line numbers of what is left do not move."""
    return _TOKENS.sub(lambda found: found[0] if found[0].startswith('"') else " " * len(found[0]), text)


def parse_strict(text: str) -> Any:
    """RFC 8259 JSON: no comments, no NaN, no repeated keys, no number beyond a double's range.

    Raises ValueError with line and column.
    """
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique, parse_float=_finite)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is beyond the range of a double")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'the key "{repeated}" stands twice in one object')
    return found


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396 JSON merge patch: null removes a key, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
