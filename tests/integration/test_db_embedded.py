"""The embedded Postgres under bad luck: kills, stale files, reused pids, a second server, long paths."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from railyard.control.db import cluster
from railyard.control.db.embedded import EmbeddedPostgres
from railyard.control.db.engine import conninfo
from railyard.errors import ConfigurationError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    found = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    yield found
    found.stop()


def remember(url: str) -> None:
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")


def recall(url: str) -> int:
    with psycopg.connect(conninfo(url)) as connection:
        row = connection.execute("SELECT answer FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_rows_outlive_a_stop_and_the_url_stays_the_same(server: EmbeddedPostgres, tmp_path: Path) -> None:
    url = server.start()
    remember(url)
    server.stop()
    assert server.pid is None
    assert server.start() == url
    assert recall(url) == 42


def test_only_the_owner_reaches_socket_and_password_and_nothing_listens_on_tcp(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    url = server.start()
    folder = tmp_path / "postgres"
    assert (mode(folder), mode(folder / "socket"), mode(folder / "password")) == (0o700, 0o700, 0o600)
    assert server.pid is not None
    process = psutil.Process(server.pid)
    assert [found for found in process.net_connections() if found.family.name.startswith("AF_INET")] == []
    assert os.getsid(server.pid) == server.pid
    password = (folder / "password").read_text().strip()
    assert password not in " ".join(process.cmdline())
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(conninfo(url.replace(password, "wrong")))


def test_a_killed_postgres_comes_back_with_all_rows(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    url = server.start()
    remember(url)

    async def scene() -> None:
        watching = asyncio.create_task(server.watch(every_seconds=0.02))
        first = server.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(30):
            while server.pid == first or not await asyncio.to_thread(answers):
                await asyncio.sleep(0.02)
        watching.cancel()

    def answers() -> bool:
        try:
            return recall(url) == 42
        except psycopg.OperationalError:
            return False

    try:
        asyncio.run(scene())
    finally:
        server.stop()


def test_a_postgres_that_outlived_its_server_is_adopted_and_can_be_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    program = (
        "import sys, os, signal, pathlib; from railyard.control.db.embedded import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), durable=False); server.start()\n"
        "print(server.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    assert psutil.pid_exists(pid)
    server = EmbeddedPostgres(folder, durable=False)
    url = server.start()
    assert server.pid == pid
    remember(url)
    server.stop()
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    assert cluster.postmaster(folder / "data") is None


def test_a_pid_that_belongs_to_somebody_else_is_left_alone(server: EmbeddedPostgres, tmp_path: Path) -> None:
    url = server.start()
    remember(url)
    server.stop()
    innocent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        data = tmp_path / "postgres" / "data"
        (data / "postmaster.pid").write_text(f"{innocent.pid}\n{data}\n1\n5432\n\n\n0\nready\n")
        assert server.start() == url
        assert server.pid != innocent.pid
        assert recall(url) == 42
        server.stop()
        assert innocent.poll() is None
    finally:
        innocent.communicate(b"\n")


@pytest.mark.parametrize("content", ["", "garbage\n", "999999999\n", "-1\n", "0\n"])
def test_a_broken_pid_file_does_not_keep_it_from_starting(
    server: EmbeddedPostgres, tmp_path: Path, content: str
) -> None:
    server.start()
    server.stop()
    (tmp_path / "postgres" / "data" / "postmaster.pid").write_text(content)
    server.start()
    assert server.pid is not None


def test_a_second_server_on_the_same_folder_is_refused(server: EmbeddedPostgres, tmp_path: Path) -> None:
    server.start()
    with pytest.raises(ConfigurationError) as refused:
        EmbeddedPostgres(tmp_path / "postgres").start()
    assert refused.value.code == "database_in_use"
    assert server.pid is not None


def test_an_interrupted_first_start_leaves_nothing_half_made(server: EmbeddedPostgres, tmp_path: Path) -> None:
    half = tmp_path / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server.start()
    assert not half.exists()


def test_a_lost_password_is_told_as_that(server: EmbeddedPostgres, tmp_path: Path) -> None:
    server.start()
    server.stop()
    (tmp_path / "postgres" / "password").unlink()
    with pytest.raises(ConfigurationError) as refused:
        server.start()
    assert refused.value.code == "database_password"
    assert server.pid is None


def test_a_data_folder_that_does_not_start_is_told_in_postgres_own_words(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("railyard.control.db.embedded._PATIENCE_SECONDS", 0.0)
    server.start()
    server.stop()
    (tmp_path / "postgres" / "data" / "global" / "pg_control").unlink()
    with pytest.raises(ConfigurationError) as refused:
        server.start()
    assert refused.value.code == "database_start"
    assert "pg_control" in refused.value.why


def test_a_long_path_gets_a_short_socket_folder_of_our_own(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("deep" * 30) / "postgres", durable=False)
    url = server.start()
    sockets = Path(psycopg.conninfo.conninfo_to_dict(conninfo(url))["host"])  # type: ignore[arg-type]
    try:
        remember(url)
        assert mode(sockets) == 0o700
        assert len(str(sockets / cluster.SOCKET_NAME)) < 107
    finally:
        server.stop()
        sockets.rmdir()


def test_a_short_socket_folder_that_others_may_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("deep" * 30)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    sockets = cluster._sockets(folder)
    sockets.chmod(0o755)
    with pytest.raises(ConfigurationError, match="not a folder of this user alone"):
        cluster._sockets(folder)
    sockets.rmdir()
    sockets.symlink_to("/tmp")
    with pytest.raises((ConfigurationError, FileExistsError)):
        cluster._sockets(folder)


def test_variables_for_other_postgres_programs_change_nothing(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("PGPORT", "1"), ("PGDATA", "/nowhere"), ("PGHOST", "nowhere"), ("PGUSER", "nobody")):
        monkeypatch.setenv(name, value)
    remember(server.start())
