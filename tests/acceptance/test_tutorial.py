"""The tutorial and the README's Python are true: their code and their commands run as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs/tutorial.md").read_text()
README = (ROOT / "README.md").read_text()


def python_with(text: str, word: str) -> str:
    """The Python block of a page that holds a word."""
    return next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if word in block)


def commands(text: str, title: str) -> list[list[str]]:
    """The commands below a heading."""
    section = text.split(f"## {title}")[1].split("\n## ")[0]
    blocks = re.findall(r"```(\w*)\n(.*?)```", section, re.DOTALL)
    lines = [line for language, block in blocks if not language for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("railyard")]


@pytest.fixture(scope="module")
def demo(platform) -> Path:
    folder = platform.folder / "demo"
    platform.cli("train", "request.json5", "-p", "n_estimators=20", "--follow", cwd=folder)
    return folder


def test_looking_around(platform, demo: Path):
    for command in commands(TUTORIAL, "2. Train the sample")[2:]:
        assert platform.cli(*command, cwd=demo).stdout.strip(), command


def test_a_changed_parameter_makes_another_job(platform, demo: Path):
    changed = commands(TUTORIAL, "3. Change something")[0]
    platform.cli(*changed, cwd=demo)
    newest, before = [job["job_id"] for job in platform.json("job", "list")][:2]
    compared = platform.json("job", "compare", newest, before)
    assert compared["params"]["max_depth"] == [3, 6]


def test_the_workflow_of_the_tutorial_trains_and_its_parameters_are_checked(platform, demo: Path):
    (demo / "workflows" / "small.py").write_text(python_with(TUTORIAL, "SmallFraud"))
    (command,) = commands(TUTORIAL, "4. Write your own workflow")
    platform.cli(*command, cwd=demo)
    job = platform.json("job", "list")[0]
    assert job["workflow_name"] == "SmallFraud"
    assert job["metrics"]["holdout"]["auc"] > 0.7
    refused = platform.cli(*command, "-p", "trees=many", cwd=demo, check=False)
    assert refused.returncode == 2
    assert "train.custom_params.trees" in refused.stderr


@pytest.mark.parametrize(("page", "word"), [(TUTORIAL, "client.train("), (README, "railyard.Client().train")])
def test_the_python_of_the_page_trains(platform, demo: Path, page: str, word: str):
    done = subprocess.run(
        [sys.executable, "-c", python_with(page, word)],
        cwd=demo,
        env=platform.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "fraud_prediction_model:" in done.stdout


def test_the_readmes_own_workflow_trains(platform, tmp_path: Path):
    import json

    import polars as pl

    rows = {"age": [float(n % 60) for n in range(400)], "left": [int(n % 60 > 40) for n in range(400)]}
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    folder = platform.folder / "churn"
    (folder / "workflows").mkdir(parents=True)
    (folder / "workflows" / "churn.py").write_text(python_with(README, "class Churn"))
    request = {
        "model_description": "Who leaves", "model_name": "churn", "owner": "team", "project": "readme", "trainer": "me",
        "data": {"features": [{"names": ["age", "left"], "source": "file", "path": str(tmp_path / "rows.parquet")}],
                 "holdout_sampling": {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.25, "seed": 1}}},
        "train": {"workflow_name": "Churn", "classifier_features": ["age"], "label": "left"},
    }  # fmt: skip
    (folder / "request.json").write_text(json.dumps(request))
    job = platform.client().train(folder / "request.json").wait(timeout=120)
    assert job.metrics.holdout["auc"] > 0.9
    result = platform.client().jobs.result(job.job_id)
    assert result.data is not None
    assert result.data.rows_holdout > 0
