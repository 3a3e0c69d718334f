"""For tests, ours and our users': `perform` runs a workflow through the real training; suites stand beside it.

`perform` is loaded at its first use, because it needs the data libraries that the other suites do not.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["Performed", "perform"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'railyard.testing' has no attribute {name!r}")
    return getattr(importlib.import_module("railyard.testing.workflows"), name)
