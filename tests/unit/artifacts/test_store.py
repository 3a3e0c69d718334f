"""The local folder and the memory store keep the contract; how a place that cannot be used is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from railyard.artifacts.store import ArtifactStore, open_store
from railyard.errors import ConfigurationError, Unavailable
from railyard.spec.attempt import S3Access
from railyard.testing.artifacts import LARGE, ArtifactStoreConformance


class TestFolder(ArtifactStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ArtifactStore:
        return open_store(tmp_path / "deep" / "artifacts")

    def test_uris_name_the_file(self, store: ArtifactStore, tmp_path: Path) -> None:
        stored = store.put("code/c1.zip", b"zip")
        assert stored.uri == f"file://{tmp_path}/deep/artifacts/code/c1.zip"
        assert Path(stored.uri.removeprefix("file://")).read_bytes() == b"zip"

    def test_a_large_upload_is_invisible_until_it_is_whole(self, store: ArtifactStore) -> None:
        half, go_on = threading.Event(), threading.Event()

        def slow() -> Iterator[bytes]:
            yield b"a" * LARGE
            half.set()
            go_on.wait(30)
            yield b"end"

        writer = threading.Thread(target=store.put, args=("slow", slow()))
        writer.start()
        assert half.wait(30)
        assert not store.exists("slow")
        assert store.list() == []
        go_on.set()
        writer.join(30)
        assert store.size("slow") == LARGE + 3

    def test_deleting_leaves_no_empty_folders(self, store: ArtifactStore, tmp_path: Path) -> None:
        store.put("jobs/j1/1/a", b"1")
        store.put("jobs/j2/1/a", b"1")
        store.delete_prefix("jobs/j1")
        assert [path.name for path in (tmp_path / "deep" / "artifacts" / "jobs").iterdir()] == ["j2"]

    def test_a_folder_cannot_be_replaced_by_an_artifact(self, store: ArtifactStore) -> None:
        store.put("a/b", b"1")
        with pytest.raises(Unavailable, match="did not carry out a request for a/b/c"):
            store.put("a/b/c", b"2")


class TestMemory(ArtifactStoreConformance):
    @pytest.fixture
    def store(self) -> ArtifactStore:
        return open_store("memory:")


def test_a_file_uri_is_a_folder(tmp_path: Path) -> None:
    assert open_store(f"file://{tmp_path}/x").put("a", b"1").uri == f"file://{tmp_path}/x/a"


@pytest.mark.parametrize("root", ["gs://bucket/x", "ftp://host/x", "s3://", "s3:///x"])
def test_a_place_of_an_unknown_kind_is_refused(root: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store(root)
    assert "s3://bucket/prefix" in caught.value.mend


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="cannot be kept at"):
        open_store(tmp_path / "file" / "artifacts")


def test_s3_without_keys_is_opened_without_a_request() -> None:
    store = open_store("s3://bucket/some/prefix/", S3Access(endpoint="http://127.0.0.1:9", allow_http=True))
    assert store.uri("code/c1.zip") == "s3://bucket/some/prefix/code/c1.zip"
