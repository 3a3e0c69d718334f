"""An application over rooms that hold nothing but what a test puts in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from railyard.control.api.app import create_app
from railyard.control.api.rooms import Rooms
from railyard.settings import Configured, Settings

URL = "http://127.0.0.1:8787"


class Missing:
    """A part that a test did not ask for: touching it is a mistake of the test."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        raise AssertionError(f"this test has no {self._name} (wanted {attribute})")


@pytest.fixture
def make_rooms() -> Callable[..., Rooms]:
    def make(**given: Any) -> Rooms:
        settings = given.pop("settings", Settings())
        origins: Mapping[str, str] = dict.fromkeys(Settings.model_fields, "default")
        parts = {name: Missing(name) for name in ("database", "listener", "store", "known", "policy", "code")}
        return Rooms(
            **{
                **parts,
                "configured": lambda: Configured(settings, origins),
                "public_url": URL,
                "secret": b"s" * 32,
                "duties": dict,
                **given,
            }
        )

    return make


@pytest.fixture
async def call(make_rooms: Callable[..., Rooms]) -> AsyncIterator[Callable[..., Any]]:
    """`await call("GET", "/path", app=…)`; the application over empty rooms where none is given."""
    clients: list[httpx2.AsyncClient] = []

    async def request(method: str, path: str, *, app: FastAPI | None = None, **arguments: Any) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=app or create_app(make_rooms()), raise_app_exceptions=False)
        client = httpx2.AsyncClient(transport=transport, base_url=URL)
        clients.append(client)
        return await client.request(method, path, **arguments)

    yield request
    for client in clients:
        await client.aclose()
