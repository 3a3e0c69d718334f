"""The code of docs/how-to/write-a-workflow.md runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import polars as pl

PAGE = (Path(__file__).parents[2] / "docs/how-to/write-a-workflow.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_a_workflow_is_tested_in_three_lines(tmp_path: Path):
    workflow = next(block for block in BLOCKS if "class Churn(railyard.Workflow):" in block)
    test = next(block for block in BLOCKS if "perform" in block)
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "churn.py").write_text(workflow)
    rows = {
        "age": [n % 60 for n in range(400)],
        "plan": [n % 3 for n in range(400)],
        "left": [n % 60 > 40 for n in range(400)],
    }
    pl.DataFrame(rows).write_parquet(tmp_path / "sample.parquet")
    done = subprocess.run(
        [sys.executable, "-c", test], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
