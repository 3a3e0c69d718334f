"""What may name an artifact: one rule for every store, so that a key that works on a laptop also works on S3."""

from __future__ import annotations

import re

from railyard.errors import Invalid

INCOMING = ".incoming"
"""Where a large upload waits, inside the store, until it is whole."""

_STAGING = re.compile(r"#\d+$")


def check_key(key: str) -> str:
    """The key itself, when it may name an artifact. Raises Invalid (code `bad_key`)."""
    return _checked(key, key)


def check_prefix(prefix: str) -> str:
    """A folder of keys without its trailing `/`. Raises Invalid (code `bad_key`)."""
    return _checked(prefix.removesuffix("/"), prefix)


def _checked(key: str, given: str) -> str:
    reason = _problem(key)
    if reason:
        raise Invalid(
            f"{given[:200]!r} cannot name an artifact: {reason}",
            code="bad_key",
            mend="use a relative path such as report/curves.json: folders by '/', no '..', no control characters",
        )
    return key


def _problem(key: str) -> str | None:
    if not key:
        return "it is empty"
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in key):
        return "it holds a control character"
    if "\\" in key:
        return "it holds a backslash"
    if key.startswith("/"):
        return "it starts with '/'"
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "it is not Unicode text"
    if size > 1024:
        return f"it has {size} bytes; the most is 1024"
    parts = key.split("/")
    for part in parts:
        if part in ("", ".", ".."):
            return f"one of its parts is {part!r}"
        if len(part.encode()) > 200:
            return "one of its parts has more than 200 bytes"
        if _STAGING.search(part):
            return "one of its parts ends in '#' and digits, which the local store keeps for unfinished files"
    return f"{INCOMING} is the store's own folder" if parts[0] == INCOMING else None
