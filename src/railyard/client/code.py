"""Packs a code project into its code bundle: the same files give the same bytes everywhere, and so the same id."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from railyard.client.code_files import Selection, select
from railyard.client.project import Project, find_project
from railyard.errors import Invalid, TooLarge
from railyard.spec.base import dump
from railyard.spec.records import BundleManifest

__all__ = ["MANIFEST", "MAX_BYTES", "MAX_FILES", "PackedCode", "Project", "code_id", "find_project", "pack"]

MANIFEST = "bundle.json"
MAX_BYTES = 50 * 2**20
"""Most bytes of all files of a bundle together."""
MAX_FILES = 10_000


@dataclass(frozen=True, kw_only=True)
class PackedCode:
    """A code bundle, ready to be sent."""

    zip_bytes: bytes
    code_id: str
    manifest: BundleManifest
    files: tuple[str, ...]
    """Paths in the bundle, sorted, without bundle.json."""
    warnings: tuple[str, ...] = ()
    """What the code may miss: files left out because they look like secrets, or no git SHA."""
    notes: tuple[str, ...] = ()
    """Data files that were left out."""


def code_id(zip_bytes: bytes) -> str:
    """`c` and the first 12 hex digits of the bundle's sha256."""
    return f"c{hashlib.sha256(zip_bytes).hexdigest()[:12]}"


def pack(folder: Path | str) -> PackedCode:
    """Packs the code project that a folder belongs to.

    Raises NotFound where there is no project, Invalid (code `bad_project`) where it does not hold together, and
    TooLarge when its files exceed 50 MiB or 10,000.
    """
    project = find_project(folder)
    chosen = select(project.folder)
    notes = list(chosen.notes)
    if chosen.files.pop(MANIFEST, None):
        notes.append(f"{MANIFEST} is left out: the bundle brings its own")
    _check_size(chosen)
    _check_parts(project, chosen)
    manifest = BundleManifest(
        project=project.name,
        python=project.python,
        lock=project.lock,
        workflows=project.workflows,
        git_sha=chosen.checkout.sha if chosen.checkout else None,
        dirty=bool(chosen.checkout and chosen.checkout.dirty),
    )
    content = _zipped(manifest, chosen)
    return PackedCode(
        zip_bytes=content,
        code_id=code_id(content),
        manifest=manifest,
        files=tuple(sorted(chosen.files)),
        warnings=(*chosen.warnings, *_lock_forgotten(project, chosen)),
        notes=tuple(notes),
    )


def _zipped(manifest: BundleManifest, chosen: Selection) -> bytes:
    """Stored, not compressed: what zlib makes of the same bytes differs between its versions, and the id must not."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        text = json.dumps(dump(manifest), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        archive.writestr(_entry(MANIFEST), text.encode())
        for path in sorted(chosen.files):
            archive.writestr(_entry(path), chosen.files[path].read_bytes())
    return content.getvalue()


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = 0o100644 << 16
    return entry


def _check_size(chosen: Selection) -> None:
    if len(chosen.files) > MAX_FILES:
        raise TooLarge(
            f"the code project has {len(chosen.files):,} files; a bundle holds at most {MAX_FILES:,}",
            mend="name what is not code in .gitignore",
        )
    sizes = {path: file.stat().st_size for path, file in chosen.files.items()}
    total = sum(sizes.values())
    if total > MAX_BYTES:
        largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:5]
        named = ", ".join(f"{path} ({sizes[path] / 1e6:.1f} MB)" for path in largest)
        raise TooLarge(
            f"the code project has {total / 1e6:.1f} MB; a bundle holds at most {MAX_BYTES / 1e6:.1f} MB",
            why=f"the largest files: {named}",
            mend="name what is not code in .gitignore; a request names its data by path",
        )


def _check_parts(project: Project, chosen: Selection) -> None:
    if project.lock and project.lock not in chosen.files:
        raise Invalid(
            f"the lock {project.lock} does not get into the bundle",
            code="bad_project",
            why="git ignores it, or it looks like a secret",
            mend=f"take {project.lock} out of .gitignore, or name another lock in [tool.railyard]",
        )
    if not any(path.startswith(f"{project.workflows}/") and path.endswith(".py") for path in chosen.files):
        raise Invalid(
            f"{project.workflows}/ holds no Python file",
            code="bad_project",
            why="a code project is there for its workflow classes",
            mend=f"put a class that subclasses railyard.Workflow into a file of {project.folder / project.workflows}",
        )


def _lock_forgotten(project: Project, chosen: Selection) -> list[str]:
    if project.lock is None and "requirements.lock" in chosen.files:
        return ['requirements.lock is not used: say lock = "requirements.lock" in [tool.railyard] to run with it']
    return []
