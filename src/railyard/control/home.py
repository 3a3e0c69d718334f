"""The server's home folder: who runs here, its secret, the admin's token, the port it had last."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from railyard.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Running:
    """`<home>/server.json`: how others find the server. Removed when it stops."""

    url: str
    pid: int
    start_time: float
    """Of the process: psutil's `create_time`, seconds since 1970. With the pid it names one process for ever."""
    version: str
    home: str


class Home:
    """One folder. Everything in it is for its owner alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: int | None = None

    def take(self) -> None:
        """Makes the folder and claims it for this process. Raises ConfigurationError where another server has it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.folder / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"the home {self.folder} cannot be used: {error.strerror}",
                mend="railyard up --data-dir FOLDER",
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            running = self.running()
            raise ConfigurationError(
                f"another server runs on {self.folder}",
                code="home_in_use",
                why=f"it answers at {running.url} (process {running.pid})" if running else "",
                mend="railyard down stops it; railyard up --data-dir names another folder",
            ) from None
        self._lock = lock

    def leave(self) -> None:
        """Takes away what says that a server runs here, and lets go of the folder."""
        (self.folder / "server.json").unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def running(self) -> Running | None:
        """What the last server wrote about itself, if it lives."""
        try:
            found = Running(**json.loads((self.folder / "server.json").read_text()))
            alive = psutil.Process(found.pid).create_time() == found.start_time
        except (OSError, ValueError, TypeError, psutil.Error):
            return None
        return found if alive else None

    def announce(self, running: Running) -> None:
        """Writes `server.json`, whole."""
        self._write("server.json", json.dumps(asdict(running)) + "\n")

    def secret(self) -> bytes:
        """256 random bits that sign sessions and attempts' tokens; made at the first start."""
        path = self.folder / "secret"
        try:
            found = bytes.fromhex(path.read_text().strip())
        except FileNotFoundError:
            found = secrets.token_bytes(32)
            self._write("secret", found.hex() + "\n")
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"the server's secret {path} cannot be read: {error}",
                mend="put the original file back, or delete it: running attempts and browser sessions are lost then",
            ) from None
        if len(found) < 32:
            raise ConfigurationError(f"the server's secret {path} is too short", mend="put the original file back")
        return found

    def token(self) -> str | None:
        """The admin's token, for the command line on this machine; None before the first start."""
        try:
            return (self.folder / "token").read_text().strip() or None
        except OSError:
            return None

    def keep_token(self, token: str) -> None:
        """Writes the admin's token."""
        self._write("token", token + "\n")

    def last_port(self) -> int | None:
        """The port that attempts which still run were told."""
        try:
            return int((self.folder / "port").read_text())
        except (OSError, ValueError):
            return None

    def keep_port(self, port: int) -> None:
        """Remembers the port for the next start."""
        self._write("port", f"{port}\n")

    def _write(self, name: str, text: str) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{name}-")
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(temporary).replace(self.folder / name)
