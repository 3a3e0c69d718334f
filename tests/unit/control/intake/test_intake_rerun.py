"""The text of a rerun: the very same where nothing changes, else the patch merged in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railyard.control.intake.rerun import patched
from railyard.spec.jsonc import merge_patch

TEXT = '{ "a":1.0, "n": 9007199254740993,\n "p": {"x": 1e-300, "y": null}, "code": "c1"}'


@pytest.mark.parametrize("overrides", [{}, {"a": 1.0}, {"p": {"x": 1e-300}}, {"missing": None}])
def test_where_nothing_changes_the_text_is_the_same_byte_for_byte(overrides: dict[str, Any]) -> None:
    assert patched(TEXT, overrides, latest=False) == TEXT


@pytest.mark.parametrize(
    ("overrides", "latest", "expected"),
    [
        ({"a": 2}, False, {"a": 2}),
        ({"a": 1}, False, {"a": 1}),  # 1 is not 1.0 to a workflow
        ({"a": True}, False, {"a": True}),
        ({"a": None}, False, {"a": "gone"}),
        ({"p": {"x": None, "z": [1]}}, False, {"p": {"y": None, "z": [1]}}),
        ({}, True, {"code": "gone"}),
        ({"code": "c2"}, True, {"code": "c2"}),
    ],
)
def test_a_patch_is_merged_in(overrides: dict[str, Any], latest: bool, expected: dict[str, Any]) -> None:
    wanted = json.loads(TEXT)
    for key, value in expected.items():
        wanted.pop(key) if value == "gone" else wanted.__setitem__(key, value)
    assert json.dumps(json.loads(patched(TEXT, overrides, latest=latest)), sort_keys=True) == json.dumps(
        wanted, sort_keys=True
    )


def test_large_integers_and_tiny_floats_survive_a_patch() -> None:
    text = patched(TEXT, {"b": 1}, latest=False)
    assert "9007199254740993" in text
    assert "1e-300" in text


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
_OBJECT = st.dictionaries(st.text(max_size=3), _JSON, max_size=4)


@given(_OBJECT, _OBJECT)
def test_it_is_the_merge_patch_of_the_value(value: dict[str, Any], overrides: dict[str, Any]) -> None:
    found = json.loads(patched(json.dumps(value), overrides, latest=False))
    assert json.dumps(found, sort_keys=True) == json.dumps(merge_patch(value, overrides), sort_keys=True)
