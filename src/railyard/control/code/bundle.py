"""Reads a code bundle that somebody sent, trusting nothing in it, and lays it out as a folder."""

from __future__ import annotations

import hashlib
import io
import re
import stat
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from railyard.client.code import MANIFEST, MAX_BYTES, MAX_FILES, code_id
from railyard.errors import Invalid, TooLarge
from railyard.spec.jsonc import parse_strict
from railyard.spec.records import BundleManifest

MAX_RATIO = 200
"""Most bytes that one byte of the zip may become; text reaches about 20."""
_MAX_MANIFEST = 64 * 2**10
_MAX_DIRECTORY = 8 * 2**20
"""Most bytes of the zip's list of entries: 10,000 of them with long names."""

_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x07"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PYTHON = re.compile(r"3\.\d{1,2}")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A code bundle whose every entry was read and checked."""

    code_id: str
    sha256: str
    manifest: BundleManifest
    files: Mapping[str, bytes]
    """Path to content, without bundle.json; at most 50 MiB together."""

    @property
    def lock(self) -> str | None:
        """The text of the lock, where the project brings one."""
        return self.files[self.manifest.lock].decode() if self.manifest.lock else None


def read_bundle(zip_bytes: bytes) -> Bundle:
    """Reads and checks a bundle.

    Raises TooLarge for more than 50 MiB or 10,000 files, and Invalid (code `bad_bundle`) for anything that is not a
    plain zip of plain files with a bundle.json that holds.
    """
    _check_directory(zip_bytes)
    with _told(), zipfile.ZipFile(io.BytesIO(zip_bytes)) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        _check_entries(entries, len(zip_bytes))
        content = {entry.filename: archive.read(entry) for entry in entries}
    manifest = _manifest(content.pop(MANIFEST, None))
    _check_parts(manifest, content)
    return Bundle(
        code_id=code_id(zip_bytes), sha256=hashlib.sha256(zip_bytes).hexdigest(), manifest=manifest, files=content
    )


def unpack(zip_bytes: bytes, folder: Path) -> None:
    """Lays a bundle out as a folder of read-only files, bundle.json included; it appears whole or not at all."""
    bundle = read_bundle(zip_bytes)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True
    ) as scratch:
        whole = Path(scratch) / "whole"
        manifest = bundle.manifest.model_dump_json(indent=2).encode()
        for path, content in {**bundle.files, MANIFEST: manifest}.items():
            file = whole / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            file.chmod(0o444)
        try:
            whole.rename(folder)
        except OSError:
            # Somebody else was first: the same id is the same content.
            if not (folder / MANIFEST).is_file():
                raise


def _check_directory(zip_bytes: bytes) -> None:
    """Looks at the zip's end before Python's reader does, which would hold every listed entry in memory."""
    end = zip_bytes[-22:]
    plain = len(end) == 22 and end.startswith(_END) and end.endswith(b"\0\0") and zip_bytes[-42:-38] != _END_64
    if not plain:
        raise _bad("it is not a plain zip (a comment, a zip64 directory or another kind of file)")
    if int.from_bytes(end[12:16], "little") > _MAX_DIRECTORY:
        raise _too_many()


def _check_entries(entries: list[zipfile.ZipInfo], zip_size: int) -> None:
    if len(entries) > MAX_FILES + 1:
        raise _too_many()
    total = sum(entry.file_size for entry in entries)
    if total > MAX_BYTES + _MAX_MANIFEST:
        raise TooLarge(
            f"the bundle unpacks to {total / 1e6:,.1f} MB; it may hold {MAX_BYTES / 1e6:.1f} MB",
            why="code is small; data is named by path in a request",
            mend="leave data and weights out of the code project (.gitignore)",
        )
    if total > MAX_RATIO * zip_size:
        raise _bad(f"its files are more than {MAX_RATIO} times its size")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        problem = _name_problem(name) or _kind_problem(entry)
        if problem:
            raise _bad(f"the entry {name[:200]!r} {problem}")
        folded = unicodedata.normalize("NFC", name)
        if folded in seen:
            raise _bad(f"two entries are named {name[:200]!r}")
        seen.add(folded)
    for name in seen:
        parts = name.split("/")
        above = next((up for up in ("/".join(parts[:depth]) for depth in range(1, len(parts))) if up in seen), None)
        if above:
            raise _bad(f"{above[:200]!r} is both a file and a folder")


def _name_problem(name: str) -> str | None:
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name) or "\\" in name:
        return "holds a control character or a backslash"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "is an absolute path"
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "leads out of the bundle, or is not in its shortest form"
    if len(name.encode("utf-8", "replace")) > 1000 or any(len(part.encode("utf-8", "replace")) > 250 for part in parts):
        return "is too long"
    return None


def _kind_problem(entry: zipfile.ZipInfo) -> str | None:
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is a link or a device, not a plain file"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in a way that is not read here"
    return None


def _manifest(content: bytes | None) -> BundleManifest:
    if content is None:
        raise _bad(f"it holds no {MANIFEST}")
    if len(content) > _MAX_MANIFEST:
        raise _bad(f"{MANIFEST} is too large")
    try:
        manifest = BundleManifest.model_validate(parse_strict(content.decode()))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _bad(f"{MANIFEST}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise _bad(f"{MANIFEST} is not JSON: {error}") from None
    wrong = [
        field
        for field, fine in {
            "format": manifest.format == 1,
            "project": bool(_NAME.fullmatch(manifest.project)),
            "python": manifest.python is None or bool(_PYTHON.fullmatch(manifest.python)),
            "workflows": _name_problem(manifest.workflows) is None,
            "git_sha": manifest.git_sha is None or bool(_SHA.fullmatch(manifest.git_sha)),
        }.items()
        if not fine
    ]
    if wrong:
        raise _bad(f"{MANIFEST}: {wrong[0]} does not hold: {getattr(manifest, wrong[0])!r}")
    return manifest


def _check_parts(manifest: BundleManifest, files: Mapping[str, bytes]) -> None:
    if manifest.lock is not None and manifest.lock not in files:
        raise _bad(f"{MANIFEST} names the lock {manifest.lock!r}, which it does not hold")
    if manifest.lock is not None:
        try:
            files[manifest.lock].decode()
        except UnicodeDecodeError:
            raise _bad(f"the lock {manifest.lock} is not UTF-8 text") from None
    if not any(path.startswith(f"{manifest.workflows}/") and path.endswith(".py") for path in files):
        raise _bad(f"{manifest.workflows}/ holds no Python file")


@contextmanager
def _told() -> Iterator[None]:
    """What a damaged zip makes Python's reader raise."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise _bad(f"the zip cannot be read: {error}") from None


def _bad(why: str) -> Invalid:
    return Invalid(
        "this is not a code bundle",
        code="bad_bundle",
        why=why,
        mend="let the CLI or the SDK pack it: railyard deploy FOLDER",
    )


def _too_many() -> TooLarge:
    return TooLarge(
        f"the bundle holds more than {MAX_FILES:,} files", mend="leave what is not code out of it (.gitignore)"
    )
