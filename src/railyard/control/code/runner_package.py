"""What a runtime holds besides the user's libraries: the part of Railyard that runs attempts, and what it needs."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import requires
from pathlib import Path

from railyard.version import __version__

_PACKAGE = Path(__file__).resolve().parents[2]
_PARTS = (
    "__init__.py", "version.py", "errors.py", "settings.py", "validation.py",
    "spec", "client", "artifacts", "bundles", "compute",
)  # fmt: skip
"""Neither the control plane nor the CLI: a runtime must not need their libraries."""
_CORE = frozenset({"httpx2", "pydantic"})


def runner_files() -> Iterator[Path]:
    """The files that go into a runtime, relative to the package, sorted."""
    for part in _PARTS:
        at = _PACKAGE / part
        found = sorted(at.rglob("*")) if at.is_dir() else [at]
        yield from (path.relative_to(_PACKAGE) for path in found if path.is_file() and path.suffix != ".pyc")


@cache
def runner_version() -> str:
    """The version and a hash of the files: a changed runner gets new runtimes."""
    digest = hashlib.sha256()
    for path in runner_files():
        content = (_PACKAGE / path).read_bytes()
        digest.update(f"{path.as_posix()}\0{len(content)}\0".encode() + content)
    return f"{__version__}+{digest.hexdigest()[:8]}"


def runner_requirements() -> tuple[str, ...]:
    """What the runner needs, loosely bounded: the extra `runner` and the few core dependencies it imports."""
    found = []
    for line in requires("railyard") or ():
        requirement, _, marker = (part.strip() for part in line.partition(";"))
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        core = not marker and name is not None and name[0] in _CORE
        if core or re.search(r"""extra\s*==\s*['"]runner['"]""", marker):
            found.append(requirement)
    return tuple(sorted(found))


def install_runner(site_packages: Path) -> None:
    """Copies the runner's files into a runtime."""
    for path in runner_files():
        to = site_packages / "railyard" / path
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_PACKAGE / path, to)
