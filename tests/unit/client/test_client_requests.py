"""What is sent for what a person hands over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railyard.client.client import amended
from railyard.client.requests import load
from railyard.errors import Invalid, NotFound
from railyard.spec.jsonc import parse_strict

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def test_a_file_is_sent_as_written_but_for_its_comments(tmp_path: Path) -> None:
    file = tmp_path / "request.json5"
    file.write_text('{\n  // who\n  "owner": "a // b", "x": 10.00, "y": 1E-300\n}\n')
    draft = load(file)
    assert draft.text == '{\n        \n  "owner": "a // b", "x": 10.00, "y": 1E-300\n}\n'
    assert draft.folder == tmp_path
    assert load(file.read_text()).value == draft.value
    assert load(str(file)).value == draft.value


def test_naming_the_code_leaves_every_other_character_alone() -> None:
    draft = load('// hi\n{"x": 10.00, "y": {"z": 9007199254740993}}').with_code("c0123456789ab")
    assert draft.text.endswith('{"code": "c0123456789ab", "x": 10.00, "y": {"z": 9007199254740993}}')
    assert parse_strict(draft.text) == draft.value
    assert load("{}").with_code("c1").text == '{"code": "c1"}'
    assert load('{"code": "a"}').with_code("b").value == {"code": "b"}


@given(st.dictionaries(st.text(), JSON, max_size=4), st.text(min_size=1), JSON)
def test_a_parameter_arrives_exactly_as_it_was_given(request: dict[str, object], name: str, value: object) -> None:
    draft = amended(load({**request, "train": {"custom_params": {"kept": 1}}}), {name: value})
    sent = parse_strict(draft.text)["train"]["custom_params"]
    assert sent == {"kept": 1, name: value}


def test_overrides_merge_and_null_removes() -> None:
    draft = amended(load({"a": {"b": 1, "c": 2}, "seed": 3}), None, "CPU", {"a": {"b": None}, "seed": 4})
    assert draft.value == {"a": {"c": 2}, "seed": 4, "compute_resource": "CPU"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1,}', "line 1"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": 1, "a": 2}', "stands twice"),
        ("{'a': 1}", "line 1 column 2"),
        ('{"a": 1e999}', "beyond the range"),
        ("// nothing", "line 1"),
    ],
)
def test_text_that_is_not_json_is_refused_with_its_place(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(Invalid) as caught:
        load(file)
    assert str(file) in caught.value.message
    assert why in caught.value.why


def test_a_request_must_be_an_object(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(Invalid, match="is not a request"):
        load(tmp_path / "list.json")


def test_a_missing_file_names_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "request.json5").write_text("{}")
    with pytest.raises(NotFound) as caught:
        load(tmp_path / "reqest.json5")
    assert "request.json5" in caught.value.why


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(Invalid, match="not UTF-8"):
        load(tmp_path / "x.json")


def test_a_byte_order_mark_is_no_part_of_the_request(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"a": 1}).encode())
    assert load(tmp_path / "x.json").value == {"a": 1}


def test_what_python_cannot_write_as_json_is_refused() -> None:
    with pytest.raises(Invalid, match="cannot be written as JSON"):
        load({"when": object()})
    with pytest.raises(Invalid, match="not an object"):
        amended(load({"train": {"custom_params": 7}}), {"a": 1})
