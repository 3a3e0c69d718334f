"""What every artifact store does: subclass `ArtifactStoreConformance` with a fixture `store`; done when it is green."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from railyard.artifacts.store import ArtifactStore, Entry
from railyard.errors import Conflict, Invalid, NotFound

LARGE = 9 * 2**20 + 17
"""Bytes: more than one request takes, so that the upload goes in parts."""

BAD_KEYS = (
    "", "/", "/etc/passwd", "..", "a/../b", "../a", "a/..", ".", "./a", "a/./b", "a//b", "a/",
    "a\\b", "a\x00b", "a\nb", "a\x7fb", "a\x85b", "x#1", "x#12/y", ".incoming/x", "a" * 1025, "b" * 201, "\ud800",
)  # fmt: skip
GOOD_KEYS = (
    "a", "a/b/c.txt", "with space", "ünï/日本", "percent%20sign", "50%", "a:b", "q?x=1&y", "star*", "br[0]{1}",
    "quote'\"", "x#y", ".hidden", "...", "a..b", "plus+", "tilde~", "e" * 200, "<tag>", "semi;colon,", "at@dollar$",
)  # fmt: skip


def _pieces(size: int, seed: bytes = b"x", piece: int = 2**20) -> Iterator[bytes]:
    """A stream of `size` bytes that does not compress to one repeated piece."""
    for number in range(0, size, piece):
        head = hashlib.sha256(seed + str(number).encode()).digest()
        yield (head * (piece // len(head) + 1))[: min(piece, size - number)]


class ArtifactStoreConformance:
    """Subclasses provide the fixture `store`, empty for each test."""

    @pytest.fixture
    def store(self) -> ArtifactStore:
        raise NotImplementedError("a subclass gives the store under test")

    def test_what_was_put_is_read_back_with_its_size_and_digest(self, store: ArtifactStore) -> None:
        stored = store.put("jobs/j1/1/report.json", b'{"auc": 0.9}')
        assert store.read("jobs/j1/1/report.json") == b'{"auc": 0.9}'
        assert stored.bytes == 12
        assert stored.sha256 == hashlib.sha256(b'{"auc": 0.9}').hexdigest()
        assert stored.uri == store.uri("jobs/j1/1/report.json")
        assert store.key(stored.uri) == "jobs/j1/1/report.json"

    def test_a_file_and_a_stream_store_the_same_as_their_bytes(self, store: ArtifactStore, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"one two")
        assert store.put("a", file).sha256 == store.put("b", iter([b"one", b" ", b"", b"two"])).sha256
        assert store.read("a") == store.read("b") == b"one two"

    def test_nothing_is_an_artifact_too(self, store: ArtifactStore) -> None:
        assert store.put("empty", b"").bytes == 0
        assert store.put("none", iter(())).sha256 == hashlib.sha256(b"").hexdigest()
        assert store.read("empty") == b""
        assert b"".join(store.stream("none")) == b""
        assert store.list() == [Entry(key="empty", bytes=0), Entry(key="none", bytes=0)]

    def test_a_large_stream_goes_in_parts_and_comes_back_whole(self, store: ArtifactStore) -> None:
        stored = store.put("large", _pieces(LARGE))
        digest = hashlib.sha256()
        sizes = []
        for piece in store.stream("large"):
            digest.update(piece)
            sizes.append(len(piece))
        assert digest.hexdigest() == stored.sha256
        assert sum(sizes) == stored.bytes == LARGE == store.size("large")
        assert max(sizes) <= 2**20
        assert store.list() == [Entry(key="large", bytes=LARGE)]

    @pytest.mark.parametrize("size", [3, LARGE])
    def test_the_same_content_may_be_put_again(self, store: ArtifactStore, size: int) -> None:
        assert store.put("again", _pieces(size)) == store.put("again", _pieces(size))

    @pytest.mark.parametrize("size", [3, LARGE])
    @pytest.mark.parametrize("other", [3, 4, LARGE, LARGE + 1])
    def test_other_content_under_the_same_key_is_refused_and_the_first_stays(
        self, store: ArtifactStore, size: int, other: int
    ) -> None:
        first = store.put("key", _pieces(size))
        with pytest.raises(Conflict, match="already stored with other content"):
            store.put("key", _pieces(other, seed=b"y"))
        assert hashlib.sha256(store.read("key")).hexdigest() == first.sha256
        assert [entry.key for entry in store.list()] == ["key"]

    @pytest.mark.parametrize("size", [3, LARGE])
    def test_overwrite_replaces(self, store: ArtifactStore, size: int) -> None:
        store.put("key", b"first")
        stored = store.put("key", _pieces(size), overwrite=True)
        assert hashlib.sha256(store.read("key")).hexdigest() == stored.sha256

    @pytest.mark.parametrize("size", [3, LARGE])
    def test_a_source_that_breaks_leaves_nothing_and_its_own_error(self, store: ArtifactStore, size: int) -> None:
        def broken() -> Iterator[bytes]:
            yield from _pieces(size)
            raise RuntimeError("the line was cut")

        with pytest.raises(RuntimeError, match="the line was cut"):
            store.put("half", broken())
        assert store.list() == []
        assert not store.exists("half")

    def test_a_missing_source_file_is_the_callers_error(self, store: ArtifactStore, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            store.put("key", tmp_path / "missing")

    def test_of_many_writers_of_one_key_one_wins_whole(self, store: ArtifactStore) -> None:
        def write(number: int) -> bool:
            try:
                store.put("race", bytes([number]) * 1000)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = [number for number, done in enumerate(pool.map(write, range(8))) if done]
        assert len(won) == 1
        assert store.read("race") == bytes([won[0]]) * 1000

    @pytest.mark.parametrize("key", GOOD_KEYS)
    def test_a_key_lists_as_it_was_given(self, store: ArtifactStore, key: str) -> None:
        store.put(key, b"1")
        assert store.read(key) == b"1"
        assert [entry.key for entry in store.list()] == [key]
        assert store.delete(key)
        assert store.list() == []

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_a_key_that_could_escape_or_confuse_is_refused_everywhere(self, store: ArtifactStore, key: str) -> None:
        for call in (store.read, store.stream, store.size, store.uri, store.delete, lambda bad: store.put(bad, b"1")):
            with pytest.raises(Invalid) as caught:
                call(key)
            assert caught.value.code == "bad_key"
        assert store.list() == []

    @pytest.mark.parametrize("prefix", ["", "/", "..", "a/../..", "a\x00"])
    def test_a_bad_prefix_never_deletes(self, store: ArtifactStore, prefix: str) -> None:
        store.put("a/b", b"1")
        with pytest.raises(Invalid):
            store.delete_prefix(prefix)
        assert store.exists("a/b")

    def test_a_missing_artifact_is_named(self, store: ArtifactStore) -> None:
        for call in (store.read, store.stream, store.size):
            with pytest.raises(NotFound, match="there is no artifact jobs/j1/1/nope"):
                call("jobs/j1/1/nope")
        assert store.exists("jobs/j1/1/nope") is False
        assert store.delete("jobs/j1/1/nope") is False
        assert store.delete_prefix("jobs/j1/1") == 0
        assert store.list("jobs") == []

    def test_a_prefix_is_a_folder_not_a_beginning(self, store: ArtifactStore) -> None:
        for key in ("jobs/j1/1/a", "jobs/j1/1/b/c", "jobs/j1/10/a", "jobs/j1/2"):
            store.put(key, key.encode())
        assert [entry.key for entry in store.list("jobs/j1/1")] == ["jobs/j1/1/a", "jobs/j1/1/b/c"]
        assert store.list("jobs/j1/1/") == store.list("jobs/j1/1")
        assert store.delete_prefix("jobs/j1/1/") == 2
        assert [entry.key for entry in store.list()] == ["jobs/j1/10/a", "jobs/j1/2"]

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, 4, b"0123"),
            (3, 2, b"34"),
            (8, 100, b"89"),  # beyond the end: what there is
            (4, None, b"456789"),
            (10, 5, b""),
            (99, None, b""),
            (2, 0, b""),
        ],
    )
    def test_a_part_is_read_by_start_and_length(
        self, store: ArtifactStore, start: int, length: int | None, expected: bytes
    ) -> None:
        store.put("digits", b"0123456789")
        assert store.read("digits", start=start, length=length) == expected

    def test_an_address_elsewhere_has_no_key_here(self, store: ArtifactStore) -> None:
        for uri in ("s3://another/jobs/j1", "file:///etc/passwd", f"{store.uri('a')}/../../b", "jobs/j1"):
            with pytest.raises(Invalid):
                store.key(uri)
