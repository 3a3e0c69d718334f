"""Importing the data room computes nothing: a process that only imported it may fork, and the child computes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

IMPORT_THEN_FORK = """
import os, pkgutil, sys, importlib
def engine_threads():
    names = {open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")}
    return {name for name in names if "polars" in name or "async" in name}
import polars
before = engine_threads()
import railyard.compute.data as room
for module in pkgutil.iter_modules(room.__path__):
    importlib.import_module(f"{room.__name__}.{module.name}")
heavy = sorted(set(sys.modules) & {"duckdb", "adbc_driver_postgresql", "sqlalchemy", "pandas", "obstore"})
print("threads", sorted(engine_threads() - before), "modules", heavy, flush=True)
child = os.fork()
if child == 0:
    from pathlib import Path
    from railyard.spec.attempt import DataAccess
    from railyard.validation import parse_request
    reader = room.Reader(parse_request(Path(sys.argv[1]).read_text()), DataAccess(), scratch=Path(sys.argv[1]).parent)
    print("rows", reader.fetch().training.height, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_child_of_a_process_that_only_imported_can_read(tmp_path: Path, ask: Callable[..., Any]) -> None:
    pl.DataFrame({"a": range(1000)}).write_parquet(tmp_path / "data.parquet")
    holdout = {"sampling_function": "HASH", "hash_sampling": {"column": "a", "fraction": 0.5}}
    (tmp_path / "request.json").write_text(ask(tmp_path / "data.parquet", ["a"], holdout=holdout).model_dump_json())
    answer = subprocess.run(
        [sys.executable, "-c", IMPORT_THEN_FORK, str(tmp_path / "request.json")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "threads [] modules []" in answer.stdout, answer.stdout
    assert "rows 5" in answer.stdout or "rows 4" in answer.stdout, answer.stderr
