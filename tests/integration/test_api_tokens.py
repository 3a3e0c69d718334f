"""Tokens, scopes, teams and sessions over a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from railyard.control.api import tokens_store
from railyard.control.api.app import create_app
from railyard.control.api.rooms import Rooms
from railyard.control.db.engine import Database
from railyard.settings import Configured, Settings

URL = "http://127.0.0.1:8787"


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    settings = Settings()
    rooms: Any = Rooms(
        database=database,
        listener=None,  # type: ignore[arg-type]
        store=None,  # type: ignore[arg-type]
        known=None,  # type: ignore[arg-type]
        policy=None,  # type: ignore[arg-type]
        code=None,  # type: ignore[arg-type]
        configured=lambda: Configured(settings, dict.fromkeys(Settings.model_fields, "default")),
        public_url=URL,
        secret=b"s" * 32,
        duties=dict,
    )
    transport = httpx2.ASGITransport(app=create_app(rooms))
    async with httpx2.AsyncClient(transport=transport, base_url=URL) as found:
        yield found


@pytest.fixture
def token(database: Database) -> Callable[..., Any]:
    async def make(*scopes: str, user: str = "ann", teams: tuple[str, ...] = ("risk",), **rest: Any) -> Any:
        async with database.transaction() as connection:
            return await tokens_store.create(connection, user=user, teams=teams, scopes=scopes, **rest)

    return make


def _auth(token: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.token}"}


async def test_only_the_hash_of_a_token_is_stored(token: Callable[..., Any], database: Database) -> None:
    made = await token("read")
    async with database.transaction() as connection:
        rows = (await connection.execute(text("SELECT t::text FROM tokens t"))).scalars().all()
    assert made.token not in str(rows)
    assert tokens_store.hash_of(made.token) in str(rows)


async def test_a_valid_token_says_who_one_is(client: httpx2.AsyncClient, token: Callable[..., Any]) -> None:
    answer = await client.get("/v1/whoami", headers=_auth(await token("submit")))
    assert answer.json() == {
        "user": "ann",
        "teams": ["risk"],
        "scopes": ["submit"],
        "server": URL,
        "version": answer.json()["version"],
    }


@pytest.mark.parametrize(
    "header",
    ["Bearer ry_unknown", "Bearer ", "Basic dTpw", "ry_unknown", "Bearer \x00", "Bearer " + "x" * 5000, "bearer"],
)
async def test_anything_else_is_401(client: httpx2.AsyncClient, header: str) -> None:
    answer = await client.get("/v1/whoami", headers={"Authorization": header})
    assert answer.status_code == 401


async def test_an_attempts_token_opens_nothing_else(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/v1/whoami", headers={"Authorization": "Bearer ra_anything"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "attempt_token")


async def test_an_expired_token_is_dead(client: httpx2.AsyncClient, token: Callable[..., Any]) -> None:
    made = await token("read", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert (await client.get("/v1/whoami", headers=_auth(made))).json()["error"]["code"] == "bad_token"


async def test_use_is_noted_at_most_once_a_minute(
    client: httpx2.AsyncClient, token: Callable[..., Any], database: Database
) -> None:
    made = await token("read")

    async def used() -> datetime | None:
        async with database.transaction() as connection:
            found = await tokens_store.get(connection, made.info.token_id)
            assert found is not None
            return found.last_used_at

    await client.get("/v1/whoami", headers=_auth(made))
    first = await used()
    assert first is not None
    await client.get("/v1/whoami", headers=_auth(made))
    assert await used() == first
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE tokens SET last_used_at = now() - interval '61 seconds'"))
    await client.get("/v1/whoami", headers=_auth(made))
    last = await used()
    assert last is not None
    assert last > first


@pytest.mark.parametrize("scope", ["read", "submit"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/tokens"), ("GET", "/v1/config")])
async def test_a_narrow_scope_does_not_administer(
    client: httpx2.AsyncClient, token: Callable[..., Any], scope: str, method: str, path: str
) -> None:
    answer = await client.request(method, path, headers=_auth(await token(scope)), json={"user": "bob"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope_missing")
    assert scope in answer.json()["error"]["why"]


async def test_a_reader_may_not_send_code(client: httpx2.AsyncClient, token: Callable[..., Any]) -> None:
    answer = await client.post("/v1/code", headers=_auth(await token("read")), content=b"PK")
    assert answer.status_code == 403


async def test_an_admin_makes_a_token_that_works_and_revokes_it(
    client: httpx2.AsyncClient, token: Callable[..., Any]
) -> None:
    admin = _auth(await token("admin", user="root", teams=()))
    made = await client.post("/v1/tokens", headers=admin, json={"user": "bob", "teams": ["risk"], "scopes": ["read"]})
    assert made.status_code == 201
    bob = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (await client.get("/v1/whoami", headers=bob)).json()["user"] == "bob"
    path = f"/v1/tokens/{made.json()['info']['token_id']}"
    first = await client.delete(path, headers=admin)
    assert first.json()["revoked_at"] is not None
    assert (await client.delete(path, headers=admin)).json() == first.json()
    assert (await client.get("/v1/whoami", headers=bob)).status_code == 401


async def test_one_sees_and_revokes_only_ones_own_tokens(client: httpx2.AsyncClient, token: Callable[..., Any]) -> None:
    ann, bob = await token("read", user="ann"), await token("read", user="bob")
    listed = (await client.get("/v1/tokens", headers=_auth(ann))).json()["items"]
    assert [item["user"] for item in listed] == ["ann"]
    assert (await client.delete(f"/v1/tokens/{bob.info.token_id}", headers=_auth(ann))).status_code == 403
    assert (await client.delete(f"/v1/tokens/{ann.info.token_id}", headers=_auth(ann))).status_code == 200


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "user"),
        ({"user": ""}, "user"),
        ({"user": "bob", "scopes": []}, "scopes"),
        ({"user": "bob", "scopes": ["root"]}, "scopes[0]"),
        ({"user": "bob", "teems": ["risk"]}, "teems"),
        ({"user": "bob", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
    ],
)
async def test_a_bad_token_request_is_refused_naming_the_field(
    client: httpx2.AsyncClient, token: Callable[..., Any], body: dict[str, Any], path: str
) -> None:
    answer = await client.post("/v1/tokens", headers=_auth(await token("admin")), json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["fields"][0]["path"] == path


async def test_a_token_that_is_over_before_it_begins_is_refused(
    client: httpx2.AsyncClient, token: Callable[..., Any]
) -> None:
    body = {"user": "bob", "expires_at": "2020-01-01T00:00:00Z"}
    assert (await client.post("/v1/tokens", headers=_auth(await token("admin")), json=body)).status_code == 422


async def test_a_login_link_signs_one_browser_in_once(client: httpx2.AsyncClient, token: Callable[..., Any]) -> None:
    link = (await client.post("/v1/login-links", headers=_auth(await token("submit")))).json()
    assert link["url"] == f"{URL}/login?code={link['code']}"
    first = await client.get("/login", params={"code": link["code"]})
    assert first.status_code == 200
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert (await client.get("/v1/whoami")).json()["user"] == "ann"
    client.cookies.clear()
    assert (await client.get("/login", params={"code": link["code"]})).status_code == 401
    assert (await client.get("/v1/whoami")).status_code == 401


async def test_a_late_login_link_is_dead(
    client: httpx2.AsyncClient, token: Callable[..., Any], database: Database
) -> None:
    link = (await client.post("/v1/login-links", headers=_auth(await token("submit")))).json()
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE login_codes SET expires_at = now() - interval '1 second'"))
    assert (await client.get("/login", params={"code": link["code"]})).status_code == 401


async def test_a_session_ends_with_its_token(
    client: httpx2.AsyncClient, token: Callable[..., Any], database: Database
) -> None:
    made = await token("submit")
    link = (await client.post("/v1/login-links", headers=_auth(made))).json()
    await client.get("/login", params={"code": link["code"]})
    async with database.transaction() as connection:
        await tokens_store.revoke(connection, made.info.token_id)
    assert (await client.get("/v1/whoami")).status_code == 401


async def test_a_session_changes_nothing_from_another_sites_page(
    client: httpx2.AsyncClient, token: Callable[..., Any]
) -> None:
    link = (await client.post("/v1/login-links", headers=_auth(await token("admin")))).json()
    await client.get("/login", params={"code": link["code"]})
    body = {"user": "eve", "scopes": ["admin"]}
    for headers in ({}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = await client.post("/v1/tokens", json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site")
    assert (await client.post("/v1/tokens", json=body, headers={"Origin": URL})).status_code == 201


async def test_the_settings_are_shown_without_secrets(client: httpx2.AsyncClient, token: Callable[..., Any]) -> None:
    shown = (await client.get("/v1/config", headers=_auth(await token("admin")))).json()["settings"]
    values = {item["name"]: item for item in shown}
    assert values["port"] == {"name": "port", "value": 8787, "origin": "default"}
    assert values["jobs.heartbeat_seconds"]["value"] == 5.0


async def test_without_duties_the_database_alone_makes_it_ready(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/readyz")).json() == {"ready": True, "database": True, "duties": {}}
