"""Railyard: an open platform that trains, tracks, ships and serves machine-learning models.

Everything here loads at its first use, so that `import railyard` costs next to nothing. Types: `__init__.pyi`.
"""

from __future__ import annotations

import importlib
from typing import Any

from railyard.version import __version__

_WHERE = {
    "Client": "railyard.client.client",
    "Context": "railyard.compute.workflows.context",
    "Invalid": "railyard.errors",
    "JobCancelled": "railyard.errors",
    "JobFailed": "railyard.errors",
    "NotFound": "railyard.errors",
    "RailyardError": "railyard.errors",
    "Timeout": "railyard.errors",
    "TrainResult": "railyard.compute.workflows.outcome",
    "Unreachable": "railyard.errors",
    "Workflow": "railyard.compute.workflows.workflow",
    "field": "railyard.compute.workflows.params",
}

__all__ = [
    "Client",
    "Context",
    "Invalid",
    "JobCancelled",
    "JobFailed",
    "NotFound",
    "RailyardError",
    "Timeout",
    "TrainResult",
    "Unreachable",
    "Workflow",
    "__version__",
    "field",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'railyard' has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
