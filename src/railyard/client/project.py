"""Finds a code project and reads its `[tool.railyard]`: name, python, lock, workflows."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from railyard.errors import Invalid, NotFound, describe, nearest
from railyard.spec.records import FieldProblem

KEYS = ("name", "python", "lock", "workflows")
OLDEST_PYTHON = (3, 11)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MEND = "edit [tool.railyard] in {file}; it may hold name, python, lock and workflows"


@dataclass(frozen=True, kw_only=True)
class Project:
    """A folder of code that runs on the platform: `workflows/`, and a lock when it brings its own libraries."""

    folder: Path
    name: str
    python: str | None = None
    """Wanted minor version, such as `3.12`; None takes the server's."""
    lock: str | None = None
    """Path of the pinned lock inside the folder; None runs in the server's own interpreter."""
    workflows: str = "workflows"
    """Folder of the workflow classes, inside the project's."""


def find_project(path: Path | str) -> Project:
    """The code project of a file or folder: the nearest folder, upwards, with `[tool.railyard]` or `workflows/`.

    Looks no higher than the git checkout and not into the home folder from below. Raises NotFound (code `no_project`)
    where there is none, and Invalid (code `bad_project`) where its settings do not hold.
    """
    start = Path(path).expanduser().absolute()
    if not start.exists():
        raise NotFound(f"{path} is not here", code="no_project", mend="give the folder of a code project")
    start = start if start.is_dir() else start.parent
    for folder in (start, *start.parents):
        if folder != start and folder == Path.home():
            break
        settings = _settings(folder)
        if settings is not None or (folder / "workflows").is_dir():
            return _project(folder, settings or {})
        if (folder / ".git").exists():
            break
    raise NotFound(
        f"{start} is not in a code project",
        code="no_project",
        why="neither it nor a folder above holds workflows/ or a pyproject.toml with [tool.railyard]",
        mend="railyard init NAME makes one",
    )


def _settings(folder: Path) -> dict[str, Any] | None:
    """The table `[tool.railyard]`, or None where the folder has none."""
    file = folder / "pyproject.toml"
    if not file.is_file():
        return None
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Invalid(f"{file} cannot be read", code="bad_project", why=str(error), mend="mend the TOML") from None
    found = tool.get("railyard") if isinstance(tool, dict) else None
    if found is not None and not isinstance(found, dict):
        raise _bad(file, FieldProblem(path="tool.railyard", expected="a table", got=repr(found)))
    return found


def _project(folder: Path, settings: dict[str, Any]) -> Project:
    file = folder / "pyproject.toml"
    for key, value in settings.items():
        if key not in KEYS:
            expected = f"one of {', '.join(KEYS)}"
            guess = nearest(key, KEYS)
            raise _bad(file, FieldProblem(path=f"tool.railyard.{key}", expected=expected, got=repr(key), nearest=guess))
        if not isinstance(value, str):
            raise _bad(file, FieldProblem(path=f"tool.railyard.{key}", expected="text", got=repr(value)))
    workflows = _inside(folder, file, "workflows", settings.get("workflows", "workflows"))
    if not (folder / workflows).is_dir():
        raise _bad(
            file, FieldProblem(path="tool.railyard.workflows", expected="a folder that is there", got=repr(workflows))
        )
    lock = _inside(folder, file, "lock", settings["lock"]) if "lock" in settings else None
    if lock is not None and not (folder / lock).is_file():
        raise _bad(file, FieldProblem(path="tool.railyard.lock", expected="a file that is there", got=repr(lock)))
    return Project(
        folder=folder,
        name=_name(file, settings["name"]) if "name" in settings else _name_of(folder),
        python=_python(file, settings["python"]) if "python" in settings else None,
        lock=lock,
        workflows=workflows,
    )


def _name(file: Path, name: str) -> str:
    if not _NAME.fullmatch(name):
        expected = "at most 128 letters, digits, '.', '_' or '-', a letter or digit first"
        raise _bad(file, FieldProblem(path="tool.railyard.name", expected=expected, got=repr(name)))
    return name


def _name_of(folder: Path) -> str:
    """The folder's name, with `-` for what a project's name may not hold."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("-._")[:128] or "project"


def _python(file: Path, version: str) -> str:
    found = re.fullmatch(r"3\.(\d{1,2})", version)
    if not found or (3, int(found[1])) < OLDEST_PYTHON:
        expected = "a minor version from 3.11 on, such as 3.12"
        raise _bad(file, FieldProblem(path="tool.railyard.python", expected=expected, got=repr(version)))
    return version


def _inside(folder: Path, file: Path, key: str, value: str) -> str:
    """A path relative to the project, in one spelling."""
    path = PurePosixPath(value)
    clean = bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in value
    if not clean or not (folder / path).resolve().is_relative_to(folder.resolve()):
        raise _bad(
            file, FieldProblem(path=f"tool.railyard.{key}", expected="a path inside the project", got=repr(value))
        )
    return str(path)


def _bad(file: Path, problem: FieldProblem) -> Invalid:
    return Invalid(
        "the code project's settings do not hold",
        code="bad_project",
        why=describe(problem),
        mend=_MEND.format(file=file),
        fields=[problem],
    )
