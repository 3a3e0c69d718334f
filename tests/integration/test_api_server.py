"""The server as a process: starts, says so, refuses a second one, stops clean, comes back with everything."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from railyard.cli.home import warm_interpreters
from railyard.control.server import main


class Process:
    """A server under test; `told` is the line it wrote when it was ready."""

    def __init__(self, home: Path, *flags: str) -> None:
        read, write = os.pipe()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAILYARD_")}
        self.child = subprocess.Popen(
            [sys.executable, "-m", "railyard.control.server", "--home", str(home), "--ready-fd", str(write), *flags],
            env=environment,
            cwd=home.parent,
            pass_fds=[write],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(write)
        # What it says is read as it comes: a full pipe would stop it.
        self.words: list[str] = []
        self._reader = threading.Thread(target=lambda: self.words.extend(self.child.stderr or ()), daemon=True)
        self._reader.start()
        with os.fdopen(read) as pipe:
            line = pipe.readline()
        self.told: dict[str, Any] | None = json.loads(line) if line else None

    @property
    def url(self) -> str:
        assert self.told is not None, self.said()
        return str(self.told["url"])

    def said(self) -> str:
        self.child.wait(60)
        self._reader.join(10)
        return "".join(self.words)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.child.send_signal(number)
        return self.child.wait(60)


@contextmanager
def running(home: Path, *flags: str) -> Iterator[Process]:
    process = Process(home, *flags)
    try:
        yield process
    finally:
        if process.child.poll() is None:
            process.child.kill()
            process.child.wait(60)
        for interpreter in warm_interpreters(home):  # they outlive their server by design
            os.kill(interpreter.pid, signal.SIGTERM)
        stop_postgres(home)


def stop_postgres(home: Path) -> None:
    """A killed server leaves its database running, for the next one to adopt."""
    try:
        pid = int((home / "postgres" / "data" / "postmaster.pid").read_text().split("\n")[0])
        os.kill(pid, signal.SIGQUIT)
    except (OSError, ValueError, IndexError):
        return


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def _get(process: Process, path: str, token: str | None = None) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.get(f"{process.url}{path}", headers=headers, timeout=30)


def test_a_life_of_a_server(home: Path) -> None:
    with running(home, "--port", "0") as first:
        assert first.told == json.loads((home / "server.json").read_text())
        assert first.told["pid"] == first.child.pid
        assert _get(first, "/healthz").json()["status"] == "ok"
        token = (home / "token").read_text().strip()
        assert _get(first, "/v1/whoami", token).json()["scopes"] == ["admin"]
        assert _get(first, "/v1/whoami").status_code == 401
        for name in ("server.json", "token", "secret"):
            assert (home / name).stat().st_mode & 0o777 == 0o600

        second = Process(home, "--port", "0")
        assert second.told is None
        assert second.child.wait(60) == 2
        assert "another server runs on" in second.said()
        assert first.url in second.said()

        # An open stream does not keep it from stopping.
        with socket.create_connection(("127.0.0.1", int(first.url.rsplit(":", 1)[1]))) as idle:
            idle.sendall(b"GET /healthz HTTP/1.1\r\n")
            assert first.stop() == 0
        assert not (home / "server.json").exists()
        assert token not in first.said()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(home, "--port", str(port)) as again:
            assert int(again.url.rsplit(":", 1)[1]) > port
            assert (home / "token").read_text().strip() == token
            assert _get(again, "/v1/whoami", token).status_code == 200
            assert again.stop(signal.SIGINT) == 0
            assert f"port {port} is taken" in again.said()
    log = (home / "logs" / "server.log").read_text()
    assert token not in log
    assert all(json.loads(line) for line in log.splitlines())


def test_a_killed_server_is_followed_by_one_that_finds_everything(home: Path) -> None:
    with running(home, "--port", "0") as first:
        token = (home / "token").read_text().strip()
        body = {"user": "bob", "scopes": ["read"]}
        headers = {"Authorization": f"Bearer {token}"}
        made = httpx2.post(f"{first.url}/v1/tokens", headers=headers, json=body, timeout=30).json()["token"]
        first.child.kill()
        first.child.wait(60)
        second = Process(home, "--port", "0")
        try:
            assert _get(second, "/v1/whoami", made).json()["user"] == "bob"
        finally:
            assert second.stop() == 0


def test_an_address_that_is_not_here_ends_it_with_four_lines_and_no_traceback(home: Path, database_url: str) -> None:
    with running(home, "--host", "203.0.113.7", "--database-url", database_url) as process:
        assert process.told is None
        said = process.said()
        assert process.child.wait(60) == 2
        assert "error: cannot listen on 203.0.113.7" in said
        assert "Traceback" not in said


def test_a_bad_flag_is_told_before_anything_is_made(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "--port", "99999"]) == 2
    assert "port" in capsys.readouterr().err
    assert not home.exists()


def test_it_starts_with_no_data_or_ml_library() -> None:
    code = (
        "import sys, railyard.control.server\n"
        "heavy = {'polars', 'pandas', 'numpy', 'pyarrow', 'sklearn', 'xgboost', 'torch', 'duckdb'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
