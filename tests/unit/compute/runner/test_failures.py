from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from railyard.compute.runner.failures import LONGEST_TRACEBACK, report_of
from railyard.errors import AttemptError, Unreachable
from railyard.spec.result import ErrorReport


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        if cause is not None:
            raise error from cause
        raise error
    except BaseException as caught:
        return caught


def report(error: BaseException) -> ErrorReport:
    return report_of(error, step="train")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("x"), "user_code"),
        (KeyboardInterrupt(), "user_code"),
        (SystemExit(3), "user_code"),
        (MemoryError(), "out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk_full"),
        (OSError(errno.ENOENT, "No such file"), "user_code"),
        (AttemptError("bad_label", "one value"), "bad_label"),
        (Unreachable("gone"), "internal"),
    ],
)
def test_the_reason_follows_from_the_exception(error: BaseException, code: str) -> None:
    assert report(raised(error)).code == code


@pytest.mark.parametrize(
    ("cause", "code"), [(MemoryError("8 GiB"), "out_of_memory"), (OSError(errno.ENOSPC, "full"), "disk_full")]
)
def test_a_cause_that_a_library_wrapped_is_found(cause: BaseException, code: str) -> None:
    assert report(raised(RuntimeError("fit failed"), cause)).code == code


def test_a_chain_that_bites_its_tail_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert report(one).code == "user_code"


def test_the_sentence_names_the_user_s_own_line(tmp_path: Path) -> None:
    file = tmp_path / "workflows" / "w.py"
    file.parent.mkdir()
    file.write_text("def train():\n    json.loads('x')\n")
    space = {"json": json}
    exec(compile(file.read_text(), str(file), "exec"), space)
    try:
        space["train"]()  # type: ignore[operator]
    except ValueError as error:
        found = report_of(error, step="train", code_folder=tmp_path)
    assert found.message.endswith("(workflows/w.py:2 in train)")
    assert "json.loads('x')" in found.traceback


def test_a_missing_module_says_how_to_get_it() -> None:
    assert "add catboost to the project's lock" in report(raised(ModuleNotFoundError("no", name="catboost.core"))).mend


def test_a_report_can_be_stored_and_is_bounded() -> None:
    found = report(raised(ValueError("\x00\udcff" + "x" * 100_000)))
    assert len(found.message) <= 2000
    assert len(found.traceback.encode()) <= LONGEST_TRACEBACK
    assert "\x00" not in found.message + found.traceback
    (found.message + found.traceback).encode("utf-8")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_exception_that_cannot_be_printed_is_reported() -> None:
    assert report(raised(Mute())).code == "user_code"
