"""Values and paths on the command line."""

import click
import pytest

from railyard.cli.values import pointer
from railyard.client.requests import load
from railyard.errors import Invalid


def test_a_path_is_written_as_errors_write_it():
    assert pointer("train.label") == ("train", "label")
    assert pointer("data.filters[2].feature_value.float_val") == ("data", "filters", 2, "feature_value", "float_val")


@pytest.mark.parametrize("path", ["", ".", "a..b", "a[", "a[x]", "[0]", "a]b", "a.", ".a"])
def test_what_is_no_path_is_refused(path: str):
    with pytest.raises(click.UsageError, match="expected a path"):
        pointer(path)


def test_one_entry_of_a_list_can_be_set():
    draft = load({"data": {"features": [{"path": "a"}, {"path": "b"}]}})
    assert draft.replaced(pointer("data.features[1].path"), "c").value["data"]["features"] == [
        {"path": "a"},
        {"path": "c"},
    ]
    assert draft.value["data"]["features"][1] == {"path": "b"}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("data.features.path", "not an object"),
        ("data[0]", "not a list"),
        ("data.features[2].path", "holds 2 entries"),
        ("new.inner[0]", "not a list"),
    ],
)
def test_a_path_that_does_not_fit_the_request_is_refused(path: str, words: str):
    draft = load({"data": {"features": [{"path": "a"}, {"path": "b"}]}})
    with pytest.raises(Invalid, match=words):
        draft.replaced(pointer(path), 1)
