"""Real servers for the integration ring: an S3 API over a folder."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import parts
import pytest

from railyard.spec.attempt import S3Access

START_SECONDS = 30
"""Longest wait for the server to listen."""


@dataclass(frozen=True)
class S3Server:
    """A running S3 server; its buckets are folders, yet everything goes through the API."""

    endpoint: str
    access_key: str
    secret_key: str
    folder: Path

    @property
    def access(self) -> S3Access:
        """How the server is reached."""
        return S3Access(endpoint=self.endpoint, allow_http=True, access_key=self.access_key, secret_key=self.secret_key)

    def bucket(self, name: str) -> str:
        """Makes a bucket, if it is not there."""
        (self.folder / name).mkdir(exist_ok=True)
        return name

    def put(self, bucket: str, key: str, data: bytes) -> str:
        """Uploads an object and returns its s3:// path."""
        from obstore.store import S3Store

        store = S3Store(
            bucket,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
            client_options={"allow_http": True},
        )
        store.put(key, data)
        return f"s3://{bucket}/{key}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(server: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"the S3 server did not listen on port {port} (exit code {server.poll()})")


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server of this session's own."""
    program = parts.versitygw()
    folder = tmp_path_factory.mktemp("s3")
    data, meta = folder / "data", folder / "meta"
    data.mkdir()
    meta.mkdir()
    port = _free_port()
    found = S3Server(f"http://127.0.0.1:{port}", "railyard", "not-a-secret", data)
    arguments = ["--port", f"127.0.0.1:{port}", "--region", "us-east-1", "--quiet"]
    environment = {**os.environ, "ROOT_ACCESS_KEY": found.access_key, "ROOT_SECRET_KEY": found.secret_key}
    with subprocess.Popen([program, *arguments, "posix", "--sidecar", str(meta), str(data)], env=environment) as server:
        try:
            _await_port(server, port)
            yield found
        finally:
            server.terminate()
