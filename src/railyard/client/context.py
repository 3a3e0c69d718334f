"""Which server, with which token, and where each came from: flags, variables, then the CLI's context file."""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from railyard.errors import ConfigurationError, NotFound, nearest

DEFAULT_URL = "http://127.0.0.1:8787"
LOCAL = "local"
"""The context that `railyard up` writes."""


@dataclass(frozen=True)
class Context:
    """A server that one has signed in to."""

    url: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Contexts:
    """The context file."""

    current: str | None = None
    known: Mapping[str, Context] = field(default_factory=dict)

    def with_context(self, name: str, context: Context) -> Contexts:
        """Adds or replaces a context and makes it the current one."""
        return Contexts(name, {**self.known, name: context})

    def without_token(self, name: str) -> Contexts:
        """Forgets the token of a context, keeps its address."""
        return replace(self, known={**self.known, name: replace(self.known[name], token=None)})

    def named(self, url: str) -> str | None:
        """The name of the context that leads to this address."""
        return next((name for name, context in self.known.items() if _same(context.url, url)), None)


@dataclass(frozen=True)
class Target:
    """The server to speak to, and where address and token came from."""

    url: str
    url_from: str
    token: str | None = field(repr=False)
    token_from: str
    context: str | None


def path_of(environ: Mapping[str, str] | None = None) -> Path:
    """`$XDG_CONFIG_HOME/railyard/config.toml`, by default under ~/.config."""
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path("~/.config").expanduser()) / "railyard" / "config.toml"


def read(path: Path) -> Contexts:
    """Reads the context file; a missing one holds nothing. Raises ConfigurationError."""
    try:
        value = tomllib.loads(path.read_text())
        known = {
            name: Context(str(given["url"]), given.get("token")) for name, given in value.get("contexts", {}).items()
        }
        return Contexts(value.get("current"), known)
    except FileNotFoundError:
        return Contexts()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, AttributeError, TypeError) as error:
        raise ConfigurationError(
            f"the context file {path} does not hold what it should: {error}",
            mend=f"delete {path}, then: railyard login URL",
        ) from None
    except OSError as error:
        raise ConfigurationError(f"the context file {path} cannot be read: {error.strerror}") from None


def write(path: Path, contexts: Contexts) -> None:
    """Replaces the context file whole, readable by its owner alone (0600)."""
    lines = [f"current = {_quoted(contexts.current)}"] if contexts.current else []
    for name, context in contexts.known.items():
        lines += ["", f"[contexts.{_quoted(name)}]", f"url = {_quoted(context.url)}"]
        lines += [f"token = {_quoted(context.token)}"] if context.token else []
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config-")
        with os.fdopen(descriptor, "w") as file:
            file.write("\n".join(lines) + "\n")
        Path(temporary).replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"the context file {path} cannot be written: {error.strerror}",
            mend="set XDG_CONFIG_HOME to a folder of yours, or RAILYARD_URL and RAILYARD_TOKEN",
        ) from None


def resolve(url: str | None = None, token: str | None = None, *, environ: Mapping[str, str] | None = None) -> Target:
    """Flags win, then RAILYARD_URL and RAILYARD_TOKEN, then the context file.

    A token kept for one server is never sent to another: a context's token is used only with that context's address.
    """
    environ = os.environ if environ is None else environ
    path = path_of(environ)
    contexts = read(path)
    if url:
        url_from = "flag"
    elif environ.get("RAILYARD_URL"):
        url, url_from = environ["RAILYARD_URL"], "RAILYARD_URL"
    elif contexts.current and contexts.current in contexts.known:
        url, url_from = contexts.known[contexts.current].url, f"{path}, context {contexts.current}"
    else:
        url, url_from = DEFAULT_URL, "default"
    name = contexts.current if url_from.startswith(str(path)) else contexts.named(url)
    if token:
        return Target(url, url_from, token, "flag", name)
    if environ.get("RAILYARD_TOKEN"):
        return Target(url, url_from, environ["RAILYARD_TOKEN"], "RAILYARD_TOKEN", name)
    kept = contexts.known[name].token if name else None
    return Target(url, url_from, kept, f"{path}, context {name}" if kept else "nowhere", name)


def unknown(name: str, contexts: Contexts) -> NotFound:
    """What to raise for a context that is not there."""
    near = nearest(name, contexts.known)
    return NotFound(
        f"there is no context {name}",
        why=f"there are {', '.join(contexts.known)}" if contexts.known else "there is none yet",
        mend=f"railyard context use {near}" if near else "railyard login URL",
    )


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _quoted(text: str | None) -> str:
    return json.dumps(text or "", ensure_ascii=False).replace("\x7f", "\\u007f")
