"""The server's settings, each with where it came from."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, JsonValue, SecretStr

from railyard.control.api import answers
from railyard.control.api.auth import Admin
from railyard.control.api.rooms import TheRooms
from railyard.settings import Configured
from railyard.spec.base import Record

router = APIRouter(prefix="/v1", tags=["server"])

_PASSWORD = re.compile(r"(://[^/\s:@]*:)([^/\s@]+)@")
_REFERENCE = re.compile(r"\$\{[^}]+\}")


class Setting(Record):
    name: str
    value: JsonValue
    """As it is set; secrets are masked, references to them are shown."""
    origin: str
    """`default`, a file, a variable, or `flag`."""


class Config(Record):
    settings: tuple[Setting, ...]


@router.get(
    "/config",
    operation_id="get_config",
    summary="Every setting with its origin; secrets masked",
    responses=answers.ok({"settings": [{"name": "port", "value": 8787, "origin": "default"}]})
    | answers.errors(401, 403),
)
async def get_config(_caller: Admin, rooms: TheRooms) -> Config:
    return shown(rooms.configured())


def shown(configured: Configured) -> Config:
    """Settings by name, nested ones with a dot."""
    return Config(settings=tuple(_flat("", configured.settings, configured.origins)))


def _flat(prefix: str, values: BaseModel, origins: Any) -> list[Setting]:
    found: list[Setting] = []
    for name in type(values).model_fields:
        full, value = f"{prefix}{name}", getattr(values, name)
        if isinstance(value, BaseModel) and name in ("jobs", "s3"):
            found += _flat(f"{full}.", value, origins)
            continue
        origin = origins.get(full) or origins.get(full.split(".")[0]) or "default"
        found.append(Setting(name=full, value=_masked(full, value), origin=origin))
    return found


def _masked(name: str, value: Any) -> JsonValue:
    if isinstance(value, SecretStr):
        return _without_password(value.get_secret_value())
    if isinstance(value, BaseModel):
        dumped: JsonValue = value.model_dump(mode="json")
        return dumped
    if isinstance(value, dict):
        return {key: _masked(f"{name}.{key}", item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_masked(name, item) for item in value]
    if isinstance(value, str):
        secret = any(word in name.rsplit(".", 1)[-1] for word in ("secret", "password", "token"))
        return "***" if secret and not _REFERENCE.fullmatch(value) else _without_password(value)
    return value if isinstance(value, int | float | bool | type(None)) else str(value)


def _without_password(url: str) -> str:
    return _PASSWORD.sub(lambda found: found[0] if _REFERENCE.fullmatch(found[2]) else f"{found[1]}***@", url)
