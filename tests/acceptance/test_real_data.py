"""The two commands of docs/how-to/real-data.md, on the real data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import parts
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/real-data.md").read_text()


@pytest.mark.parametrize(
    ("request_file", "data", "least"),
    [("adult.json5", "adult/train.parquet", 0.92), ("flights.json5", "flights/nyc13_flights.parquet", 0.63)],
)
def test_the_documented_command_reaches_its_score(tmp_path: Path, request_file: str, data: str, least: float):
    parts.data(data)
    command = f"railyard train examples/gallery/requests/{request_file} --local"
    assert command in PAGE
    program = Path(sys.executable).with_name("railyard")
    done = subprocess.run(
        [program, *command.split()[1:], "--json", "--out", str(tmp_path / "out")],
        cwd=ROOT,
        env={**os.environ, "RAILYARD_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout.splitlines()[-1])
    rows = manifest["data"]
    assert rows["rows_train"] + rows["rows_holdout"] == rows["rows_after_filters"]
    assert manifest["metrics"]["holdout"]["auc"] >= least
