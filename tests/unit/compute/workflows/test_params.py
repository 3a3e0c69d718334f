"""custom_params become typed parameters, strictly, and every problem says where it is."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import railyard
from railyard.compute.workflows.params import FreeParams, check_params_class, convert, params_schema
from railyard.errors import ConfigurationError, Invalid


@dataclass
class Tree:
    max_depth: int = railyard.field(6, ge=1, le=20, description="levels")
    rate: float = railyard.field(0.1, gt=0, lt=1)


@dataclass
class Params:
    region: str
    objective: Literal["logistic", "linear"] = "logistic"
    booster: str = railyard.field("tree", choices=["tree", "line"])
    tree: Tree = dataclasses.field(default_factory=Tree)
    stages: list[Tree] = railyard.field([])
    weights: dict[str, float] = railyard.field({"a": 1.0})
    limit: int | None = None


def problems(given: dict[str, Any], kind: type = Params) -> dict[str, tuple[str, str, str | None]]:
    with pytest.raises(Invalid) as caught:
        convert(kind, given)
    assert caught.value.code == "invalid_params"
    return {one.path: (one.expected, one.got, one.nearest) for one in caught.value.fields}


def test_a_dataclass_is_filled_at_every_depth():
    params = convert(Params, {"region": "EU", "tree": {"max_depth": 3}, "stages": [{"rate": 0.5}], "limit": 7})
    assert params == Params(region="EU", tree=Tree(max_depth=3), stages=[Tree(rate=0.5)], limit=7)


def test_an_integer_is_welcome_where_a_number_is_asked_for():
    assert convert(Params, {"region": "EU", "weights": {"x": 2}}).weights == {"x": 2.0}


def test_a_default_that_can_change_is_never_shared():
    convert(Params, {"region": "EU"}).stages.append(Tree())
    assert convert(Params, {"region": "EU"}).stages == []
    assert Params("EU").weights is not Params("EU").weights


@pytest.mark.parametrize(
    ("given", "path", "expected", "got"),
    [
        ({"region": "EU", "tree": {"max_depth": "6"}}, "tree.max_depth", "a valid integer", '"6"'),
        ({"region": "EU", "tree": {"max_depth": 6.5}}, "tree.max_depth", "a valid integer", "6.5"),
        ({"region": "EU", "tree": {"max_depth": True}}, "tree.max_depth", "a valid integer", "true"),
        ({"region": "EU", "tree": {"max_depth": 21}}, "tree.max_depth", "less than or equal to 20", "21"),
        ({"region": "EU", "tree": {"rate": 1}}, "tree.rate", "less than 1", "1"),
        ({"region": 1}, "region", "a valid string", "1"),
        ({"region": "EU", "stages": [{}, {"rate": 0}]}, "stages[1].rate", "greater than 0", "0"),
        ({"region": "EU", "weights": {"x": "y"}}, "weights.x", "a valid number", '"y"'),
        ({"region": "EU", "limit": "many"}, "limit", "a valid integer", '"many"'),
        ({}, "region", "a value (the parameter has no default)", "nothing"),
    ],
)
def test_a_wrong_value_is_named_with_path_expected_and_got(given, path, expected, got):
    assert problems(given)[f"train.custom_params.{path}"][:2] == (expected, got)


def test_an_unknown_key_names_the_nearest_at_its_own_depth():
    found = problems({"region": "EU", "tree": {"max_dept": 3}, "regoin": "EU", "stages": [{"rats": 1}]})
    assert found["train.custom_params.tree.max_dept"][2] == "max_depth"
    assert found["train.custom_params.regoin"][2] == "region"
    assert found["train.custom_params.stages[0].rats"][2] == "rate"


def test_a_value_outside_the_choices_names_the_nearest():
    assert problems({"region": "EU", "booster": "tre"})["train.custom_params.booster"] == (
        "one of tree, line",
        '"tre"',
        "tree",
    )
    assert problems({"region": "EU", "objective": "logistik"})["train.custom_params.objective"][2] == "logistic"


def test_what_the_dataclass_itself_refuses_is_told():
    @dataclass
    class Checked:
        low: int
        high: int

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low must not be above high")

    assert problems({"low": 2, "high": 1}, Checked)["train.custom_params"][0] == "low must not be above high"


def test_the_schema_holds_types_bounds_choices_and_descriptions():
    schema = params_schema(Params)
    assert schema["required"] == ["region"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["booster"]["enum"] == ["tree", "line"]
    tree = schema["$defs"]["Tree"]["properties"]["max_depth"]
    assert (tree["minimum"], tree["maximum"], tree["default"], tree["description"]) == (1, 20, 6, "levels")


@pytest.mark.parametrize("kind", [int, dict, "Params", Tree(3)])
def test_only_a_dataclass_may_be_the_parameter_class(kind):
    with pytest.raises(ConfigurationError, match="must be a dataclass"):
        check_params_class(kind)


def test_a_field_that_json_cannot_carry_is_refused_with_its_class():
    class Odd:
        pass

    kind = dataclasses.make_dataclass("Holder", [("odd", Odd)])
    with pytest.raises(ConfigurationError, match="Holder holds a type that JSON cannot carry"):
        check_params_class(kind)


def test_without_a_dataclass_attribute_and_item_read_alike():
    params = convert(None, {"max_depth": 6, "tree": {"rate": {"low": 0.1}}, "items": 3})
    assert params.max_depth == params["max_depth"] == 6
    assert params.tree.rate.low == 0.1
    assert params["items"] == 3
    assert dict(**params)["max_depth"] == 6


def test_a_missing_free_parameter_names_the_nearest():
    with pytest.raises(AttributeError, match="did you mean max_depth"):
        FreeParams(max_depth=6).max_dept


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_free_parameters_are_untouched_and_a_copy(given):
    params = convert(None, given)
    assert params == given
    assert all(params[name] is not value for name, value in given.items() if isinstance(value, (list, dict)))


@given(JSON)
def test_whatever_comes_is_converted_or_refused_as_invalid(value):
    with contextlib.suppress(Invalid):
        assert isinstance(convert(Params, {"region": "EU", "tree": value}), Params)
