"""Which files of a code project belong in its bundle: what git does not ignore, without secrets, data and debris."""

from __future__ import annotations

import os
import stat
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from railyard.errors import Invalid

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

SECRETS = (
    ".env*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "id_rsa*", "id_dsa*",
    "id_ecdsa*", "id_ed25519*", "credentials*", "service-account*.json", "service_account*.json", "secrets.json",
    "secrets.y*ml", "secrets.toml", "secrets.ini", ".npmrc", ".pypirc", ".netrc", "_netrc", ".pgpass",
    ".git-credentials", ".htpasswd",
)  # fmt: skip
"""Names of files that usually hold a secret, compared in lower case."""
SECRET_FOLDERS = frozenset({".aws", ".ssh", ".gnupg", ".kube", ".docker", ".azure", ".gcloud"})
DATA = ("*.parquet", "*.parq")
CSV_BYTES = 2**20
"""A larger CSV file is data, not code."""

_DEBRIS = frozenset(
    {".git", "__pycache__", ".venv", "venv", "node_modules", ".mypy_cache", ".pytest_cache",
     ".ruff_cache", ".hypothesis",
     "railyard-local", ".tox", ".nox", ".ipynb_checkpoints", ".DS_Store", ".railyard", ".idea", ".eggs"}
)  # fmt: skip
_PRIVATE_KEY = b"PRIVATE KEY-----"


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """What git says about the folder."""

    sha: str | None
    dirty: bool
    """A tracked file of the project changed, or one lies there that git does not know."""


@dataclass(kw_only=True)
class Selection:
    """The files of a bundle by their path in it, each with the file on disk, and what a person should know."""

    files: dict[str, Path] = field(default_factory=dict)
    checkout: Checkout | None = None
    warnings: list[str] = field(default_factory=list)
    """A file was left out that the code may want: it looks like a secret, or git could not be asked."""
    notes: list[str] = field(default_factory=list)
    """Data that was left out."""


def select(folder: Path) -> Selection:
    """Chooses the files. Raises Invalid (code `bad_project`) for a link that leads out and a name no bundle holds."""
    chosen = Selection()
    paths, chosen.checkout = _listed(folder, chosen.warnings)
    secrets: list[str] = []
    data: Counter[str] = Counter()
    for path in sorted(paths):
        if _is_debris(folder, path):
            continue
        file = _file(folder, path)
        if file is None:
            continue
        if file.is_dir():
            chosen.warnings.append(f"{path.rstrip('/')} is a git repository of its own: its files are left out")
        elif not stat.S_ISREG(file.stat().st_mode):
            chosen.warnings.append(f"{path} is not a plain file: left out")
        elif _is_secret(path) or _is_secret(file.relative_to(folder.resolve()).as_posix()) or _holds_private_key(file):
            secrets.append(path)
        elif _is_data(file):
            data[path.rpartition("/")[0] or "."] += file.stat().st_size
        else:
            chosen.files[_checked(path)] = file
    if secrets:
        chosen.warnings.append(f"left out because they look like secrets: {_some(secrets)}")
    chosen.notes += [
        f"data in {where} ({size / 1e6:.1f} MB) is left out: a request names its data by path"
        for where, size in sorted(data.items())
    ]
    return chosen


def _listed(folder: Path, warnings: list[str]) -> tuple[list[str], Checkout | None]:
    """Paths that git does not ignore, by git itself inside a checkout and by .gitignore files outside."""
    try:
        top = _git(folder, "rev-parse", "--show-toplevel")
        listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard") if top else ""
    except FileNotFoundError:
        top, listed = "", ""
        if any((parent / ".git").exists() for parent in (folder, *folder.parents)):
            warnings.append("git is not installed here: the bundle carries no git SHA")
    except subprocess.CalledProcessError as error:
        top, listed = "", ""
        why = (error.stderr or "").strip().splitlines()
        if why and "not a git repository" not in why[0]:
            warnings.append(f"git could not be asked, so the bundle carries no git SHA: {why[0]}")
    # A checkout that ignores the whole project lists nothing: then the project is not part of it.
    if not listed:
        return list(_walked(folder)), None
    try:
        sha = _git(folder, "rev-parse", "--verify", "HEAD").strip()
    except subprocess.CalledProcessError:
        sha = None
    dirty = bool(_git(folder, "status", "--porcelain", "-z", "--untracked-files=normal", "--", "."))
    return list({path for path in listed.split("\0") if path}), Checkout(sha=sha, dirty=dirty or sha is None)


def _git(folder: Path, *arguments: str) -> str:
    # Inside a hook git points everything at the hook's own repository by GIT_… variables.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {"LC_ALL": "C"}
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env=environ,
        check=True,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
    ).stdout


def _walked(folder: Path) -> Iterator[str]:
    """Files and links below a folder that no .gitignore on the way names; no folder is entered through a link."""
    from pathspec import GitIgnoreSpec  # only needed outside a git checkout

    def ignored(path: str, specs: Sequence[tuple[str, GitIgnoreSpec]]) -> bool:
        # The innermost .gitignore that has a word on the path decides.
        for base, spec in reversed(specs):
            verdict = spec.check_file(path.removeprefix(base)).include
            if verdict is not None:
                return verdict
        return False

    def below(where: Path, base: str, specs: Sequence[tuple[str, GitIgnoreSpec]]) -> Iterator[str]:
        own = where / ".gitignore"
        if own.is_file():
            lines = own.read_text(encoding="utf-8", errors="replace").splitlines()
            specs = (*specs, (base, GitIgnoreSpec.from_lines(lines)))
        for entry in sorted(os.scandir(where), key=lambda entry: entry.name):
            path = base + entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _DEBRIS and not ignored(f"{path}/", specs):
                    yield from below(Path(entry.path), f"{path}/", specs)
            elif not ignored(path, specs):
                yield path

    yield from below(folder, "", ())


def _file(folder: Path, path: str) -> Path | None:
    """The file behind a path, links followed inside the project; None where it is deleted but still in git's index."""
    at = folder / path
    if not at.is_symlink() and not at.parent.resolve().is_relative_to(folder.resolve()):
        raise _leads_out(path)
    if not os.path.lexists(at):
        return None
    if not at.is_symlink():
        return at.resolve()
    target = at.resolve()
    if not target.is_relative_to(folder.resolve()) or not target.is_file():
        raise _leads_out(path)
    return target


def _leads_out(path: str) -> Invalid:
    return Invalid(
        f"{path} is a link that a bundle cannot hold",
        code="bad_project",
        why="a link must lead to a file inside the project: the server has nothing else",
        mend="put the file itself there, or name the link in .gitignore",
    )


def _is_debris(folder: Path, path: str) -> bool:
    parts = path.rstrip("/").split("/")
    if path.endswith((".pyc", ".pyo")) or not _DEBRIS.isdisjoint(parts):
        return True
    return any((folder / Path(*parts[:depth]) / "pyvenv.cfg").exists() for depth in range(1, len(parts)))


def _is_secret(path: str) -> bool:
    *folders, name = path.lower().split("/")
    return not SECRET_FOLDERS.isdisjoint(folders) or any(fnmatchcase(name, pattern) for pattern in SECRETS)


def _holds_private_key(file: Path) -> bool:
    """A key file under an innocent name: its first line says so."""
    with file.open("rb") as opened:
        start = opened.read(100)
    return start.lstrip().startswith(b"-----BEGIN") and _PRIVATE_KEY in start


def _is_data(file: Path) -> bool:
    name = file.name.lower()
    return any(fnmatchcase(name, pattern) for pattern in DATA) or (
        name.endswith(".csv") and file.stat().st_size > CSV_BYTES
    )


def _checked(path: str) -> str:
    """A path that can be a zip entry everywhere."""
    try:
        path.encode()
    except UnicodeEncodeError:
        fine = False
    else:
        fine = "\\" not in path and not any(ord(letter) < 32 or ord(letter) == 127 for letter in path)
    if not fine:
        raise Invalid(
            f"{path!r} cannot be in a bundle",
            code="bad_project",
            why="a name in a bundle is Unicode text without backslashes and control characters",
            mend="rename the file, or name it in .gitignore",
        )
    return path


def _some(paths: Sequence[str], most: int = 5) -> str:
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more
