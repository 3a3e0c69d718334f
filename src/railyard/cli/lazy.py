"""Our modules that stand on pydantic or HTTP, loaded at first use: `railyard --help` must not pay for them.

`from railyard.cli import lazy`, then `lazy.errors.NotFound(…)`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from railyard import errors, settings, version
    from railyard.cli import template
    from railyard.client import client, context, durations, html, locate, pages, requests, rooms
    from railyard.client import code as packing
    from railyard.spec import base as spec
    from railyard.spec import records

    __all__ = [
        "client",
        "context",
        "durations",
        "errors",
        "html",
        "locate",
        "packing",
        "pages",
        "records",
        "requests",
        "rooms",
        "settings",
        "spec",
        "template",
        "version",
    ]

_WHERE = {
    "client": "railyard.client.client",
    "context": "railyard.client.context",
    "durations": "railyard.client.durations",
    "errors": "railyard.errors",
    "html": "railyard.client.html",
    "locate": "railyard.client.locate",
    "packing": "railyard.client.code",
    "pages": "railyard.client.pages",
    "records": "railyard.spec.records",
    "requests": "railyard.client.requests",
    "rooms": "railyard.client.rooms",
    "settings": "railyard.settings",
    "spec": "railyard.spec.base",
    "template": "railyard.cli.template",
    "version": "railyard.version",
}


def __getattr__(name: str) -> ModuleType:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_WHERE[name])
    globals()[name] = module
    return module
