"""What is answered about code and workflows, without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from railyard.control.code import choose
from railyard.errors import Invalid, NotFound
from railyard.spec.records import CodeVersion, WorkflowInfo


def _version(*infos: WorkflowInfo, **values: Any) -> CodeVersion:
    given = {
        "code_id": "c0ffee123456", "project": "fraud", "sha256": "0" * 64, "bytes": 1, "state": "ready",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC), "created_by": "ada", "workflows": infos, **values,
    }  # fmt: skip
    return CodeVersion.model_validate(given)


def _info(name: str, file: str = "workflows/a.py", broken: str | None = None, label: str | None = None) -> WorkflowInfo:
    return WorkflowInfo(name=name, file=file, broken=broken, label=label)


@pytest.mark.parametrize(
    ("git_sha", "dirty", "expected"),
    [
        ("a41c9e2" + "0" * 33, False, "a41c9e200000"),
        ("a41c9e2" + "0" * 33, True, "c0ffee123456"),
        (None, False, "c0ffee123456"),
    ],
)
def test_the_default_version_is_the_commit_only_where_it_tells_all(
    git_sha: str | None, dirty: bool, expected: str
) -> None:
    assert choose.default_version(_version(git_sha=git_sha, dirty=dirty)) == expected


def test_loading_replaces_what_was_read_and_keeps_the_names_of_files_that_failed() -> None:
    static = [_info("A"), _info("B", "workflows/b.py"), _info("Abstract")]
    loaded = [
        _info("A", label="y"),
        _info("b", "workflows/b.py", broken="boom"),
        _info("c", "workflows/c.py", broken="bang"),
    ]
    found = {info.name: info for info in choose.merged(static, loaded)}
    assert found.keys() == {"A", "B", "c"}
    assert found["A"].label == "y"
    assert found["B"].broken == "boom"


def test_of_a_file_whose_one_class_is_broken_the_others_stay_whole() -> None:
    static = [_info("Good"), _info("Bad")]
    loaded = [_info("Good", label="y"), _info("Bad", broken="bad schema")]
    found = {info.name: info.broken for info in choose.merged(static, loaded)}
    assert found == {"Good": None, "Bad": "bad schema"}


def test_the_last_line_of_a_traceback_is_the_message() -> None:
    version = _version(_info("A", broken="Traceback\n  File …\nValueError: no such thing\n\n"))
    with pytest.raises(Invalid, match="the workflow A does not load: ValueError: no such thing"):
        choose.check_holds(version, "A")


def test_a_workflow_of_ready_or_building_code_is_taken() -> None:
    for state in ("ready", "building"):
        version = _version(_info("A"), state=state)
        assert choose.check_holds(version, "A") is version


def test_with_no_near_name_the_mend_says_how_to_make_one() -> None:
    with pytest.raises(Invalid) as caught:
        choose.check_holds(_version(), "Fraud")
    assert caught.value.why == "it holds none"
    assert "class Fraud(railyard.Workflow)" in caught.value.mend


def test_a_very_long_list_of_names_is_cut() -> None:
    with pytest.raises(Invalid) as caught:
        choose.check_holds(_version(*(_info(f"W{number:03}") for number in range(50))), "Fraud")
    assert "and 30 more" in caught.value.why
    assert len(caught.value.detail["workflows"]) == 50


@pytest.mark.parametrize("code", ["c0ffee", "c", "fraud@1.2", "a.b-c_d@v1"])
def test_references_are_read(code: str) -> None:
    found = choose.parse_reference(code)
    assert (found.kind == "version") is ("@" in code)


@pytest.mark.parametrize("code", ["", "x", "fraud@", "@1", "a@b@c", "c0ffee12345678", "cXYZ", "a b@c", "c0ffee\n"])
def test_what_names_no_code_is_refused(code: str) -> None:
    with pytest.raises(NotFound, match="names no code version"):
        choose.parse_reference(code)
