"""The request: what is accepted byte for byte, and how a bad one is refused."""

import copy
import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railyard.compute.evaluation import METRICS
from railyard.errors import Invalid
from railyard.spec.jsonc import merge_patch, parse_strict, strip_comments
from railyard.spec.request import (
    PREDICATES,
    SAMPLING_FUNCTIONS,
    MetricName,
    TrainingRequest,
    memory_bytes,
    needed_columns,
)
from railyard.validation import PATTERNS, check_request, parse_request

SEED = Path(__file__).parents[2] / "examples" / "fraud" / "request.json5"


@pytest.fixture
def seed() -> dict[str, Any]:
    return parse_strict(strip_comments(SEED.read_text()))


def problems(value: Any):
    with pytest.raises(Invalid) as caught:
        check_request(value)
    assert caught.value.status == 422
    return {problem.path: problem for problem in caught.value.fields}


def test_the_seed_request_is_accepted_with_its_documented_meaning(seed: dict[str, Any]):
    request = check_request(seed)
    assert request.train.workflow_name == "StripeFraudModel"
    assert request.compute_resource == "CPU"
    assert [condition.predicate for condition in request.data.filters] == ["GtEq", "LtEq", "Gt", "IsIn"]
    assert request.data.filters[2].feature_value.value == 10.0
    assert request.train.custom_params["objective"] == "reg:linear"


def test_the_label_is_read_although_names_omit_it(seed: dict[str, Any]):
    assert needed_columns(check_request(seed)) == [
        "created_at", "charge_type", "charge_amount", "charge_country", "has_fraud_dispute", "is_fraudulent",
    ]  # fmt: skip


def test_the_server_takes_strict_json_only():
    with pytest.raises(Invalid, match="not JSON") as caught:
        parse_request(SEED.read_text())
    assert caught.value.code == "invalid_json"
    assert "comments" in caught.value.mend


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": 1e999}', '{"a": 1, "a": 2}', "[", '{"a": Infinity}', "\ufeff{}", "[" * 100_000]
)
def test_what_is_not_strict_json_is_refused(text: str):
    with pytest.raises(Invalid):
        parse_request(text)


def test_comments_are_stripped_outside_strings_only():
    text = '{"a": "s3://x//y", // why\n "b": "\\"//no", "c": 1 // end'
    assert strip_comments(text) + "}" == '{"a": "s3://x//y",       \n "b": "\\"//no", "c": 1       }'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), json_values, max_size=5
    )
)
def test_custom_params_survive_a_round_trip_exactly(params: dict[str, Any]):
    value = parse_strict(strip_comments(SEED.read_text()))
    value["train"]["custom_params"] = params
    request = parse_request(json.dumps(value))
    again = parse_request(request.model_dump_json(exclude_none=False))
    assert again.train.custom_params == params
    assert json.dumps(again.train.custom_params, sort_keys=True) == json.dumps(params, sort_keys=True)


def test_large_and_tiny_numbers_in_custom_params_keep_every_digit(seed: dict[str, Any]):
    seed["train"]["custom_params"] = {"big": 2**53 + 1, "tiny": 1e-300, "nested": {"null": None, "text": "é😀"}}
    again = TrainingRequest.model_validate_json(check_request(seed).model_dump_json())
    assert again.train.custom_params == {
        "big": 9007199254740993,
        "tiny": 1e-300,
        "nested": {"null": None, "text": "é😀"},
    }


@pytest.mark.parametrize(
    ("change", "path", "nearest"),
    [
        (lambda r: r.update(ownr="x"), "ownr", "owner"),
        (lambda r: r["data"].update(filter=[]), "data.filter", "filters"),
        (lambda r: r["data"]["filters"][1].update(predicate="LtEqq"), "data.filters[1].predicate", "LtEq"),
        (lambda r: r["data"]["filters"][0]["feature_value"].update(string_vl="x"), "data.filters[0].feature_value.string_vl", "string_val"),
        (lambda r: r["data"]["holdout_sampling"].update(sampling_function="date_range"), "data.holdout_sampling.sampling_function", "DATE_RANGE"),
        (lambda r: r["data"]["features"][0].update(source="S3"), "data.features[0].source", "s3"),
        (lambda r: r["train"].update(workflow="x"), "train.workflow", "workflow_name"),
        (lambda r: r.update(retry={"out_of_memory": {"maxx": 1}}), "retry.out_of_memory.maxx", "max"),
        (lambda r: r.update(evaluation={"metrics": ["auc", "acuracy"]}), "evaluation.metrics[1]", "accuracy"),
    ],
)  # fmt: skip
def test_a_typo_is_refused_with_its_path_and_the_nearest_word(
    seed: dict[str, Any], change: Any, path: str, nearest: str
):
    change(seed)
    assert problems(seed)[path].nearest == nearest


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("owner", lambda r: r.pop("owner")),
        ("owner", lambda r: r.update(owner="  ")),
        ("model_name", lambda r: r.update(model_name="../x")),
        ("trainer", lambda r: r.update(trainer="a\nb")),
        ("data.features", lambda r: r["data"].update(features=[])),
        ("data.filters[2].feature_value.float_val", lambda r: r["data"]["filters"][2]["feature_value"].update(float_val="10")),
        ("data.filters[2].feature_value", lambda r: r["data"]["filters"][2].update(feature_value={})),
        ("data.filters[2].feature_value.float_val", lambda r: r["data"]["filters"][2]["feature_value"].update(float_val=2**53 + 1)),
        ("data.filters[2].feature_value", lambda r: r["data"]["filters"][2]["feature_value"].update(int_val=1)),
        ("data.filters[3]", lambda r: r["data"]["filters"][3].update(feature_value={"string_val": "US"})),
        ("data.filters[2]", lambda r: r["data"]["filters"][2].update(predicate="IsNull")),
        ("data.filters[2]", lambda r: r["data"]["filters"][2].pop("feature_value")),
        ("data.holdout_sampling.date_range_sampling.end_date",
         lambda r: r["data"]["holdout_sampling"]["date_range_sampling"].update(end_date="01/02/2019")),
        ("data.holdout_sampling", lambda r: r["data"]["holdout_sampling"].pop("date_range_sampling")),
        ("data.holdout_sampling", lambda r: r["data"]["holdout_sampling"].update(random_sampling={"fraction": 0.5})),
        ("data.features[0]", lambda r: r["data"]["features"][0].update(path="/local")),
        ("data.features[0]", lambda r: r["data"]["features"][0].update(source="sql")),
        ("data", lambda r: r["data"]["features"].append(r["data"]["features"][0])),
        ("train.custom_params", lambda r: r["train"].update(custom_params=[1])),
        ("resources.memory", lambda r: r.update(resources={"memory": "many"})),
        ("timeout_seconds", lambda r: r.update(timeout_seconds=0)),
        ("priority", lambda r: r.update(priority=101)),
        ("priority", lambda r: r.update(priority=True)),
        ("seed", lambda r: r.update(seed=1.5)),
        ("train.custom_params.x", lambda r: r["train"].update(custom_params={"x": "a\x00b"})),
        ("train.custom_params.x[0]", lambda r: r["train"].update(custom_params={"x": ["\ud800"]})),
        ("train.custom_params", lambda r: r["train"].update(custom_params={"\udfff": 1})),
        ("owner", lambda r: r.update(owner="a\ud800")),
        ("data.holdout_sampling.date_range_sampling.start_date",
         lambda r: r["data"]["holdout_sampling"]["date_range_sampling"].update(start_date="2018-02-30")),
        ("data.holdout_sampling.date_range_sampling.end_date",
         lambda r: r["data"]["holdout_sampling"]["date_range_sampling"].update(end_date="2019-01-01T24:00:00")),
        ("data.holdout_sampling.date_range_sampling",
         lambda r: r["data"]["holdout_sampling"]["date_range_sampling"].update(start_date="2019-01-01T00:00:01Z")),
        ("data.features[0]", lambda r: r["data"]["features"][0].update(path="s3://")),
        ("data.features[0]", lambda r: r["data"]["features"][0].update(names=["a", "a"])),
        ("train", lambda r: r["train"].update(classifier_features=["a", "b", "a"])),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_at_its_path(seed: dict[str, Any], path: str, change: Any):
    change(seed)
    found = problems(seed)
    assert path in found
    assert found[path].expected
    assert found[path].got


def test_a_refusal_says_what_was_expected_and_what_came_in_one_breath(seed: dict[str, Any]):
    holdout = seed["data"]["holdout_sampling"]
    holdout |= {"sampling_function": "COLUMN", "column_sampling": {"column": "side", "holdout_values": [None]}}
    seed["data"]["filters"], seed["evaluation"] = None, 1
    seed |= {"model_name": "a/b", "retry": {"preempted": "never"}, "resources": {"memory": "12GB"}}
    del holdout["date_range_sampling"]
    seed["data"]["features"][0]["source"] = "sql"
    assert {path: (problem.expected, problem.got) for path, problem in problems(seed).items()} == {
        "data.filters": ("a list", "null"),
        "evaluation": ("a JSON object", "1"),
        "model_name": ("1 to 128 letters, digits, `.`, `_` or `-`, the first a letter or digit", '"a/b"'),
        "data.features[0]": ("connection and query, and no path, with source sql", "path"),
        "data.holdout_sampling.column_sampling.holdout_values[0]": (
            "a valid string or a valid boolean or a valid integer or a valid number",
            "null",
        ),
        "resources.memory": ('a quantity such as "12Gi" or "512Mi"', '"12GB"'),
        "retry.preempted": ("a valid integer or one of unlimited", '"never"'),
    }


def test_every_pattern_of_the_request_is_told_in_words():
    schema = json.dumps(TrainingRequest.model_json_schema())
    assert {json.loads(f'"{found}"') for found in re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', schema)} <= set(
        PATTERNS
    )


@pytest.mark.parametrize("depth", [200, 300, 600, 900, 960, 990, 5000])
def test_deep_custom_params_are_taken_or_refused_and_never_an_error_of_ours(seed: dict[str, Any], depth: int):
    seed["train"]["custom_params"] = "DEEP"
    text = json.dumps(seed).replace('"DEEP"', '{"a":' + "[" * depth + "]" * depth + "}")
    if depth == 200:
        assert parse_request(text)
        return
    with pytest.raises(Invalid) as caught:
        parse_request(text)
    assert len(str(caught.value)) < 500


def test_every_metric_of_the_platform_may_be_asked_for_and_no_other():
    assert set(get_args(MetricName)) == set(METRICS)


@pytest.mark.parametrize("value", [None, [], "x", 1, {}])
def test_anything_but_a_request_is_refused(value: Any):
    assert problems(value)


def test_no_label_and_no_features_are_legal(seed: dict[str, Any]):
    del seed["train"]["label"], seed["train"]["classifier_features"], seed["data"]["holdout_sampling"]
    assert check_request(seed).train.label is None


def test_a_lower_case_class_is_echoed_in_its_canonical_form(seed: dict[str, Any]):
    assert check_request({**seed, "compute_resource": "high_memory"}).compute_resource == "HIGH_MEMORY"
    assert check_request({**seed, "compute_resource": "my-own"}).compute_resource == "my-own"


def test_a_request_is_frozen_and_validation_does_not_touch_what_was_given(seed: dict[str, Any]):
    before = copy.deepcopy(seed)
    request = check_request(seed)
    assert seed == before
    with pytest.raises(ValueError, match="frozen"):
        request.owner = "x"  # type: ignore[misc]


def test_the_documented_literals_are_byte_exact():
    assert {"GtEq", "LtEq", "Gt", "IsIn"} <= set(PREDICATES)
    assert SAMPLING_FUNCTIONS == ("DATE_RANGE", "RANDOM", "HASH", "COLUMN", "NONE")


@pytest.mark.parametrize(
    ("text", "count"), [("1Gi", 2**30), ("1.5Gi", 3 * 2**29), ("500M", 5 * 10**8), ("1048576", 2**20)]
)
def test_memory_is_read_as_kubernetes_reads_it(text: str, count: int):
    assert memory_bytes(text) == count


def test_a_merge_patch_replaces_merges_and_removes():
    assert merge_patch({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": None, "e": 5}, "d": [1]}) == {
        "a": {"c": 2, "e": 5},
        "d": [1],
    }
