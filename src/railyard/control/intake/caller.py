"""Who is asking, and what they may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from railyard.errors import Forbidden

Scope = Literal["read", "submit", "deploy", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "submit", "deploy", "admin")
"""Narrow to wide: each includes those before it."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A person or a program with a valid token."""

    user: str
    teams: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("read",)
    token_id: str = ""

    def may(self, scope: Scope) -> bool:
        """Whether one of the caller's scopes includes this one."""
        return widest(self.scopes) >= SCOPES.index(scope)

    def require(self, scope: Scope) -> None:
        """Raises Forbidden where the scope is missing."""
        if not self.may(scope):
            raise Forbidden(
                f"this token may not do that: it needs the scope {scope}",
                code="scope_missing",
                why=f"{self.user}'s token has {', '.join(self.scopes) or 'no scope'}",
                mend=f"railyard token create {self.user} --scope {scope}   (run by an admin)",
            )

    def require_owner(self, owner: str) -> None:
        """Raises Forbidden unless the caller acts for this team; an admin acts for any."""
        if self.may("admin") or owner in self.teams:
            return
        raise Forbidden(
            f'this token may not act for the owner "{owner}"',
            code="not_your_team",
            why=f"{self.user} belongs to {', '.join(self.teams) or 'no team'}",
            mend="set owner to a team of yours, or ask an admin for a token of that team",
        )

    def require_trainer(self, trainer: str) -> None:
        """Raises Forbidden unless the caller is this person; an admin may name anybody."""
        if self.may("admin") or trainer == self.user:
            return
        raise Forbidden(
            f'this token may not name the trainer "{trainer}"',
            code="not_your_name",
            why=f"it is {self.user}'s",
            mend=f"set trainer to {self.user}, or ask an admin for a token of {trainer}",
        )


def widest(scopes: Sequence[str]) -> int:
    """Position of the widest known scope, -1 where there is none."""
    return max((SCOPES.index(scope) for scope in SCOPES if scope in scopes), default=-1)
