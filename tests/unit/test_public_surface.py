"""`import railyard` costs next to nothing, and everything it promises is there."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import railyard

HEAVY = ["pydantic", "httpx2", "polars", "numpy", "pandas", "pyarrow", "sklearn", "xgboost", "lightgbm", "sqlalchemy"]


def imported_by(program: str) -> list[str]:
    told = f"{program}\nimport sys, json; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def test_importing_the_package_imports_no_library():
    assert imported_by("import railyard; dir(railyard); railyard.__version__") == []


def test_a_workflow_file_imports_no_library_of_models():
    assert not {"sklearn", "xgboost", "lightgbm", "pandas", "sqlalchemy"} & set(
        imported_by("import railyard; railyard.Workflow, railyard.field, railyard.TrainResult, railyard.Context")
    )


@pytest.mark.parametrize("name", sorted(set(railyard.__all__) - {"__version__"}))
def test_every_public_name_is_there(name):
    assert getattr(railyard, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Workflo'"):
        railyard.Workflo


FORK = """
import faulthandler, os, signal, sys
faulthandler.enable()
import railyard.compute.training, railyard.testing.workflows, railyard.compute.workflows.discovery
import pandas, polars, pyarrow.parquet, sklearn.linear_model, threadpoolctl
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    import railyard
    class Linear(railyard.Workflow):
        label = "y"
        def train(self, training, holdout):
            return sklearn.linear_model.LogisticRegression().fit(training[["x"]], training["y"])
    frame = polars.DataFrame({"x": [float(n) for n in range(40)], "y": [n % 2 for n in range(40)]})
    done = railyard.testing.workflows.perform(Linear, frame)
    os._exit(0 if done.manifest.task == "binary" else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_process_that_only_imported_the_training_can_fork_one_that_trains():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
