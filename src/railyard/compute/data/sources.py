"""Where a source's files are: local file, folder or glob, and the same on any S3 API, always in one defined order."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from railyard.compute.data.objects import Bucket, ObjectEntry
from railyard.compute.data.problems import listed, not_found
from railyard.spec.attempt import DataAccess

SUFFIXES = (".parquet", ".parq", ".pq")
"""What a file of a folder or a glob must end with to be read."""
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class DataFile:
    """One file of a source as it was when the source was opened."""

    uri: str
    """How it is named to people and in the fingerprint: as the request names it, even where a bucket is a folder."""
    path: str
    """What the engine opens."""
    key: str
    """Path relative to the source, `/`-separated: the order of files and the identity of rows rest on it, so that they
    outlive a move of the whole source."""
    size: int
    """In bytes."""
    stamp: str
    """Changes when the file does: the etag of an object, or size, time and inode of a local file."""
    etag: str | None = None
    bucket: Bucket | None = None
    object_key: str = ""

    @property
    def remote(self) -> bool:
        """True for an object in a store."""
        return self.bucket is not None

    def tail(self, count: int) -> bytes:
        """The last `count` bytes."""
        if self.bucket is not None:
            return self.bucket.read(self.object_key, self.size - count, self.size)
        with Path(self.path).open("rb") as file:
            file.seek(max(0, self.size - count))
            return file.read(count)

    def stamp_now(self) -> str:
        """The stamp as it is now; `gone` where the file is no more."""
        if self.bucket is not None:
            entry = self.bucket.head(self.object_key)
            return entry.etag or str(entry.size) if entry else "gone"
        try:
            return local_stamp(Path(self.path).stat())
        except OSError:
            return "gone"


@dataclass(frozen=True)
class Located:
    """The files of one source, sorted by key."""

    files: tuple[DataFile, ...]
    storage_options: dict[str, str] = field(default_factory=dict, repr=False)


def locate(path: str, access: DataAccess) -> Located:
    """Finds the files behind a path: `s3://bucket/…`, `file://…` or a local path; a file, a folder or a glob.

    A bucket named in `access.buckets` is a local folder; a relative path begins in `access.folder`. Raises AttemptError
    `data_not_found` (nothing there, with what is there instead) and `storage_unavailable`.
    """
    if path.startswith("s3://"):
        bucket, _, key = path.removeprefix("s3://").partition("/")
        if bucket in access.buckets:
            if ".." in key.split("/"):
                raise not_found(f"{path} leaves its bucket", "name a path without ..", path=path)
            root = Path(access.buckets[bucket]).expanduser()
            return Located(_local(root / key, path, lambda found: f"s3://{bucket}/{_relative(found, root)}"))
        store = Bucket(bucket, access.s3)
        return Located(_remote(key, path, store), store.storage_options())
    local = unquote(urlsplit(path).path) if path.startswith("file://") else path
    return Located(_local(Path(access.folder or Path.cwd(), Path(local).expanduser()), path, str))


def local_stamp(stat: os.stat_result) -> str:
    """What changes when a local file is written or replaced."""
    return f"{stat.st_size} bytes, mtime {stat.st_mtime_ns}, inode {stat.st_ino}"


_RELATIVE = "check the path; a relative one begins where the server was started, so give an absolute one"


def _local(path: Path, asked: str, uri: Callable[[Path], str]) -> tuple[DataFile, ...]:
    try:
        if path.is_file():
            found, base = [path], path.parent
        elif path.is_dir():
            found, base = _walk(path, path), path
        elif _WILD.search(str(path)):
            base = Path(fixed_prefix(str(path)))
            found = _matching(base, path.relative_to(base).as_posix())
        else:
            mend = "check the path" if Path(asked).is_absolute() else _RELATIVE
            raise not_found(f"{asked} does not exist{_beside(path)}", mend, path=asked)
        if not found:
            raise _nothing(asked, [entry.name for entry in base.iterdir()] if base.is_dir() else [])
        files = [_local_file(one, base, uri) for one in found]
    except OSError as error:
        raise not_found(
            f"{asked} cannot be read: {error.strerror}", "check that the user that trains may read it", path=asked
        ) from None
    return tuple(sorted(files, key=lambda file: file.key))


def _matching(base: Path, pattern: str) -> list[Path]:
    found = {path for match in base.glob(pattern) for path in (_walk(match, base) if match.is_dir() else [match])}
    return [path for path in found if readable(_relative(path, base))]


def _local_file(path: Path, base: Path, uri: Callable[[Path], str]) -> DataFile:
    stat = path.stat()
    return DataFile(uri(path), str(path), _relative(path, base), stat.st_size, local_stamp(stat))


def _walk(folder: Path, base: Path) -> list[Path]:
    found = [Path(root, name) for root, _, names in os.walk(folder, followlinks=True) for name in names]
    return [path for path in found if readable(_relative(path, base))]


def _relative(path: Path, base: Path) -> str:
    return path.relative_to(base).as_posix()


def _beside(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f" (nor does the folder {folder})"
    names = sorted(entry.name for entry in folder.iterdir())
    return f"; {folder} holds {listed(names[:10])}" if names else f"; {folder} is empty"


def _remote(key: str, asked: str, bucket: Bucket) -> tuple[DataFile, ...]:
    wild = _WILD.search(key)
    entry = bucket.head(key) if key and not key.endswith("/") else None
    if entry is not None:
        base, entries = key.rpartition("/")[0], [entry]
    else:
        base = fixed_prefix(key) if wild else key.strip("/")
        there = bucket.list(base)
        entries = [one for one in there if readable(_below(one.key, base))]
        if wild:
            matches = glob_regex(key)
            entries = [one for one in entries if matches.fullmatch(one.key)]
        if not entries:
            raise _nothing(asked, [_below(one.key, base) for one in there])
    files = [_remote_file(one, base, bucket) for one in entries]
    return tuple(sorted(files, key=lambda file: file.key))


def _remote_file(entry: ObjectEntry, base: str, bucket: Bucket) -> DataFile:
    uri = f"s3://{bucket.name}/{entry.key}"
    stamp = entry.etag or str(entry.size)
    return DataFile(uri, uri, _below(entry.key, base), entry.size, stamp, entry.etag, bucket, entry.key)


def _below(key: str, base: str) -> str:
    return key[len(base) :].lstrip("/") if base else key


def _nothing(asked: str, names: Iterable[str]) -> Exception:
    there = sorted(names)[:10]
    holds = f"; there is {listed(there)}" if there else ""
    return not_found(
        f"{asked} holds no Parquet file (a name that ends with {', '.join(SUFFIXES)}){holds}",
        "name the folder or the files themselves; names that begin with _ or . are never read",
        path=asked,
    )


def readable(key: str) -> bool:
    """Whether a folder's file is data.

    It has the right suffix, and no part of its path begins with `_` or `.`, as Spark's own notes do.
    """
    parts = key.split("/")
    hidden = any(part.startswith((".", "_")) and "=" not in part for part in parts)
    return parts[-1].endswith(SUFFIXES) and not hidden


def fixed_prefix(pattern: str) -> str:
    """The folder above the first wildcard."""
    parts = pattern.split("/")
    count = next(index for index, part in enumerate(parts) if _WILD.search(part))
    return "/".join(parts[:count]) or ("/" if pattern.startswith("/") else "")


def glob_regex(pattern: str) -> re.Pattern[str]:
    """A glob over keys, as a pattern.

    `*` and `?` stay within a folder, `**` crosses folders; a match that is a folder means all below it.
    """
    text = ""
    for part in re.findall(r"\*\*/?|\*|\?|\[!?\]?[^\]]*\]|.", pattern, re.S):
        if part.startswith("**"):
            text += "(?:[^/]+/)*" if part.endswith("/") else ".*"
        elif part in "*?":
            text += {"*": "[^/]*", "?": "[^/]"}[part]
        elif part.startswith("[") and len(part) > 1:
            text += (
                ("[^/" if part[1] == "!" else "[") + part[2 if part[1] == "!" else 1 : -1].replace("\\", "\\\\") + "]"
            )
        else:
            text += re.escape(part)
    return re.compile(f"{text.rstrip('/')}(?:/.*)?", re.S)


def hive_values(keys: Sequence[str]) -> dict[str, list[str | None]]:
    """Values of the `name=value` folders above each key, where all keys have the same names.

    The value of the default partition is None.
    """
    rows = [
        {
            unquote(name): (None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value))
            for name, equals, value in (part.partition("=") for part in key.split("/")[:-1])
            if equals and name
        }
        for key in keys
    ]
    if not rows or any(row.keys() != rows[0].keys() for row in rows):
        return {}
    return {name: [row[name] for row in rows] for name in rows[0]}
