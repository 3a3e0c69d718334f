"""Each test forks, so that what a process does to itself does not happen to the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from railyard.compute.runner.memory import proportional_bytes
from railyard.compute.runner.processes import cpu_seconds, descendants, start_ticks, uid_of
from railyard.compute.runner.threads import threads_for


def in_child(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_identity_is_the_same_while_a_process_lives_and_gone_after_it() -> None:
    process = subprocess.Popen(["sleep", "60"])
    ticks = start_ticks(process.pid)
    assert ticks is not None
    assert start_ticks(process.pid) == ticks
    assert uid_of(process.pid, ticks).startswith(f"{process.pid}-{ticks}-")
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    # A zombie does not live.
    assert start_ticks(process.pid) is None
    process.wait()
    assert start_ticks(process.pid) is None


def test_descendants_are_found_below_a_parent_of_any_name(tmp_path: Path) -> None:
    shell = tmp_path / "a) (b sh"
    shell.symlink_to("/bin/sh")
    process = subprocess.Popen([str(shell), "-c", "sleep 60 & echo started; wait"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    below = descendants(os.getpid())
    assert process.pid in below
    (child,) = descendants(process.pid)
    assert child in below
    for pid in (child, process.pid):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_memory_and_time_of_a_process_that_is_gone_are_nothing() -> None:
    assert proportional_bytes(2**22 + 1) == 0
    assert cpu_seconds([2**22 + 1]) == 0
    assert start_ticks(2**22 + 1) is None


def test_memory_of_a_living_process_is_counted() -> None:
    assert proportional_bytes(os.getpid()) > 2**20


def test_a_child_dies_with_its_parent() -> None:
    read, write = os.pipe()
    code = f"""
import os, time
from railyard.compute.runner.processes import die_with_parent
own = os.getpid()
if os.fork() == 0:
    die_with_parent(own)
    os.write({write}, str(os.getpid()).encode())
    time.sleep(600)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], pass_fds=[write])
    os.close(write)
    child = int(os.read(read, 32))
    parent.kill()
    parent.wait()
    assert os.read(read, 1) == b""  # the end of the pipe: nobody holds it any more
    os.close(read)
    until = time.monotonic() + 10
    while start_ticks(child) is not None:
        assert time.monotonic() < until


def test_writes_are_kept_to_the_folders_named() -> None:
    said = in_child(
        """
import tempfile
from pathlib import Path
from railyard.compute.runner.landlock import write_only_below
with tempfile.TemporaryDirectory() as name:
    inside, outside = Path(name) / "in", Path(name) / "out"
    inside.mkdir(); outside.mkdir(); (outside / "old").write_text("old")
    held = write_only_below([inside, Path("/no/such/folder")])
    print("held", held)
    (inside / "a").write_text("a"); (inside / "b").mkdir(); (inside / "a").rename(inside / "b" / "a")
    for change in (lambda: (outside / "new").write_text("x"), lambda: (outside / "old").unlink(),
                   lambda: (outside / "old").open("r+"), lambda: (inside / "b" / "a").rename(outside / "a")):
        try:
            change(); print("written")
        except OSError as error:
            print("refused")
    print((outside / "old").read_text())
    import os; os._exit(0) if not print(flush=True) else None
"""
    )
    if "held False" in said:
        pytest.skip("this kernel has no Landlock: writes outside are a documented limit")
    assert said.split() == ["held", "True", *["refused"] * 4, "old"]


def test_threads_are_shared_out_after_libraries_are_loaded() -> None:
    said = in_child(
        """
import os
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy, threadpoolctl
from railyard.compute.runner.threads import share_threads
share_threads(2.5)
print(os.environ["POLARS_MAX_THREADS"], {pool["num_threads"] for pool in threadpoolctl.threadpool_info()})
"""
    )
    assert said.split(maxsplit=1)[0] == "3"


@pytest.mark.parametrize(("cpu", "threads"), [(0.1, 1), (1.0, 1), (1.5, 2), (8.0, 8)])
def test_part_of_a_core_is_a_thread(cpu: float, threads: int) -> None:
    assert threads_for(cpu) == threads
