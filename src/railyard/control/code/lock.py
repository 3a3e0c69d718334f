"""The lock of a code project: pinned requirements, and nothing that leads elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

from railyard.errors import Invalid

_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[^\]]*\])?\s*"
    r"(?:===?\s*(?P<version>[^\s;,*]+)|@\s*(?P<url>(?:git\+)?https://\S+))\s*(?:;.*)?"
)
_HASH = re.compile(r"\s--hash[= ]\s*[a-z0-9]+:[0-9a-f]+")


@dataclass(frozen=True, kw_only=True)
class Lock:
    """What a lock asks for."""

    lines: tuple[str, ...]
    """One requirement each, hashes included, without comments."""
    hashed: bool
    """Hashes stand in it, so that everything in it must match one."""

    @property
    def constraints(self) -> tuple[str, ...]:
        """The requirements without hashes and extras: what further packages have to agree with."""
        return tuple(re.sub(r"\[[^\]]*\]", "", _HASH.sub("", line), count=1) for line in self.lines)


def read_lock(text: str, path: str) -> Lock:
    """Reads a lock. `railyard` itself is passed over: a runtime gets the server's own.

    Raises Invalid (code `bad_lock`) naming the line that is not `name==version`, with extras, marker, hashes or not.
    """
    lines: list[str] = []
    for number, line in _logical_lines(text):
        bare = _HASH.sub("", f" {line}").strip()
        found = _PINNED.fullmatch(bare)
        if not found:
            raise _bad(path, number, bare)
        if found["name"].lower() != "railyard":
            lines.append(line)
    return Lock(lines=tuple(lines), hashed=any(_HASH.search(line) for line in lines))


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines with their number, continuations joined, comments and blank ones left out."""
    found: list[tuple[int, str]] = []
    begun: tuple[int, str] | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        start, before = begun or (number, "")
        if line.endswith("\\"):
            begun = (start, f"{before} {line[:-1].strip()}".strip())
            continue
        begun = None
        whole = f"{before} {line}".strip()
        if whole:
            found.append((start, whole))
    if begun and begun[1]:
        found.append(begun)
    return found


def _bad(path: str, number: int, line: str) -> Invalid:
    if line.startswith("-"):
        why = f"line {number} is the option {line.split()[0][:100]!r}: a lock holds requirements, no addresses or files"
        mend = "leave the option out; the server's own settings say where packages come from"
    else:
        why = f"line {number} is {line[:200]!r}; expected name==version, with hashes where you have them"
        mend = f"pin everything: uv pip compile --generate-hashes pyproject.toml -o {path}"
    return Invalid(f"the lock {path} does not hold", code="bad_lock", why=why, mend=mend)
