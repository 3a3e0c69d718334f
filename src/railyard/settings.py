"""Configuration: one frozen Settings, read once where a program starts and handed down as values.

Later wins: default, `<home>/railyard.toml` with the files it includes, `./railyard.toml`, `RAILYARD_…` variables,
flags; tables such as `[buckets]` are merged key by key. A password is never a value here: it is a
reference, `${NAME}` for an environment variable or `${file:/path}` for a file, resolved when it is needed.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator

from railyard.errors import ConfigurationError, nearest
from railyard.spec.attempt import DataAccess, S3Access
from railyard.spec.base import Spec
from railyard.spec.compute_classes import built_in_classes
from railyard.spec.records import ComputeClass, Price
from railyard.spec.request import memory_bytes

_REFERENCE = re.compile(r"\$\{(file:)?([^}]+)\}")


class S3Settings(Spec):
    """How any S3 API is reached. Without an endpoint it is AWS's own."""

    endpoint: str | None = None
    region: str = "us-east-1"
    allow_http: bool = False
    access_key: str | None = None
    """A reference such as `${S3_ACCESS_KEY}`."""
    secret_key: str | None = None
    """A reference such as `${S3_SECRET_KEY}`."""


class JobSettings(Spec):
    """Clocks of the job manager, in seconds."""

    heartbeat_seconds: Annotated[float, Field(gt=0)] = 5.0
    lost_after_seconds: Annotated[float, Field(gt=0)] = 30.0
    """A heartbeat older than this makes an attempt suspect; only the executor's word makes it lost."""
    grace_seconds: Annotated[float, Field(ge=0)] = 30.0
    """`rescue` touches nothing this long after the server's own start."""
    cancel_grace_seconds: Annotated[float, Field(ge=0)] = 5.0
    queue_timeout_seconds: Annotated[float, Field(gt=0)] = 7 * 86400.0
    schedule_seconds: Annotated[float, Field(gt=0)] = 1.0
    """Longest sleep of the schedule duty; notifications wake it earlier."""
    reconcile_seconds: Annotated[float, Field(gt=0)] = 5.0
    rescue_seconds: Annotated[float, Field(gt=0)] = 10.0
    retention_seconds: Annotated[float, Field(gt=0)] = 3600.0
    retry_wait_seconds: Annotated[float, Field(ge=0)] = 5.0
    """Before the first retry; doubles with each, to ten minutes."""
    per_owner: Annotated[int, Field(ge=1)] | None = None
    """Most attempts of one owner at once."""
    log_bytes: Annotated[int, Field(ge=1024)] = 2**30


class Settings(Spec):
    """Everything that can be configured."""

    include: tuple[str, ...] = ()
    """Further settings files; `railyard init` adds that of the project it wrote."""
    home: Path = Path("~/.railyard")
    """Folder of the embedded database, artifacts, runtimes and running attempts."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8787
    public_url: str | None = None
    """What links show; default http://host:port."""
    database_url: SecretStr | None = None
    """A Postgres of your own; default the embedded one. May hold a reference for the password."""
    artifacts: str | None = None
    """Where artifacts go: a folder or `s3://bucket/prefix`; default `<home>/artifacts`."""
    log_level: str = "info"
    max_body_bytes: Annotated[int, Field(ge=1024)] = 64 * 2**20
    max_artifact_bytes: Annotated[int, Field(ge=1024)] = 16 * 2**30
    jobs: JobSettings = JobSettings()
    s3: S3Settings = S3Settings()
    buckets: dict[str, str] = Field(default_factory=dict)
    """Bucket to local folder, so that s3://bucket/… can be read without an object store."""
    connections: dict[str, str] = Field(default_factory=dict)
    """SQL sources by name: a URL whose password is a reference."""
    sql_timeout_seconds: Annotated[int, Field(ge=1)] = 600
    cpu: Annotated[float, Field(gt=0)] | None = None
    """Cores for attempts in all; default all of this machine."""
    memory: str | None = None
    """Memory for attempts in all; default 90 % of this machine."""
    price: Price | None = None
    """Price of every class that has none of its own. Without one, a job shows core-hours and "unpriced"."""
    classes: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Compute classes beyond, or instead of, the built-in ones."""
    pythons: tuple[str, ...] = ()
    """Further interpreters for runtimes; PATH and pyenv are searched by themselves."""

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value not in {"debug", "info", "warning", "error"}:
            raise ValueError("expected debug, info, warning or error")
        return value

    @field_validator("connections", mode="after")
    @classmethod
    def _no_passwords(cls, value: dict[str, str]) -> dict[str, str]:
        for name, url in value.items():
            password = re.match(r"^[^:/]+://[^/@]*:([^@/]*)@", url)
            if password and password[1] and not _REFERENCE.fullmatch(password[1]):
                raise ValueError(f"{name}: the password must be a reference such as ${{{name.upper()}_PASSWORD}}")
        return value

    def s3_access(self) -> S3Access:
        """The object store's access with its references resolved. Raises ConfigurationError where one leads nowhere."""
        return S3Access(
            endpoint=self.s3.endpoint,
            region=self.s3.region,
            allow_http=self.s3.allow_http,
            access_key=resolve(self.s3.access_key) if self.s3.access_key else None,
            secret_key=resolve(self.s3.secret_key) if self.s3.secret_key else None,
        )

    def data_access(self, connections: Iterable[str]) -> DataAccess:
        """Where the names of a request lead on this installation; of the SQL connections only those named.

        Relative paths begin in the current folder. Raises ConfigurationError where a reference leads nowhere.
        """
        return DataAccess(
            buckets=self.buckets,
            s3=self.s3_access(),
            connections={name: resolve(self.connections[name]) for name in connections if name in self.connections},
            sql_timeout_seconds=self.sql_timeout_seconds,
            folder=str(Path.cwd()),
        )

    def compute_classes(self, cpu: float, memory: int, gpu: int) -> dict[str, ComputeClass]:
        """The classes on a place with this much cpu, memory in bytes and gpu: built-in ones, then the operator's."""
        found = built_in_classes(cpu, memory, gpu)
        for name, given in self.classes.items():
            found[name] = {**found.get(name, {}), **given}
        default = {"price": self.price} if self.price else {}
        return {name: ComputeClass.model_validate({"name": name, **default, **given}) for name, given in found.items()}


@dataclass(frozen=True)
class Configured:
    """Settings with where each value came from (`default`, the file, the variable, `flag`)."""

    settings: Settings
    origins: Mapping[str, str]
    files: tuple[Path, ...] = ()
    """Every file that was read: when one changes, the settings may have."""


def load(flags: Mapping[str, Any] | None = None, *, environ: Mapping[str, str] | None = None) -> Configured:
    """Reads files ($RAILYARD_CONFIG alone where it is set), variables and flags, in this order; later wins.

    Flags that are None count as not given. Raises ConfigurationError naming the setting and where it came from.
    """
    environ = os.environ if environ is None else environ
    flags = {name: value for name, value in (flags or {}).items() if value is not None}
    home = Path(str(flags.get("home") or environ.get("RAILYARD_HOME") or "~/.railyard")).expanduser()
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    files = _files(home, environ)
    for file, content in files.items():
        for name, value in content.items():
            values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
            origins[name] = str(file)
    for name in Settings.model_fields:
        variable = f"RAILYARD_{name.upper()}"
        kind = Settings.model_fields[name].annotation
        if variable in environ and kind not in (dict[str, str], dict[str, dict[str, Any]], JobSettings, S3Settings):
            values[name], origins[name] = environ[variable], variable
        for part in _parts(name):
            nested = f"{variable}_{part.upper()}"
            if nested in environ:
                values[name] = {**values.get(name, {}), part: environ[nested]}
                origins[f"{name}.{part}"] = nested
    for name, value in flags.items():
        values[name], origins[name] = value, "flag"
    values["home"] = str(Path(str(values.get("home", home))).expanduser().absolute())
    try:
        settings = Settings.model_validate(values)
        for given in settings.classes.values():
            for key in ("memory", "max_memory"):
                memory_bytes(given.get(key, "1Gi"))
        if settings.memory:
            memory_bytes(settings.memory)
    except ValidationError as error:
        raise _bad(error, origins) from None
    except ValueError as error:
        raise ConfigurationError(
            f"the settings do not hold: {error}", mend="railyard config shows where each came from"
        ) from None
    shown = {name: origins.get(name, "default") for name in Settings.model_fields} | origins
    return Configured(settings, shown, tuple(files))


def resolve(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Replaces `${NAME}` and `${file:/path}` by what they refer to."""
    environ = os.environ if environ is None else environ

    def value(found: re.Match[str]) -> str:
        if found[1]:
            try:
                return Path(found[2]).read_text().strip()
            except OSError as error:
                raise ConfigurationError(f"cannot read {found[2]}: {error.strerror}") from None
        if found[2] not in environ:
            raise ConfigurationError(f"the environment variable {found[2]} is not set", mend=f"export {found[2]}=…")
        return environ[found[2]]

    return _REFERENCE.sub(value, text)


def _parts(name: str) -> tuple[str, ...]:
    return {"jobs": tuple(JobSettings.model_fields), "s3": tuple(S3Settings.model_fields)}.get(name, ())


def _files(home: Path, environ: Mapping[str, str]) -> dict[Path, dict[str, Any]]:
    """The settings files in the order in which they apply, each with its content."""
    if environ.get("RAILYARD_CONFIG"):
        path = Path(environ["RAILYARD_CONFIG"]).absolute()
        if not path.is_file():
            raise ConfigurationError(f"RAILYARD_CONFIG names {path}, which is not a file")
        return {path: _read(path)}
    found: dict[Path, dict[str, Any]] = {}
    for path in (home.absolute() / "railyard.toml", Path("railyard.toml").absolute()):
        if path.is_file() and path not in found:
            content = _read(path)
            included = [path.parent / Path(str(name)).expanduser() for name in content.get("include", ())]
            # An included project may be gone since: that must not keep the server from starting.
            found |= {other: _read(other) for other in included if other.is_file()}
            found[path] = content
    return found


def _read(path: Path) -> dict[str, Any]:
    """One file; folders and database files in it are relative to it."""
    try:
        values = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    if isinstance(values.get("buckets"), dict):
        values["buckets"] = {
            name: str((path.parent / Path(str(to)).expanduser()).resolve()) for name, to in values["buckets"].items()
        }
    if isinstance(values.get("connections"), dict):
        values["connections"] = {
            name: _absolute(url, path.parent) if isinstance(url, str) else url
            for name, url in values["connections"].items()
        }
    return values


def _absolute(url: str, folder: Path) -> str:
    """A connection to a database in a file, such as `duckdb:///sales.db`, as seen from the folder of the settings."""
    found = re.match(r"((?:duckdb|sqlite)(?:\+\w+)?:///)([^/:?$][^?]*)(.*)", url)
    return f"{found[1]}{(folder / found[2]).resolve()}{found[3]}" if found else url


def _bad(error: ValidationError, origins: Mapping[str, str]) -> ConfigurationError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    guess = nearest(str(first["loc"][-1]), Settings.model_fields) if first["type"] == "extra_forbidden" else None
    return ConfigurationError(
        f"the setting {where} does not hold: {first['msg']}",
        why=f"it came from {origins.get(str(first['loc'][0]), 'a variable')}",
        mend=f"did you mean {guess}?" if guess else "railyard config shows every setting and where it came from",
    )
