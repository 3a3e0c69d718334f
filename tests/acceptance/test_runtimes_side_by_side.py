"""Two teams pin conflicting versions of one library, on two versions of Python, and train at the same time."""

from __future__ import annotations

import json
from pathlib import Path

import parts
import polars as pl
import pytest

WORKFLOW = '''
import platform, time
from pathlib import Path

import tabulate
from railyard import Workflow


class Mean(Workflow):
    """Meets the other project's training before it goes on."""

    data_format = "polars"

    def train(self, training, holdout):
        meeting = Path(self.params["meeting"])
        (meeting / self.params["me"]).touch()
        end = time.monotonic() + 120
        while len(list(meeting.iterdir())) < self.params["expected"]:
            assert time.monotonic() < end, "nobody else came"
            time.sleep(0.05)
        print(f"tabulate {tabulate.__version__} on Python {platform.python_version()}")
        return {"mean": training["y"].mean()}

    def score(self, model, df):
        return [model["mean"]] * len(df)
'''


def index_reachable() -> bool:
    import subprocess
    import sys

    command = [sys.executable, "-m", "uv", "pip", "compile", "-", "--quiet", "--no-cache"]
    return (
        subprocess.run(
            command, input="tabulate==0.9.0", text=True, capture_output=True, timeout=60, check=False
        ).returncode
        == 0
    )


@pytest.mark.timeout(600)
def test_conflicting_versions_train_at_the_same_time(platform, tmp_path: Path):
    if not index_reachable():
        parts.missing("index", "let uv reach a package index")
    parts.python("3.12")
    pl.DataFrame({"x": [float(n) for n in range(100)], "y": [n % 2 for n in range(100)]}).write_parquet(
        tmp_path / "rows.parquet"
    )
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    wanted = {"old": ("0.8.10", "3.11"), "new": ("0.9.0", "3.12")}
    client = platform.client()
    jobs = {}
    for name, (version, python) in wanted.items():
        folder = platform.folder / name
        (folder / "workflows").mkdir(parents=True)
        # A workflow name lives in one code project per server, so each project calls its class differently.
        (folder / "workflows" / "mean.py").write_text(WORKFLOW.replace("class Mean", f"class Mean{name.title()}"))
        (folder / "requirements.lock").write_text(f"tabulate=={version}\n")
        (folder / "pyproject.toml").write_text(
            f'[tool.railyard]\nname = "{name}"\npython = "{python}"\nlock = "requirements.lock"\n'
        )
        request = {
            "model_description": "a mean", "model_name": f"mean-{name}", "owner": name, "project": "tests", "trainer": "me",
            "data": {"features": [{"names": ["x", "y"], "source": "file", "path": str(tmp_path / "rows.parquet")}],
                     "holdout_sampling": {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.3}}},
            "train": {"workflow_name": f"Mean{name.title()}", "label": "y",
                      "custom_params": {"meeting": str(meeting), "me": name, "expected": 2}},
            "resources": {"cpu": 0.5},
        }  # fmt: skip
        (folder / "request.json").write_text(json.dumps(request))
        jobs[name] = client.train(folder / "request.json")
    for name, (version, python) in wanted.items():
        job = jobs[name].wait(timeout=500)
        text = "\n".join(line.text for line in job.logs())
        assert f"tabulate {version} on Python {python}." in text
        result = client.jobs.result(job.job_id)
        assert result.code.library_versions["tabulate"] == version
        assert result.code.python.startswith(python)
    runtimes = {client.jobs.result(job.job_id).code.runtime for job in jobs.values()}
    assert len(runtimes) == 2


def test_a_lock_that_cannot_be_built_is_told_in_uvs_words(platform, make_project):
    folder = make_project(
        "impossible", WORKFLOW.replace("class Mean", "class Impossible"), lock="tabulate==0.9.0\ntabulate==0.8.10\n"
    )
    done = platform.cli("deploy", str(folder), check=False)
    assert done.returncode != 0
    assert "tabulate" in done.stderr
    assert "0.8.10" in done.stderr
