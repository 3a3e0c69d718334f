"""Where a code project keeps its workflows. Standard library alone: read before anything of the project is imported."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEFAULT = "workflows"


def workflows_folder(project: Path) -> Path:
    """`workflows` of bundle.json, else of `[tool.railyard]` in pyproject.toml, else `<project>/workflows`.

    A name that leads out of the project counts as the default; the folder need not exist.
    """
    named = _named(project / "bundle.json") or _named(project / "pyproject.toml")
    folder = (project / (named or DEFAULT)).resolve()
    return folder if folder.is_relative_to(project.resolve()) else (project / DEFAULT).resolve()


def _named(file: Path) -> str | None:
    try:
        text = file.read_text(encoding="utf-8")
        values: Any = (
            json.loads(text) if file.suffix == ".json" else tomllib.loads(text).get("tool", {}).get("railyard", {})
        )
        named = values.get("workflows")
    except (OSError, ValueError, AttributeError):
        return None
    return named if isinstance(named, str) and named else None


def python_files(folder: Path) -> Iterator[Path]:
    """Every .py file below a folder, in a stable order; no hidden ones, none whose name starts with `_`."""
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder).parts
        if not any(part.startswith((".", "_")) for part in inside) and path.is_file():
            yield path


def relative(project: Path, file: Path) -> str:
    """The file's path inside the project, with `/`."""
    return file.resolve().relative_to(project.resolve()).as_posix()
