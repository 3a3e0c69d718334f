"""An error points at the line of the request that it speaks of."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railyard.client.locate import line_of

TEXT = """{
  "a": {"b": [1, "x]}\\"",
    {"c": null}],
    "d": -1.5e3
  },
  "e": []
}"""


@pytest.mark.parametrize(
    ("path", "line"),
    [("a", 2), ("a.b", 2), ("a.b[0]", 2), ("a.b[2]", 3), ("a.b[2].c", 3), ("a.d", 4), ("e", 6), ("a.missing", 2), ("e[0]", 6),
     ("nowhere", None), ("nowhere.at.all", None), ("$", None), ("", None)],
)  # fmt: skip
def test_the_line_of_a_place_is_found(path: str, line: int | None) -> None:
    assert line_of(TEXT, path) == line


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.from_regex(r"[a-z]{1,4}", fullmatch=True), inner, max_size=3)
        ),
        max_leaves=15,
    ),
    st.sampled_from([None, 0, 2]),
)
def test_every_key_of_any_json_is_found(inner: Any, indent: int | None) -> None:
    text = json.dumps({"top": inner}, indent=indent)
    lines = text.split("\n")

    def walk(value: Any, path: str) -> None:
        line = line_of(text, path)
        assert line is not None
        last = path.rpartition(".")[2]
        if not last.endswith("]"):
            assert f'"{last}":' in lines[line - 1]
        for name, item in value.items() if isinstance(value, dict) else ():
            walk(item, f"{path}.{name}")
        for index, item in enumerate(value) if isinstance(value, list) else ():
            walk(item, f"{path}[{index}]")

    walk(inner, "top")
