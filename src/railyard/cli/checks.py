"""What `railyard doctor` looks at. Each check looks and says; none changes anything."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal, NamedTuple

from railyard.cli import home, lazy, words
from railyard.cli.app import App

OLDEST_PYTHON = (3, 11)
LOW_DISK_BYTES = 2 * 2**30
NO_DISK_BYTES = 200 * 2**20
SKEW_SECONDS = 5.0
EXTRAS = {"server": home.SERVER_MODULES, "train": ("polars", "pyarrow", "sklearn", "xgboost")}


class Check(NamedTuple):
    """One thing looked at."""

    name: str
    verdict: Literal["ok", "warning", "bad"]
    text: str
    mend: str = ""


def run(app: App) -> Iterator[Check]:
    """Every check, in an order in which each can explain the next."""
    yield python(sys.version_info[:3])
    yield from extras()
    try:
        folder = home.folder(None)
    except lazy.errors.RailyardError as error:
        yield Check("settings", "bad", error.message, error.mend)
        return
    yield permissions(folder)
    yield disk(folder, shutil.disk_usage)
    yield from _server(app, folder)


def python(version: tuple[int, ...]) -> Check:
    """Is this Python new enough?"""
    text = ".".join(map(str, version))
    if version[:2] < OLDEST_PYTHON:
        return Check("python", "bad", f"{text}; 3.11 or newer is needed", "install Python 3.11 or newer")
    return Check("python", "ok", text)


def extras(find: Callable[[str], object] = importlib.util.find_spec) -> Iterator[Check]:
    """Which parts are installed? A computer that only talks to a server needs none."""
    for name, modules in EXTRAS.items():
        missing = [module for module in modules if find(module) is None]
        if missing:
            need = "railyard up" if name == "server" else "railyard train --local and for jobs on this computer"
            mend = f'pip install "railyard[{name}]" (only for {need})'
            yield Check(f"extra {name}", "warning", f"not installed: {', '.join(missing)}", mend)
        else:
            yield Check(f"extra {name}", "ok", "installed")


def permissions(folder: Path) -> Check:
    """Is the home folder, with its token and secret, for its owner alone?"""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return Check("home", "ok", f"{folder} is not there yet; railyard up makes it")
    except OSError as error:
        return Check("home", "bad", f"{folder}: {error.strerror}", "railyard up --data-dir DIR names another folder")
    if found.st_uid != os.getuid():
        return Check(
            "home", "bad", f"{folder} belongs to another user", "railyard up --data-dir DIR names another folder"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check("home", "bad", f"{folder} cannot be written", f"chmod 700 {folder}")
    open_files = [path.name for path in (folder / "token", folder / "secret") if path.exists() and _shared(path)]
    if open_files:
        paths = " ".join(str(folder / name) for name in open_files)
        return Check("home", "bad", f"others can read {', '.join(open_files)}", f"chmod 600 {paths}")
    if _shared(folder):
        return Check("home", "warning", f"others can look into {folder}", f"chmod 700 {folder}")
    return Check("home", "ok", str(folder))


def disk(folder: Path, usage: Callable[[Path], tuple[int, int, int]]) -> Check:
    """Is there room for artifacts and logs?"""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = usage(there)[2]
    text = f"{words.size(free)} free at {there}"
    if free < NO_DISK_BYTES:
        return Check("disk", "bad", text, "make room, or: railyard up --data-dir DIR on a larger disk")
    return Check("disk", "warning" if free < LOW_DISK_BYTES else "ok", text)


def clock(date_header: str | None, now: datetime) -> Check:
    """Do this clock and the server's agree? Only what is displayed depends on it."""
    if not date_header:
        return Check("clock", "ok", "the server tells no time")
    skew = (now - parsedate_to_datetime(date_header)).total_seconds()
    # The header counts whole seconds.
    if abs(skew) > SKEW_SECONDS + 1:
        direction = "ahead of" if skew > 0 else "behind"
        text = f"this clock is {abs(skew):.0f} s {direction} the server's"
        return Check("clock", "warning", text, "synchronise the clocks (timedatectl set-ntp true)")
    return Check("clock", "ok", "agrees with the server's")


def _server(app: App, folder: Path) -> Iterator[Check]:
    errors = lazy.errors
    try:
        client = app.client
    except errors.ConfigurationError as error:
        yield Check("context", "bad", error.message, error.mend)
        return
    try:
        answer = client.transport.request("GET", "/healthz", retry=0, timeout=5)
    except errors.RailyardError as error:
        yield Check("server", "bad", error.message, error.mend)
        return
    yield Check("server", "ok", f"{client.target.url} (from {client.target.url_from})")
    yield clock(answer.headers.get("date"), datetime.now(UTC))
    yield from _ready(app)
    try:
        me = client.whoami()
    except errors.RailyardError as error:
        yield Check("token", "bad", f"{error.message} (from {client.target.token_from})", error.mend)
        return
    yield Check("token", "ok", f"{me.user}, {', '.join(me.scopes)} (from {client.target.token_from})")
    ours = lazy.version.__version__
    if me.version != ours:
        yield Check(
            "version", "warning", f"the server is {me.version}, this is {ours}", f"pip install railyard=={me.version}"
        )
    if "admin" in me.scopes:
        yield _store(app, folder)


def _ready(app: App) -> Iterator[Check]:
    errors = lazy.errors
    try:
        app.client.server.ready()
    except errors.Unavailable as error:
        name = "database" if error.detail.get("database") is False else "duties"
        yield Check(name, "bad", error.why or error.message, error.mend)
        return
    except errors.RailyardError as error:
        yield Check("database", "bad", error.message, error.mend)
        return
    yield Check("database", "ok", "answers")
    yield Check("duties", "ok", "all succeeded lately")


def _store(app: App, folder: Path) -> Check:
    """Where artifacts go; a folder on this computer is looked at, an object store is the server's to reach."""
    found = {one.name: one.value for one in app.client.server.config()}
    place = str(found.get("artifacts") or f"{found.get('home')}/artifacts")
    if "://" in place:
        return Check("store", "ok", place)
    local = Path(place)
    if str(found.get("home")) == str(folder) and local.exists() and not os.access(local, os.W_OK | os.X_OK):
        return Check("store", "bad", f"{local} cannot be written", f"chmod u+rwx {local}")
    return Check("store", "ok", place)


def _shared(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
