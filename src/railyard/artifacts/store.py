"""Artifacts by key in a folder or in any S3: whole or not there at all, and never changed once they are there."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from railyard.artifacts.keys import INCOMING, check_key, check_prefix
from railyard.errors import ConfigurationError, Conflict, Invalid, NotFound, Unavailable
from railyard.spec.attempt import S3Access

if TYPE_CHECKING:
    from obstore import BytesStream
    from obstore.store import S3Config

Source = Path | bytes | Iterable[bytes]

_CHUNK = 2**20
_SMALL = 8 * 2**20
"""Up to this many bytes an artifact goes out in one conditional request; above, in parts."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What was put."""

    uri: str
    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One key of a listing, with the size of its artifact in bytes."""

    key: str
    bytes: int


class ArtifactStore:
    """Bytes by key. Every call blocks; async code calls it in a thread. One store may be used by many threads.

    Every method raises Invalid for a key that may not name an artifact, and Unavailable (code `storage_unavailable`)
    when the place behind it cannot be reached, is full, or refuses us.
    """

    def __init__(self, store: ObjectStore, root: str) -> None:
        self._store = store
        self._root = root.rstrip("/")
        # S3 has no rename; there a large upload becomes visible as a whole when its last part is confirmed.
        self._renames = not isinstance(store, S3Store)

    def uri(self, key: str) -> str:
        """The artifact's address: `file:///folder/key` or `s3://bucket/prefix/key`."""
        return f"{self._root}/{check_key(key)}"

    def key(self, uri: str) -> str:
        """The key behind one of this store's addresses. Raises Invalid for an address elsewhere."""
        if not uri.startswith(f"{self._root}/"):
            raise Invalid(f"{uri} does not lie in {self._root}", code="bad_key")
        return check_key(uri.removeprefix(f"{self._root}/"))

    def put(self, key: str, source: Source, *, overwrite: bool = False) -> Stored:
        """Stores bytes, a file, or a stream of chunks, and tells size and sha256, which it computes on the way.

        Putting the same content again is no error. Raises Conflict (code `artifact_exists`) when the key holds other
        content, unless `overwrite`. A source that raises leaves nothing behind.
        """
        check_key(key)
        measured = _Measured(_chunks(source))
        first = measured.take(_SMALL)
        with self._told(key):
            try:
                if measured.finished:
                    self._put_small(key, first, measured, overwrite)
                elif overwrite:
                    obstore.put(self._store, key, measured.all(first))
                else:
                    self._put_large(key, first, measured)
            except FileNotFoundError as error:
                if measured.broken:
                    raise
                raise _unavailable(self._root, key, error, "make the bucket, or name one that is there") from None
        return Stored(uri=self.uri(key), sha256=measured.sha256, bytes=measured.bytes)

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """The artifact, or `length` bytes of it from `start`. Raises NotFound."""
        with self._told(key), self._found(key):
            if not start and length is None:
                return bytes(obstore.get(self._store, key).bytes())
            size = obstore.head(self._store, key)["size"]
            end = size if length is None else min(size, start + length)
            if start >= end:
                return b""
            return bytes(obstore.get_range(self._store, key, start=start, end=end))

    def stream(self, key: str, chunk: int = _CHUNK) -> Iterator[bytes]:
        """The artifact in pieces of at most `chunk` bytes. Raises NotFound at the call, before the first piece."""
        with self._told(key), self._found(key):
            pieces = obstore.get(self._store, key).stream(min_chunk_size=chunk)
        return self._pieces(key, pieces, chunk)

    def size(self, key: str) -> int:
        """The artifact's size in bytes. Raises NotFound."""
        with self._told(key), self._found(key):
            return obstore.head(self._store, key)["size"]

    def exists(self, key: str) -> bool:
        """Whether the key holds an artifact."""
        try:
            self.size(key)
        except NotFound:
            return False
        return True

    def list(self, prefix: str = "") -> list[Entry]:
        """All under a folder of keys, sorted (`jobs/j1/1` does not cover `jobs/j1/10`); without one, everything."""
        under = check_prefix(prefix) if prefix else None
        with self._told(prefix):
            found = [entry for page in obstore.list(self._store, under) for entry in page]
        entries = [Entry(key=entry["path"], bytes=entry["size"]) for entry in found]
        return sorted(
            (entry for entry in entries if not entry.key.startswith(f"{INCOMING}/")), key=lambda entry: entry.key
        )

    def delete(self, key: str) -> bool:
        """Removes one artifact; False when there was none."""
        if not self.exists(key):
            return False
        with self._told(key), suppress(FileNotFoundError):
            obstore.delete(self._store, key)
        return True

    def delete_prefix(self, prefix: str) -> int:
        """Removes everything under a folder of keys; tells how many artifacts that were. Never the whole store."""
        keys = [entry.key for entry in self.list(check_prefix(prefix))]
        with self._told(prefix):
            for begin in range(0, len(keys), 1000):
                with suppress(FileNotFoundError):
                    obstore.delete(self._store, keys[begin : begin + 1000])
        return len(keys)

    def _put_small(self, key: str, content: bytes, measured: _Measured, overwrite: bool) -> None:
        try:
            obstore.put(self._store, key, content, mode="overwrite" if overwrite else "create", use_multipart=False)
        except AlreadyExistsError:
            self._same_or_conflict(key, measured)

    def _put_large(self, key: str, first: bytes, measured: _Measured) -> None:
        """In parts. On S3 nothing guards the key between look and end; one that names an attempt needs no guard."""
        if self.exists(key):
            measured.drain()
            self._same_or_conflict(key, measured)
        elif not self._renames:
            obstore.put(self._store, key, measured.all(first))
        else:
            waiting = f"{INCOMING}/{uuid.uuid4().hex}"
            obstore.put(self._store, waiting, measured.all(first))
            try:
                obstore.rename(self._store, waiting, key, overwrite=False)
            except AlreadyExistsError:
                self._same_or_conflict(key, measured)
            finally:
                with suppress(FileNotFoundError):
                    obstore.delete(self._store, waiting)

    def _size_of_winner(self, key: str) -> int | None:
        """Bytes of the artifact that was first; None where the store guards its key but does not show it yet."""
        for wait in (0.05, 0.1, 0.2, 0.4, 0.0):
            try:
                return self.size(key)
            except NotFound:
                time.sleep(wait)
        return None

    def _same_or_conflict(self, key: str, measured: _Measured) -> None:
        if self._size_of_winner(key) == measured.bytes:
            digest = hashlib.sha256()
            for piece in self.stream(key):
                digest.update(piece)
            if digest.hexdigest() == measured.sha256:
                return
        raise Conflict(
            f"{key} is already stored with other content",
            code="artifact_exists",
            why="an artifact never changes once it is stored",
            mend="store it under another key",
        )

    def _pieces(self, key: str, pieces: BytesStream, chunk: int) -> Iterator[bytes]:
        with self._told(key):
            for piece in pieces:
                whole = bytes(piece)
                yield from (whole[begin : begin + chunk] for begin in range(0, len(whole), chunk))

    @contextmanager
    def _found(self, key: str) -> Iterator[None]:
        check_key(key)
        try:
            yield
        except FileNotFoundError:
            raise NotFound(
                f"there is no artifact {key}", code="artifact_not_found", why=f"looked in {self._root}"
            ) from None

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """Turns the store's own errors into ours; what a source raised passes as it is."""
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise _unavailable(self._root, key, error, "check the credentials and what they may do there") from None
        except BaseError as error:
            raise _unavailable(
                self._root, key, error, "see that the place is there, reachable and not full; then try again"
            ) from None


def open_store(root: str | Path, s3: S3Access | None = None) -> ArtifactStore:
    """The store at a folder, `file:///folder`, `s3://bucket/prefix` or `memory:` (for tests: gone with the process)."""
    place = str(root)
    scheme, separator, rest = place.partition("://")
    if place == "memory:":
        return ArtifactStore(MemoryStore(), "memory:")
    if separator and scheme == "s3":
        return _open_s3(rest, s3 or S3Access())
    if separator and scheme != "file":
        raise ConfigurationError(
            f"artifacts cannot be kept at {place}",
            why=f"{scheme}:// is not known",
            mend="give a folder or s3://bucket/prefix",
        )
    folder = Path(rest if separator else place).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"artifacts cannot be kept at {folder}: {error.strerror}",
            mend="set artifacts to a folder that can be written",
        ) from None
    return ArtifactStore(LocalStore(folder, automatic_cleanup=True), f"file://{folder}")


def _open_s3(place: str, access: S3Access) -> ArtifactStore:
    bucket, _, prefix = place.partition("/")
    if not bucket:
        raise ConfigurationError("s3:// names no bucket", mend="set artifacts to s3://bucket/prefix")
    prefix = check_prefix(prefix) if prefix.strip("/") else ""
    config: S3Config = {"region": access.region, "virtual_hosted_style_request": False}
    if access.endpoint:
        config["endpoint"] = access.endpoint
    if access.access_key and access.secret_key:
        config["access_key_id"], config["secret_access_key"] = access.access_key, access.secret_key
    store = S3Store(
        bucket,
        prefix=prefix or None,
        config=config,
        client_options={"allow_http": access.allow_http, "connect_timeout": "5 seconds", "timeout": "5 minutes"},
        retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=30)},
    )
    return ArtifactStore(store, f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}")


class _Measured:
    """Chunks on their way into the store, counted and hashed as they pass."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._digest = hashlib.sha256()
        self.bytes = 0
        self.finished = False
        self.broken = False
        """The source raised: its error is the caller's, not the store's."""

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        while not self.finished:
            try:
                chunk = next(self._chunks)
            except StopIteration:
                self.finished = True
                return
            except BaseException:
                self.broken = True
                raise
            self._digest.update(chunk)
            self.bytes += len(chunk)
            yield chunk

    def take(self, most: int) -> bytes:
        """The first chunks, until they are more than `most` bytes; `finished` says whether that was all."""
        parts = []
        for chunk in self:
            parts.append(chunk)
            if self.bytes > most:
                break
        return b"".join(parts)

    def all(self, first: bytes) -> Iterator[bytes]:
        yield first
        yield from self

    def drain(self) -> None:
        for _ in self:
            pass


def _chunks(source: Source) -> Iterator[bytes]:
    if isinstance(source, bytes):
        # In pieces, so that a large value takes the same way as a large stream.
        yield from (source[begin : begin + _SMALL] for begin in range(0, len(source), _SMALL))
    elif isinstance(source, Path):
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    else:
        yield from source


def _unavailable(root: str, key: str, error: Exception, mend: str) -> Unavailable:
    # The first line is the sentence; what follows is the library's debug print.
    return Unavailable(
        f"the artifact store did not carry out a request for {key or 'a list'}",
        code="storage_unavailable",
        why=f"{root}: {str(error).splitlines()[0][:500]}",
        mend=mend,
    )
