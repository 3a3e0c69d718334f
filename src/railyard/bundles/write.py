"""Finishes a model bundle: measures the files that the training wrote and puts the manifest beside them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from railyard.bundles.manifest import MANIFEST, MOST_MANIFEST_BYTES, SIGNATURE, BundleFile, Manifest, bad_bundle
from railyard.bundles.read import Bundle


def write(folder: Path, **fields: Any) -> Bundle:
    """Lists every file in `folder` in a manifest made of `fields` (Manifest's, without `files`) and writes it there.

    The bytes are on the disk when it returns. Raises Invalid `bad_bundle` where the folder holds a link or no file at
    all.
    """
    manifest = Manifest(files=tuple(measure(folder, path) for path in inventory(folder)), **fields)
    if not manifest.files:
        raise bad_bundle(
            f"{folder} holds no model file", mend="serialize must write at least one file into the folder it is given"
        )
    raw = manifest.canonical()
    if len(raw) > MOST_MANIFEST_BYTES:
        raise bad_bundle(
            f"the manifest would have {len(raw)} bytes; at most {MOST_MANIFEST_BYTES} are read",
            mend="write fewer files",
        )
    target = folder / MANIFEST
    unfinished = folder / f".{MANIFEST}"
    with unfinished.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(target)
    return Bundle(folder, manifest)


def inventory(folder: Path) -> list[str]:
    """The relative paths of all files below a folder, sorted.

    Raises Invalid `bad_bundle` for links and other special files.
    """
    found = []
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(place) / name
            inside = path.relative_to(folder).as_posix()
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise bad_bundle(f"{inside} is a link or a special file; a bundle holds plain files only")
            if path.is_file() and inside not in (MANIFEST, SIGNATURE):
                found.append(inside)
    return sorted(found)


def measure(folder: Path, path: str) -> BundleFile:
    """Size and sha256 of one file."""
    digest, size = hashlib.sha256(), 0
    with (folder / path).open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
            size += len(block)
    return BundleFile(path=path, size=size, sha256=digest.hexdigest())
