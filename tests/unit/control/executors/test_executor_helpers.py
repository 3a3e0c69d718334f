from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from railyard.control.executors.environment import runner_environment
from railyard.control.executors.interpreters import folder_name
from railyard.control.executors.local import LocalExecutor, machine_memory
from railyard.control.executors.processes import boot_id, leftovers, lives, start_ticks, sweep


def test_only_what_programs_need_reaches_user_code() -> None:
    environ = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "CUDA_VISIBLE_DEVICES": "0",
        "RAILYARD_DATABASE_URL": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "PGPASSWORD": "secret",
        "OMP_NUM_THREADS": "64",
    }
    passed = runner_environment(environ)
    assert passed == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "CUDA_VISIBLE_DEVICES": "0",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }


def test_a_process_lives_by_pid_start_and_boot_together() -> None:
    own = {"pid": os.getpid(), "start_ticks": start_ticks(os.getpid()), "boot": boot_id()}
    assert lives(own)
    assert not lives({**own, "start_ticks": 1})
    assert not lives({**own, "boot": "another"})
    assert not lives({**own, "pid": 2**22 + 1})


@pytest.mark.parametrize(
    ("key", "name"), [("server", "server"), ("3.12-ab/..", "3.12-ab_.."), ("...", "runtime"), ("ü" * 200, "_" * 80)]
)
def test_a_runtime_s_key_becomes_one_folder(key: str, name: str) -> None:
    assert folder_name(key) == name


def test_what_an_attempt_left_is_found_by_name_or_folder_and_nothing_else_is(tmp_path: Path) -> None:
    folder = tmp_path / "jabc-1"
    folder.mkdir()
    sleep = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    by_name = subprocess.Popen(sleep, env={"RAILYARD_ATTEMPT": "jabc-1"}, cwd="/", stdout=subprocess.PIPE)
    by_folder = subprocess.Popen(sleep, cwd=folder, stdout=subprocess.PIPE)
    stranger = subprocess.Popen(sleep, env={"RAILYARD_ATTEMPT": "jabc-11"}, cwd=tmp_path, stdout=subprocess.PIPE)
    for process in (by_name, by_folder, stranger):
        assert process.stdout is not None
        process.stdout.readline()
    assert leftovers(folder, []) == {by_name.pid, by_folder.pid}
    assert sweep(folder, [tmp_path / "no-such-group"])
    assert stranger.poll() is None
    stranger.kill()
    for process in (by_name, by_folder, stranger):
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def test_a_place_that_cannot_be_seen_is_an_error_and_not_an_empty_list(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        await LocalExecutor(tmp_path / "nowhere").observe()


async def test_folders_that_are_no_attempts_are_passed_over(tmp_path: Path) -> None:
    executor = LocalExecutor(tmp_path)
    await executor.open()
    (tmp_path / "attempts" / "notes").mkdir()
    (tmp_path / "attempts" / "file").touch()
    (tmp_path / "attempts" / "jabc-1").mkdir()
    (tmp_path / "attempts" / "jabc-1" / "launch.json").write_text("{")
    assert await executor.observe() == {}


def test_this_machine_has_memory() -> None:
    assert 2**28 < machine_memory() < 2**50
