"""custom_params against the schema of a parameter dataclass, as pydantic writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, TypeAdapter, ValidationError

from railyard.control.intake.params import check_params
from railyard.errors import Invalid


@dataclass
class Tree:
    depth: int = 6
    rate: float = 0.1


@dataclass
class Params:
    region: str
    tree: Tree = field(default_factory=Tree)
    kind: Literal["gbtree", "dart"] = "gbtree"
    alpha: float | None = None
    steps: list[int] = field(default_factory=list)


_ADAPTER = TypeAdapter(tuple[Params], config=ConfigDict(extra="forbid", strict=True))
_WHOLE = _ADAPTER.json_schema()
SCHEMA: dict[str, Any] = {**_WHOLE["$defs"]["Params"], "$defs": _WHOLE["$defs"]}


def _fields(params: dict[str, Any], schema: dict[str, Any] = SCHEMA) -> dict[str, tuple[str, str | None]]:
    with pytest.raises(Invalid) as caught:
        check_params(schema, params)
    assert caught.value.code == "invalid_params"
    return {problem.path: (problem.expected, problem.nearest) for problem in caught.value.fields}


def test_without_a_schema_everything_fits() -> None:
    check_params(None, {"anything": [1, {"deep": None}]})


@pytest.mark.parametrize(
    "params",
    [
        {"region": "EU"},
        {"region": "EU", "tree": {"depth": 3}, "kind": "dart", "alpha": None, "steps": [1, 2]},
        {"region": "EU", "tree": {"rate": 1}},  # an integer is a number
    ],
)
def test_what_fits_passes(params: dict[str, Any]) -> None:
    check_params(SCHEMA, params)


def test_every_bad_value_is_named_at_once() -> None:
    found = _fields({"tree": {"depht": 3}, "kind": "gbtre", "alpha": "x", "steps": [1, "2"]})
    assert found["train.custom_params.region"][0].startswith("a value")
    assert found["train.custom_params.tree.depht"][1] == "depth"
    assert found["train.custom_params.kind"] == ("one of gbtree, dart", "gbtree")
    assert found["train.custom_params.alpha"][0] == "number"
    assert found["train.custom_params.steps[1]"][0] == "integer"


@pytest.mark.parametrize("value", [True, "6", 6.5, None, [6]])
def test_only_an_integer_is_an_integer(value: object) -> None:
    assert "train.custom_params.tree.depth" in _fields({"region": "EU", "tree": {"depth": value}})


@pytest.mark.parametrize(
    ("bound", "value"),
    [({"minimum": 1}, 0), ({"maximum": 1}, 2), ({"exclusiveMinimum": 1}, 1), ({"exclusiveMaximum": 1}, 1)],
)
def test_bounds_hold(bound: dict[str, int], value: int) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer", **bound}}}
    assert _fields({"x": value}, schema)["train.custom_params.x"][1] == "1"


def test_unknown_keywords_say_nothing() -> None:
    check_params({"type": "object", "properties": {"x": {"format": "uuid", "type": "fancy"}}}, {"x": 1})


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["EU", "dart", "gbtree"]) | st.just(0.5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["region", "tree", "kind", "alpha", "steps", "depth", "rate", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["region", "tree", "kind", "alpha", "steps", "x"]), _VALUES, max_size=4)
    | st.fixed_dictionaries({"region": st.just("EU")}, optional={"tree": _VALUES, "steps": _VALUES, "alpha": _VALUES})
)
def test_it_agrees_with_the_class_itself(params: dict[str, Any]) -> None:
    try:
        _ADAPTER.validate_json(json.dumps([params]))
        fits = True
    except ValidationError:
        fits = False
    try:
        check_params(SCHEMA, params)
        passed = True
    except Invalid:
        passed = False
    assert passed == fits
