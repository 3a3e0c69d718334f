"""Scopes include the narrower ones; a team is acted for by its members and by admins."""

from __future__ import annotations

import pytest

from railyard.control.intake.caller import Caller, Scope
from railyard.errors import Forbidden


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        ((), ()),
        (("read",), ("read",)),
        (("submit",), ("read", "submit")),
        (("deploy",), ("read", "submit", "deploy")),
        (("admin",), ("read", "submit", "deploy", "admin")),
        (("read", "admin"), ("read", "submit", "deploy", "admin")),
        (("root",), ()),
    ],
)
def test_a_wider_scope_includes_the_narrower(scopes: tuple[str, ...], may: tuple[str, ...]) -> None:
    caller = Caller(user="ann", scopes=scopes)
    wanted: tuple[Scope, ...] = ("read", "submit", "deploy", "admin")
    assert tuple(scope for scope in wanted if caller.may(scope)) == may


def test_what_is_missing_is_named_with_who_can_give_it() -> None:
    with pytest.raises(Forbidden) as caught:
        Caller(user="ann", scopes=("read",)).require("admin")
    assert caught.value.code == "scope_missing"
    assert "admin" in caught.value.message
    assert caught.value.mend.startswith("railyard token create ann --scope admin")


def test_one_acts_for_ones_own_teams_only() -> None:
    caller = Caller(user="ann", teams=("risk", "eta"), scopes=("submit",))
    caller.require_owner("eta")
    with pytest.raises(Forbidden) as caught:
        caller.require_owner("Risk")
    assert caught.value.code == "not_your_team"
    assert "risk, eta" in caught.value.why


def test_an_admin_acts_for_anybody() -> None:
    Caller(user="root", scopes=("admin",)).require_owner("anybody")


def test_one_trains_under_ones_own_name_only() -> None:
    caller = Caller(user="ann", teams=("risk",), scopes=("submit",))
    caller.require_trainer("ann")
    with pytest.raises(Forbidden) as caught:
        caller.require_trainer("bob")
    assert caught.value.code == "not_your_name"
    assert "ann" in caught.value.mend


def test_an_admin_names_any_trainer() -> None:
    Caller(user="root", scopes=("admin",)).require_trainer("bob")
