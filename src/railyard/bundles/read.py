"""Reads a model bundle and checks it before anything in it reaches a parser."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from railyard.bundles.manifest import MANIFEST, SIGNATURE, BundleFile, Manifest, bad_bundle, parse_manifest


@dataclass(frozen=True)
class Bundle:
    """A model bundle in a folder."""

    folder: Path
    manifest: Manifest

    @property
    def model_id(self) -> str:
        """`<model_name>:<12 hex>`."""
        return self.manifest.model_id

    @property
    def bytes(self) -> int:
        """Of all listed files together."""
        return sum(file.size for file in self.manifest.files)


def read(folder: Path) -> Bundle:
    """The bundle in a folder by its manifest alone; files are not looked at. Raises Invalid `bad_bundle`."""
    return Bundle(folder, parse_manifest(_bytes(folder, MANIFEST)))


def check(folder: Path) -> Bundle:
    """Reads a bundle and checks every file: listed, plain, of the stated size and sha256, and none besides.

    Raises Invalid `bad_bundle`.
    """
    bundle = read(folder)
    listed = {file.path for file in bundle.manifest.files}
    for place, folders, files in os.walk(folder, followlinks=False):
        for name in [*folders, *files]:
            path = Path(place) / name
            inside = path.relative_to(folder).as_posix()
            if path.is_symlink():
                raise bad_bundle(f"{inside} is a link; a bundle holds plain files only")
            if name in files and inside not in listed | {MANIFEST, SIGNATURE}:
                raise bad_bundle(f"the bundle holds {inside}, which its manifest does not list")
    for file in bundle.manifest.files:
        _check_file(folder, file)
    return bundle


def _check_file(folder: Path, file: BundleFile) -> None:
    digest = hashlib.sha256()
    with os.fdopen(_open(folder, file.path), "rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        if size != file.size:
            raise bad_bundle(f"{file.path} has {size} bytes; the manifest says {file.size}")
        while block := opened.read(2**20):
            digest.update(block)
    if digest.hexdigest() != file.sha256:
        raise bad_bundle(f"{file.path} has sha256 {digest.hexdigest()}; the manifest says {file.sha256}")


def _bytes(folder: Path, path: str) -> bytes:
    with os.fdopen(_open(folder, path), "rb") as opened:
        return opened.read()


def _open(folder: Path, path: str) -> int:
    """A descriptor of a plain file that no link leads to: each step of the path is opened without following."""
    parts = path.split("/")
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise bad_bundle(f"{folder} is not a folder that can be read: {error.strerror}") from None
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
            os.close(place)
            place = inner
        found = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    except OSError as error:
        raise bad_bundle(f"{path} cannot be opened as a plain file of the bundle: {error.strerror}") from None
    finally:
        os.close(place)
    status = os.fstat(found)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(found)
        raise bad_bundle(f"{path} is not a plain file of its own (a link, a pipe or a device)")
    return found
