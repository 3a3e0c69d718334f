"""A browser's session: a signed cookie that names a token. No secret lies in the browser, no table holds sessions."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from railyard.errors import Forbidden

COOKIE = "railyard_session"
LIFE_SECONDS = 7 * 86400
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def sign(token_id: str, secret: bytes, now: float) -> str:
    """The cookie's value: token id, last second of its life, signature."""
    body = f"{token_id}.{int(now) + LIFE_SECONDS}"
    return f"{body}.{_signature(body, secret)}"


def verify(cookie: str, secret: bytes, now: float) -> str | None:
    """The token id of a cookie of ours that is still alive, else None."""
    body, _, signature = cookie.rpartition(".")
    token_id, _, ends = body.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(body, secret).encode()):
        return None
    return token_id if ends.isdigit() and int(ends) > now else None


def require_same_origin(connection: HTTPConnection, method: str) -> None:
    """Refuses a change that another site's page made the browser send. Raises Forbidden."""
    if method in SAFE_METHODS:
        return
    site = connection.headers.get("sec-fetch-site")
    origin = connection.headers.get("origin")
    if site == "same-origin" or (
        site is None and origin is not None and urlsplit(origin).netloc == connection.headers.get("host")
    ):
        return
    raise Forbidden(
        "a browser's session may change things only from this server's own pages",
        code="cross_site",
        why=f"the request came from {origin or site or 'an unknown place'}",
        mend="use a bearer token, or the button on the server's own page",
    )


def _signature(body: str, secret: bytes) -> str:
    return hmac.new(secret, b"session:" + body.encode(), hashlib.sha256).hexdigest()
