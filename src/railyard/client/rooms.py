"""Calls about models, workflows, tokens, compute classes and the server itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from pydantic import JsonValue

from railyard.client.pages import Pager
from railyard.client.transport import Transport
from railyard.spec.base import Record
from railyard.spec.records import ComputeState, Model, ModelName, NewToken, Page, TokenInfo, Whoami, Workflow

Scope = Literal["read", "submit", "deploy", "admin"]


class Setting(Record):
    """One setting of the server."""

    name: str
    value: JsonValue
    origin: str
    """`default`, a file, a variable, or `flag`."""


class Config(Record):
    settings: tuple[Setting, ...]


class LoginLink(Record):
    url: str
    """Opens once, in a browser."""
    expires_in_seconds: int


class Models:
    """`client.models`: the registry."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, owner: str | None = None, project: str | None = None) -> Pager[ModelName]:
        """Model names, each with its newest id."""

        def fetch(after: str | None, limit: int) -> Page[ModelName]:
            query = {"owner": owner, "project": project, "after": after, "limit": limit}
            return Page[ModelName].model_validate_json(
                self._transport.request("GET", "/v1/models", query=query).content
            )

        return Pager(fetch)

    def ids(self, name: str) -> Pager[Model]:
        """The immutable model ids behind a name, newest first."""

        def fetch(after: str | None, limit: int) -> Page[Model]:
            answer = self._transport.request("GET", f"/v1/models/{_part(name)}", query={"after": after, "limit": limit})
            return Page[Model].model_validate_json(answer.content)

        return Pager(fetch)

    def get(self, model_id: str) -> Model:
        """One model id, `<name>:<12 hex>`."""
        return Model.model_validate_json(self._transport.request("GET", f"/v1/models/{_part(model_id)}").content)


class Workflows:
    """`client.workflows`: what the deployed code offers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> list[Workflow]:
        """Every workflow the server knows."""
        return list(Page[Workflow].model_validate_json(self._transport.request("GET", "/v1/workflows").content).items)

    def get(self, name: str) -> Workflow:
        """One workflow, with its parameter schema."""
        return Workflow.model_validate_json(self._transport.request("GET", f"/v1/workflows/{_part(name)}").content)


class Tokens:
    """`client.tokens`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> list[TokenInfo]:
        """Tokens without their secrets: all for an admin, else one's own."""
        return list(Page[TokenInfo].model_validate_json(self._transport.request("GET", "/v1/tokens").content).items)

    def create(
        self,
        user: str,
        *,
        teams: Sequence[str] = (),
        scopes: Sequence[Scope] = ("submit",),
        expires_at: datetime | None = None,
    ) -> NewToken:
        """A new token; its secret is in this answer and nowhere else."""
        body: dict[str, Any] = {"user": user, "teams": list(teams), "scopes": list(scopes)}
        if expires_at is not None:
            body["expires_at"] = expires_at.isoformat()
        return NewToken.model_validate_json(self._transport.request("POST", "/v1/tokens", json=body).content)

    def revoke(self, token_id: str) -> TokenInfo:
        """Ends a token's life."""
        return TokenInfo.model_validate_json(self._transport.request("DELETE", f"/v1/tokens/{_part(token_id)}").content)


class Compute:
    """`client.compute`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> list[ComputeState]:
        """Compute classes: size, price, how full."""
        return list(Page[ComputeState].model_validate_json(self._transport.request("GET", "/v1/compute").content).items)


class Server:
    """`client.server`: the server itself."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def whoami(self) -> Whoami:
        """Who the token belongs to."""
        return Whoami.model_validate_json(self._transport.request("GET", "/v1/whoami").content)

    def config(self) -> tuple[Setting, ...]:
        """Every setting with where it came from; secrets masked."""
        return Config.model_validate_json(self._transport.request("GET", "/v1/config").content).settings

    def login_link(self) -> LoginLink:
        """A one-time link that signs a browser in."""
        return LoginLink.model_validate_json(self._transport.request("POST", "/v1/login-links").content)

    def measures(self) -> str:
        """Prometheus metrics, as text."""
        return self._transport.request("GET", "/metrics").text

    def alive(self, *, timeout: float = 5.0) -> str:
        """The version of a server that is there. Raises Unreachable."""
        version: str = self._transport.request("GET", "/healthz", retry=0, timeout=timeout).json()["version"]
        return version

    def ready(self, *, timeout: float = 5.0) -> dict[str, Any]:
        """Whether database and duties work. Raises Unavailable when they do not."""
        found: dict[str, Any] = self._transport.request("GET", "/readyz", retry=0, timeout=timeout).json()
        return found


def _part(name: str) -> str:
    return quote(name, safe="")
