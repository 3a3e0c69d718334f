from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from railyard.compute.runner.folder import AttemptFolder, read_json, write_json


def test_of_many_who_claim_a_name_one_gets_it(tmp_path: Path) -> None:
    folder = AttemptFolder(tmp_path / "attempts" / "jabc-1")
    with ThreadPoolExecutor(8) as pool:
        uids = list(pool.map(lambda _: folder.claim(os.getpid(), cold_reason=None), range(24)))
    assert sum(uid is not None for uid in uids) == 1
    assert folder.uid() in uids
    assert [path.name for path in folder.path.parent.iterdir()] == ["jabc-1"]


def test_a_folder_that_exists_says_who_was_started(tmp_path: Path) -> None:
    folder = AttemptFolder(tmp_path / "jabc-1")
    assert folder.uid() is None
    uid = folder.claim(os.getpid(), cold_reason="no reason")
    launch = read_json(folder.path / "launch.json")
    assert launch is not None
    assert (launch["pid"], launch["uid"], launch["cold_reason"]) == (os.getpid(), uid, "no reason")
    assert folder.path.stat().st_mode & 0o077 == 0
    assert folder.scratch.is_dir()


def test_a_process_that_is_gone_claims_nothing(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    with pytest.raises(ProcessLookupError):
        AttemptFolder(tmp_path / "jabc-1").claim(pid, cold_reason=None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_a_file_that_holds_no_object_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert read_json(tmp_path / "x.json") is None


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": 1})
    write_json(tmp_path / "x.json", {"a": 2})
    assert read_json(tmp_path / "x.json") == {"a": 2}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("text", "grace"), [("2.5", 2.5), ("0", 0.0), ("soon", None), ("", None)])
def test_the_grace_of_a_cancel_is_read(tmp_path: Path, text: str, grace: float | None) -> None:
    (tmp_path / "cancel").write_text(text)
    assert AttemptFolder(tmp_path).cancel_grace() == grace
