"""A browser's session: signed, ended by time, and no help to another site's page."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from railyard.control.api import sessions
from railyard.errors import Forbidden

SECRET = b"s" * 32


def _connection(**headers: str) -> HTTPConnection:
    raw = [
        (name.replace("_", "-").encode(), value.encode())
        for name, value in {"host": "127.0.0.1:8787", **headers}.items()
    ]
    return HTTPConnection({"type": "http", "headers": raw})


def test_a_cookie_comes_back_as_its_token_until_its_last_second() -> None:
    cookie = sessions.sign("t1", SECRET, now=1000.0)
    assert sessions.verify(cookie, SECRET, now=1000.0 + sessions.LIFE_SECONDS - 1) == "t1"
    assert sessions.verify(cookie, SECRET, now=1000.0 + sessions.LIFE_SECONDS) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda cookie: cookie.replace("t1", "t2"),
        lambda cookie: cookie.replace(".6", ".9"),  # a longer life
        lambda cookie: cookie[:-1] + ("0" if cookie[-1] != "0" else "1"),
        lambda cookie: cookie.rpartition(".")[0],
        lambda cookie: "",
        lambda cookie: "é" + cookie,
        lambda cookie: "..",
    ],
)
def test_a_changed_cookie_is_nobodys(change: object) -> None:
    cookie = sessions.sign("t1", SECRET, now=1000.0)
    assert callable(change)
    assert sessions.verify(change(cookie), SECRET, now=1000.0) is None


def test_another_servers_cookie_is_nobodys() -> None:
    assert sessions.verify(sessions.sign("t1", b"o" * 32, now=0), SECRET, now=0) is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_is_open_from_anywhere(method: str) -> None:
    sessions.require_same_origin(_connection(sec_fetch_site="cross-site"), method)


@pytest.mark.parametrize(
    "headers",
    [{"sec_fetch_site": "same-origin"}, {"origin": "http://127.0.0.1:8787"}],
)
def test_the_servers_own_page_may_change_things(headers: dict[str, str]) -> None:
    sessions.require_same_origin(_connection(**headers), "POST")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:8787"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_any_other_page_may_not(headers: dict[str, str], method: str) -> None:
    with pytest.raises(Forbidden) as caught:
        sessions.require_same_origin(_connection(**headers), method)
    assert caught.value.code == "cross_site"
