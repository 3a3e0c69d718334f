"""The token of one attempt. The same name always gets the same token, so that a repeated start hands over no other."""

from __future__ import annotations

import hashlib
import hmac
import secrets

PREFIX = "ra_"


def new_nonce() -> str:
    """What makes the tokens of two attempts with one name (in two databases) differ."""
    return secrets.token_hex(16)


def attempt_token(secret: bytes, name: str, nonce: str) -> str:
    """`ra_` and HMAC-SHA256 of name and nonce with the server's secret."""
    return PREFIX + hmac.new(secret, f"{name} {nonce}".encode(), hashlib.sha256).hexdigest()


def token_hash(token: str) -> str:
    """What the table keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
