"""Which libraries, of which versions, were in the process that trained."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from functools import cache
from typing import Any

_SPOKEN = {"sklearn": "scikit-learn"}
"""Frameworks that are not called as their module is."""


@cache
def _owners() -> dict[str, list[str]]:
    """Top-level module to the distributions that bring it."""
    return {module: sorted(set(names)) for module, names in importlib.metadata.packages_distributions().items()}


def version_of(distribution: str) -> str:
    """The installed version; empty where the metadata cannot be read."""
    try:
        return importlib.metadata.version(distribution) or ""
    except importlib.metadata.PackageNotFoundError:
        return ""


def loaded_libraries() -> dict[str, str]:
    """Distribution to version, of everything imported in this process, sorted by name."""
    modules = {name.split(".")[0] for name in list(sys.modules)}
    names = {one for module in modules for one in _owners().get(module, ())}
    return {name: version_of(name) for name in sorted(names)}


def framework_of(model: Any) -> tuple[str, str]:
    """The library of a model's class and its version, such as `("scikit-learn", "1.9.1")`.

    `python` for a class of the user's own that descends from no library's.
    """
    for kind in type(model).__mro__:
        module = kind.__module__.split(".")[0]
        owners = _owners().get(module)
        if owners:
            return _SPOKEN.get(module, module), version_of(owners[0])
    return "python", platform.python_version()
