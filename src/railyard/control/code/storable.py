"""Makes what user code told fit for the database, which refuses U+0000, lone surrogates, NaN and infinities in JSON."""

from __future__ import annotations

import math
from typing import Any


def storable(value: Any) -> Any:
    """A JSON value with such text replaced and such numbers null."""
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value
