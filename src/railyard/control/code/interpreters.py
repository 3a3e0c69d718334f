"""Finds a Python interpreter of a wanted minor version on this machine. Nothing is ever downloaded."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from railyard.errors import ConfigurationError

_ASK = (
    "import json, sys, sysconfig; print(json.dumps([sys.implementation.name, "
    "'%d.%d' % sys.version_info[:2], sysconfig.get_platform()]))"
)


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A CPython that was started once and said what it is."""

    path: str
    minor: str
    """`3.12`"""
    platform: str
    """`linux-x86_64`"""


def server_minor() -> str:
    """The minor version of the interpreter that runs the server."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def find_interpreter(minor: str, further: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> Interpreter:
    """An interpreter of this minor version: the server's own, one of `further`, on PATH, of pyenv, or of uv.

    Raises ConfigurationError (code `no_interpreter`) where there is none. Starts the candidates: call it in a thread.
    """
    for candidate in _candidates(minor, further, os.environ if environ is None else environ):
        found = ask(candidate)
        if found and found.minor == minor:
            return found
    raise ConfigurationError(
        f"Python {minor} is not on this machine",
        code="no_interpreter",
        why="looked at the server's own interpreter, the setting pythons, PATH, pyenv and uv",
        mend=f"install it (pyenv install {minor}), or name its path in the setting pythons of railyard.toml",
    )


def ask(path: str) -> Interpreter | None:
    """What the program at a path is; None when it is no CPython that starts (say, a pyenv shim that leads nowhere)."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run([path, "-I", "-c", _ASK], env=environ, capture_output=True, timeout=20, check=True)
        name, minor, platform = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return Interpreter(path=path, minor=minor, platform=platform) if name == "cpython" else None


def _candidates(minor: str, further: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    if minor == server_minor():
        yield sys.executable
    yield from (str(Path(path).expanduser()) for path in further)
    path = environ.get("PATH", "")
    yield from filter(None, (shutil.which(name, path=path) for name in (f"python{minor}", "python3", "python")))
    home = Path(environ.get("HOME") or Path.home())
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv")
    managed = Path(environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local" / "share" / "uv" / "python")
    for folder, pattern in ((pyenv / "versions", f"{minor}.*"), (managed, f"cpython-{minor}.*")):
        yield from (str(found / "bin" / "python") for found in sorted(folder.glob(pattern), key=_patch, reverse=True))


def _patch(path: Path) -> tuple[int, ...]:
    """Sorts 3.12.10 behind 3.12.9."""
    return tuple(map(int, re.findall(r"\d+", path.name)))
