"""The demo project that `railyard init` writes: from the package, or from examples/fraud in a checkout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from railyard.errors import ConfigurationError, Conflict

_LEFT_OUT = frozenset({"data", "railyard-local", "__pycache__", ".railyard", ".venv", ".ipynb_checkpoints"})
"""Folders that a project grows while it is used: they are no part of the template."""
_CACHES = ".*_cache"


def template_folder() -> Path:
    """Where the demo project lies on this machine. Raises ConfigurationError where the installation lost it."""
    here = Path(__file__).resolve().parent
    candidates = (here / "template", here.parents[2] / "examples" / "fraud")
    for folder in candidates:
        if (folder / "request.json5").is_file():
            return folder
    raise ConfigurationError(
        "the demo project is not in this installation",
        code="no_template",
        why=f"it is neither at {candidates[0]} nor at {candidates[1]}",
        mend="pip install --force-reinstall railyard",
    )


def write_template(target: Path) -> list[Path]:
    """Copies the demo project into a folder, made where it is missing; returns the files written, in order of name.

    Nothing is overwritten: raises Conflict, before anything is written, where a file is there already.
    """
    source = template_folder()
    wanted = {target / part: source / part for part in _parts(source)}
    for folder in sorted({target, *(path.parent for path in wanted)}):
        if folder.exists() and not folder.is_dir():
            raise Conflict(f"{folder} is a file, not a folder", code="exists", mend="railyard init ANOTHER-FOLDER")
    taken = [path.relative_to(target).as_posix() for path in wanted if path.exists() or path.is_symlink()]
    if taken:
        raise Conflict(
            f"{target} already holds {_listed(taken)}",
            code="exists",
            why="railyard init overwrites nothing",
            mend="railyard init ANOTHER-FOLDER, or move these files away",
        )
    for path, origin in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(origin.read_bytes())
    return list(wanted)


def _parts(source: Path) -> Iterator[PurePath]:
    """The template's files, relative to it, without what using it leaves behind."""
    for path in sorted(source.rglob("*")):
        part = path.relative_to(source)
        grown = any(name in _LEFT_OUT or PurePath(name).match(_CACHES) for name in part.parts)
        if path.is_file() and not grown and path.suffix != ".pyc":
            yield part


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
