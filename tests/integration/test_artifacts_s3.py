"""Artifacts in a real S3 server keep the same contract as in a folder; what goes wrong there is told without a secret."""

from __future__ import annotations

import itertools
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import parts
import pytest

from railyard.artifacts.store import ArtifactStore, open_store
from railyard.errors import Unavailable
from railyard.spec.attempt import S3Access
from railyard.testing.artifacts import LARGE, ArtifactStoreConformance

_prefixes = itertools.count(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Access]:
    """A gateway over a folder, with one bucket named `artifacts`."""
    root = tmp_path_factory.mktemp("s3")
    (root / "data" / "artifacts").mkdir(parents=True)
    (root / "meta").mkdir()
    port = _free_port()
    program = [
        parts.versitygw(),
        "--port",
        f"127.0.0.1:{port}",
        "--access",
        "railyard",
        "--secret",
        "not-a-secret",
        "--quiet",
    ]
    with subprocess.Popen([*program, "posix", "--sidecar", str(root / "meta"), str(root / "data")]) as server:
        try:
            _await(server, port)
            yield S3Access(
                endpoint=f"http://127.0.0.1:{port}", allow_http=True, access_key="railyard", secret_key="not-a-secret"
            )
        finally:
            server.terminate()


def _await(server: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"the S3 server did not answer on port {port} (exit code {server.poll()})")


class TestS3(ArtifactStoreConformance):
    @pytest.fixture
    def store(self, access: S3Access) -> ArtifactStore:
        return open_store(f"s3://artifacts/test/{next(_prefixes)}", access)

    def test_uris_name_bucket_and_key(self, store: ArtifactStore) -> None:
        stored = store.put("code/c1.zip", b"zip")
        assert stored.uri.startswith("s3://artifacts/test/")
        assert stored.uri.endswith("/code/c1.zip")

    def test_two_prefixes_of_one_bucket_do_not_see_each_other(self, access: S3Access) -> None:
        first, second = (open_store(f"s3://artifacts/{name}", access) for name in ("one", "one-more"))
        first.put("a", b"1")
        second.put("a", b"2")
        assert (first.read("a"), second.read("a")) == (b"1", b"2")
        assert first.delete_prefix("a") == 0  # `a` is an artifact, not a folder
        assert len(first.list()) == len(second.list()) == 1


def test_a_wrong_secret_is_told_and_never_shown(access: S3Access) -> None:
    store = open_store("s3://artifacts/x", access.model_copy(update={"secret_key": "another-secret"}))
    with pytest.raises(Unavailable) as caught:
        store.put("a", b"1")
    assert caught.value.code == "storage_unavailable"
    assert "check the credentials" in caught.value.mend
    assert "another-secret" not in str(caught.value)


def test_a_missing_bucket_is_told(access: S3Access) -> None:
    with pytest.raises(Unavailable, match="did not carry out a request for a"):
        open_store("s3://no-such-bucket", access).put("a", b"1")


def test_a_large_file_is_put_from_disk(access: S3Access, tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(bytes(range(256)) * (LARGE // 256 + 1))
    store = open_store("s3://artifacts/files", access)
    stored = store.put("model.bin", file)
    assert stored.bytes == file.stat().st_size
    assert store.read("model.bin", start=LARGE - 5, length=5) == file.read_bytes()[LARGE - 5 : LARGE]
