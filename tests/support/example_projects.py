"""The bundled examples, as tests load them: their classes, their requests, their data."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from railyard.compute.workflows import discovery
from railyard.spec.jsonc import parse_strict, strip_comments

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def workflow(project: str, name: str) -> type[Any]:
    """A workflow class of one of the example projects, found as a job finds it."""
    return discovery.load(EXAMPLES / project, name)


def request(file: str) -> dict[str, Any]:
    """A bundled request, without its comments."""
    found: dict[str, Any] = parse_strict(strip_comments((EXAMPLES / file).read_text()))
    return found


def on(file: str, **changes: Any) -> dict[str, Any]:
    """A bundled request as a patch for `perform`: all of it but where its data lies."""
    found = json.loads(json.dumps(request(file)))
    del found["data"]["features"]
    found["data"]["holdout_sampling"].setdefault("random_sampling", None)
    return {**found, **changes}


def make_data() -> ModuleType:
    """The demo's program that writes its data, as a module."""
    spec = importlib.util.spec_from_file_location("demo_make_data", EXAMPLES / "fraud" / "make_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
