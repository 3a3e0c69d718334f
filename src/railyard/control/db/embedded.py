"""The PostgreSQL of a laptop: started as our child over a Unix socket, watched, adopted again, stopped.

A small launcher over PostgreSQL's own programs. It outlives a killed server and is found again by the next one.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import URL

from railyard.control.db.cluster import USER, Cluster, environment, postmaster, prepare, recorded_pid
from railyard.errors import ConfigurationError

logger = logging.getLogger(__name__)

DATABASE = "railyard"
_READY_SECONDS = 600.0
"""Recovery after a crash may take long; while the process lives it is waited for."""
_STOP_SECONDS = 30.0
_PATIENCE_SECONDS = 10.0
"""For what an earlier postgres leaves behind for a moment: its shared memory, its own shutdown."""
_LARGEST_LOG = 16 * 2**20


class EmbeddedPostgres:
    """One PostgreSQL on one folder. `start` and `stop` block (call them in a thread from async code); `watch` is async.

    While started it holds `<folder>/lock`: a second server on the same folder is refused.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """`durable=False` trades safety in a power cut for speed: for tests."""
        self._folder = folder
        self._durable = durable
        self._cluster: Cluster | None = None
        self._lock: int | None = None
        self._process: psutil.Process | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while started."""
        return self._process.pid if self._process else None

    def start(self) -> str:
        """Starts or adopts PostgreSQL, waits for its answer, returns its SQLAlchemy URL. Raises ConfigurationError."""
        self._take_lock()
        try:
            self._cluster = prepare(self._folder)
            self._launch()
            self._make_database()
        except BaseException:
            self.stop()
            raise
        return self._url(DATABASE)

    def stop(self) -> None:
        """Ends PostgreSQL (clients are disconnected, data is flushed) and lets go of the folder. No-op when stopped."""
        process, self._process = self._process, None
        if process is not None:
            for number, patience in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
                if _ended(process, number, patience):
                    break
        if self._child is not None:
            self._child.wait()
            self._child = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def watch(self, every_seconds: float = 0.5) -> None:
        """Starts PostgreSQL again whenever it has died, until cancelled or stopped. The URL stays the same."""
        while self._process is not None:
            await asyncio.sleep(every_seconds)
            if self._process is None or self._alive():
                continue
            logger.warning("the embedded PostgreSQL died; starting it again")
            try:
                await asyncio.to_thread(self._launch)
            except Exception:
                logger.exception("the embedded PostgreSQL did not start again; trying once more")
                await asyncio.sleep(5 * every_seconds)

    def _alive(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return self._process is not None and postmaster(self._the_cluster().data) == self._process

    def _take_lock(self) -> None:
        folder = self._folder.expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._lock is not None:
            return
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise ConfigurationError(
                f"another Railyard server uses {folder}",
                code="database_in_use",
                mend="railyard down stops it; railyard up --data-dir names another folder",
            ) from None
        self._lock = lock

    def _launch(self) -> None:
        """Adopts a living postgres of this folder, else starts one. Returns when it answers."""
        cluster = self._the_cluster()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            self._child, self._process = None, postmaster(cluster.data)
            if self._process is None:
                self._spawn(cluster)
            if self._became_ready():
                return
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"PostgreSQL did not start in {cluster.folder}",
                    code="database_start",
                    why=_tail(cluster.log),
                    mend=f"{cluster.log} has its own words",
                )
            time.sleep(0.2)

    def _spawn(self, cluster: Cluster) -> None:
        # Whoever has this pid now is not our postgres; PostgreSQL itself would not dare to start.
        (cluster.data / "postmaster.pid").unlink(missing_ok=True)
        speed = (
            () if self._durable else ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
        )
        command = cluster.command(
            "postgres", "-D", str(cluster.data), "-c", "listen_addresses=", "-c", "port=5432",
            "-c", f"unix_socket_directories={cluster.sockets}", "-c", "unix_socket_permissions=0700",
            "-c", "shared_buffers=64MB", "-c", "io_method=sync", "-c", "timezone=UTC", *speed,
        )  # fmt: skip
        mode = "wb" if cluster.log.exists() and cluster.log.stat().st_size > _LARGEST_LOG else "ab"
        with cluster.log.open(mode) as log:
            # A session of its own: Ctrl-C in the server's terminal must not reach it before the server has finished.
            self._child = subprocess.Popen(
                command, env=environment(), cwd=cluster.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._process = psutil.Process(self._child.pid)

    def _became_ready(self) -> bool:
        """True when the process we mean answers; False when it ended first."""
        cluster = self._the_cluster()
        deadline = time.monotonic() + _READY_SECONDS
        while self._alive() and time.monotonic() < deadline:
            # Whoever else answers on the socket is not ours: the file must name the process we started or adopted.
            if self._process is not None and recorded_pid(cluster.data) == self._process.pid:
                try:
                    psycopg.connect(self._conninfo("postgres"), connect_timeout=2).close()
                except psycopg.OperationalError as error:
                    if "authentication failed" in str(error):
                        raise ConfigurationError(
                            f"the password in {cluster.folder / 'password'} is not the database's",
                            code="database_password",
                            mend=f"put the original file back; {cluster.data} knows no other",
                        ) from None
                else:
                    return True
            time.sleep(0.01)
        return False

    def _make_database(self) -> None:
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _the_cluster(self) -> Cluster:
        if self._cluster is None:
            raise RuntimeError("call start() first")
        return self._cluster

    def _conninfo(self, database: str) -> str:
        cluster = self._the_cluster()
        return psycopg.conninfo.make_conninfo(
            host=str(cluster.sockets), port=5432, user=USER, password=cluster.password, dbname=database
        )

    def _url(self, database: str) -> str:
        cluster = self._the_cluster()
        url = URL.create(
            "postgresql+psycopg", username=USER, password=cluster.password, database=database,
            query={"host": str(cluster.sockets), "port": "5432"},
        )  # fmt: skip
        return url.render_as_string(hide_password=False)


def _ended(process: psutil.Process, number: signal.Signals, patience: float) -> bool:
    """Sends the signal and says whether the process ended in time. A reused pid is never signalled (psutil checks)."""
    try:
        process.send_signal(number)
        process.wait(patience)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-8:])
    except OSError:
        return ""
