"""The composition root: the only file that knows every concrete part. `python -m railyard.control.server` runs it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import getpass
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict
from typing import Any

import psutil
import uvicorn
from fastapi import FastAPI

from railyard import settings as configuration
from railyard.artifacts.store import ArtifactStore, open_store
from railyard.control import duties
from railyard.control import logging as logs
from railyard.control.api import tokens_store
from railyard.control.api.app import create_app
from railyard.control.api.rooms import Rooms
from railyard.control.code.room import CodeRoom
from railyard.control.code.runtimes import SERVER
from railyard.control.db.embedded import EmbeddedPostgres
from railyard.control.db.engine import Database
from railyard.control.db.listen import Listener
from railyard.control.db.migrate import upgrade
from railyard.control.executors.base import Capacity
from railyard.control.executors.local import LocalExecutor
from railyard.control.home import Home, Running
from railyard.control.intake.known import Known
from railyard.control.jobs.facts import Policy
from railyard.control.jobs.sharing import Rules
from railyard.control.jobs.states import Clocks
from railyard.errors import ConfigurationError, RailyardError
from railyard.settings import Configured, Settings
from railyard.spec.records import ComputeClass
from railyard.spec.request import memory_bytes
from railyard.version import __version__

log = logging.getLogger(__name__)

PORTS_TRIED = 100
"""How many ports above the wanted one are tried where that is taken."""
GRACEFUL_SECONDS = 2
"""Open requests get this long at a stop; streams never end by themselves."""


class Server:
    """One server on one home. `run` returns once `stop` was called and everything but running attempts has ended."""

    def __init__(
        self,
        configured: Configured,
        *,
        reload: Callable[[], Configured] | None = None,
        on_ready: Callable[[Running], None] = lambda running: None,
    ) -> None:
        """`reload` reads the settings again: buckets and connections may be added while the server runs."""
        self._configured = configured
        self._reload = reload or (lambda: configured)
        self._on_ready = on_ready
        self._home = Home(configured.settings.home)
        self._web: _Web | None = None
        self._stopping = False

    def stop(self) -> None:
        """Ends `run` as soon as open requests are answered. May be called from a signal handler."""
        self._stopping = True
        if self._web is not None:
            self._web.should_exit = True

    async def run(self) -> None:
        """Starts every part, serves until stopped, then ends the parts in the opposite order."""
        settings = self._configured.settings
        async with AsyncExitStack() as stack:
            self._home.take()
            stack.callback(self._home.leave)
            logs.start(settings.home / "logs", settings.log_level)
            secret = self._home.secret()
            database = await self._open_database(stack)
            store = await asyncio.to_thread(self._open_store)
            listening = self._bind()
            stack.callback(listening.close)
            url = _url("127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host, listening)  # noqa: S104
            rooms = await self._open_rooms(stack, database, store, secret, url)
            await self._keep_admin_token(database)
            await rooms.measures.begin(database)
            self._web = _Web(create_app(rooms), lambda: self._announce(rooms.public_url))
            if not self._stopping:
                await self._web.serve(sockets=[listening])
            log.info("stopping; running attempts go on")

    async def _open_database(self, stack: AsyncExitStack) -> Database:
        given = self._configured.settings.database_url
        if given is not None:
            url = configuration.resolve(given.get_secret_value())
        else:
            postgres = EmbeddedPostgres(self._configured.settings.home / "postgres")
            stack.push_async_callback(asyncio.to_thread, postgres.stop)
            url = await asyncio.to_thread(postgres.start)
            self._background(stack, "postgres", postgres.watch())
        await asyncio.to_thread(upgrade, url)
        database = Database(url)
        stack.push_async_callback(database.close)
        return database

    def _open_store(self) -> ArtifactStore:
        settings = self._configured.settings
        return open_store(settings.artifacts or settings.home / "artifacts", settings.s3_access())

    def _bind(self) -> socket.socket:
        """Listens on the wanted port, or on the next free one, and says so.

        The port of the last start comes first where none was asked for: attempts that still run report there.
        """
        settings, origins = self._configured.settings, self._configured.origins
        wanted = settings.port
        last = self._home.last_port() if origins.get("port", "default") == "default" and wanted else None
        tried = [last] if last else []
        tried += range(wanted, min(wanted + PORTS_TRIED, 65536)) if wanted else [0]
        for port in tried:
            listening = _listen(settings.host, port)
            if listening is not None:
                found = listening.getsockname()[1]
                if wanted and found != wanted:
                    log.warning("port %d is taken; listening on %d instead", wanted, found)
                self._home.keep_port(found)
                return listening
        raise ConfigurationError(
            f"no free port from {wanted} to {tried[-1]} on {settings.host}", mend="--port names another one"
        )

    async def _open_rooms(
        self, stack: AsyncExitStack, database: Database, store: ArtifactStore, secret: bytes, url: str
    ) -> Rooms:
        settings = self._configured.settings
        executor = LocalExecutor(
            settings.home, cpu=settings.cpu, memory=memory_bytes(settings.memory) if settings.memory else None
        )
        await executor.open()
        stack.push_async_callback(executor.close)
        capacity = await executor.capacity()
        classes = settings.compute_classes(capacity.cpu, capacity.memory_bytes, capacity.gpu)
        code = CodeRoom(database, store, settings.home, executor, pythons=settings.pythons)
        await code.open()
        stack.push_async_callback(code.close)
        listener = Listener(database.url)
        self._background(stack, "listener", listener.run())
        self._background(stack, "warm-up", executor.warm_up(SERVER))
        jobs = settings.jobs
        policy = Policy(
            classes=classes,
            clocks=Clocks(queue_timeout_seconds=jobs.queue_timeout_seconds, retry_wait_seconds=jobs.retry_wait_seconds),
        )
        loops = duties.compose(
            jobs,
            database=database,
            store=store,
            listener=listener,
            executor=executor,
            places=code,
            rules=Rules(capacity=capacity, classes=classes, per_owner=jobs.per_owner),
            policy=policy,
            secret=secret,
            url=url,
        )
        for loop in loops:
            self._background(stack, f"duty {loop.duty.name}", loop.run())
        return Rooms(
            database=database,
            listener=listener,
            store=store,
            known=Known(
                database=database,
                code=code,
                places=code,
                executor=executor,
                classes=classes,
                capacity=capacity,
                settings=lambda: self._settings_now(classes, capacity),
            ),
            policy=policy,
            code=code,
            configured=self._configured_now,
            public_url=(settings.public_url or url).rstrip("/"),
            secret=secret,
            duties=lambda: duties.health(loops),
        )

    def _settings_now(self, classes: dict[str, ComputeClass], capacity: Capacity) -> Settings:
        """The settings as the files have them now, or as they were where a file does not hold (any more).

        Everybody reads the one mapping of classes, so a class or a price that was added is known to all from here on.
        """
        found = self._configured_now().settings
        current = found.compute_classes(capacity.cpu, capacity.memory_bytes, capacity.gpu)
        classes.update(current)
        for gone in classes.keys() - current.keys():
            del classes[gone]
        return found

    def _configured_now(self) -> Configured:
        try:
            found = self._reload()
            found.settings.compute_classes(1, 2**30, 0)  # a class that does not hold shows here
        except (ConfigurationError, ValueError) as error:
            log.warning("the settings cannot be read again, so the earlier ones stay: %s", error)
            return self._configured
        return found

    async def _keep_admin_token(self, database: Database) -> None:
        """Makes the admin's token at the first start, and whenever the one in the home no longer works."""
        token = self._home.token()
        async with database.transaction() as connection:
            info = await tokens_store.find(connection, token) if token else None
            if info is None or "admin" not in info.scopes:
                made = await tokens_store.create(connection, user=_user(), teams=(), scopes=("admin",))
                self._home.keep_token(made.token)

    def _background(self, stack: AsyncExitStack, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Runs until the stack unwinds. A part that ends by itself with an error is told in the log."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_told)
        stack.push_async_callback(_ended, task)

    def _announce(self, public_url: str) -> None:
        process = psutil.Process()
        running = Running(
            url=public_url,
            pid=process.pid,
            start_time=process.create_time(),
            version=__version__,
            home=str(self._home.folder),
        )
        self._home.announce(running)
        log.info("Railyard %s answers at %s (home %s)", __version__, public_url, self._home.folder)
        self._on_ready(running)


class _Web(uvicorn.Server):
    """uvicorn that says when it has started, without its signal handlers: they raise the signal again after a stop."""

    def __init__(self, app: FastAPI, on_started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=GRACEFUL_SECONDS,
                server_header=False,
            )
        )
        self._on_started = on_started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()


def _listen(host: str, port: int) -> socket.socket | None:
    """A listening socket, or None where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise ConfigurationError(
            f"cannot listen on {host} port {port}: {error.strerror}", mend="--host and --port name another address"
        ) from None
    listening.set_inheritable(False)
    return listening


def _url(host: str, listening: socket.socket) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "admin"


def _told(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("%s ended with an error", task.get_name(), exc_info=task.exception())


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a server until SIGINT or SIGTERM. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m railyard.control.server", description=__doc__)
    parser.add_argument("--home", help="folder of database, artifacts, runtimes and running attempts")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 8787, or the next free one)")
    parser.add_argument("--database-url", help="a Postgres of your own; default the embedded one")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--ready-fd", type=int, help="descriptor that gets one JSON line when the server answers")
    given = vars(parser.parse_args(arguments))
    ready_fd = given.pop("ready_fd")
    try:
        configured = configuration.load(given)
        server = Server(
            configured, reload=lambda: configuration.load(given), on_ready=lambda found: _tell(ready_fd, found)
        )
        asyncio.run(_until_signal(server))
    except RailyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


async def _until_signal(server: Server) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    await server.run()


def _tell(ready_fd: int | None, running: Running) -> None:
    if ready_fd is not None:
        with os.fdopen(ready_fd, "w") as pipe:
            pipe.write(json.dumps(asdict(running)) + "\n")


if __name__ == "__main__":
    sys.exit(main())
