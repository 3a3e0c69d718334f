"""The runner as it is: a warm interpreter with every library, the real training, real data; and the same without a server."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from runner_bench import REQUEST, TOKEN, Bench, launch_of, limits

from railyard.control.executors.base import Runtime
from railyard.control.executors.interpreters import call
from railyard.spec.attempt import AttemptSpec, CodeRef, DataAccess, PlanAnswer, PlanQuestion
from railyard.spec.base import dump
from railyard.spec.ids import new_id
from railyard.spec.records import WorkflowInfo
from railyard.spec.result import ResultManifest
from railyard.validation import check_request

RUNTIME = Runtime(key="server", python=sys.executable)

WORKFLOW = """
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from railyard.compute.workflows.workflow import Workflow


class Trees(Workflow):
    \"\"\"Computes with what hangs in a fork of a process that had computed: Polars and OpenMP.\"\"\"

    def train(self, training, holdout):
        print("rows", len(training), pl.DataFrame({"a": range(1000)}).lazy().select(pl.col("a").sum()).collect().item())
        return HistGradientBoostingClassifier(max_iter=5).fit(training[list(self.features)], training[self.label])
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("real")
    project = folder / "project" / "workflows"
    project.mkdir(parents=True)
    (project.parent / "pyproject.toml").write_text('[tool.railyard]\nname = "p"\n')
    (project / "trees.py").write_text(WORKFLOW)
    rows = range(2000)
    frame = {
        "a": [row % 97 for row in rows],
        "b": [row % 13 for row in rows],
        "y": [int(row % 97 > 48) for row in rows],
    }
    pl.DataFrame(frame).write_parquet(folder / "data.parquet")
    bench = Bench(folder)
    bench.runtime = RUNTIME
    yield bench
    bench.close()


def request(folder: Path) -> dict[str, Any]:
    source = {"source": "file", "path": str(folder / "data.parquet"), "names": ["a", "b", "y"]}
    sampling = {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.25}}
    train = {"workflow_name": "Trees", "classifier_features": ["a", "b"], "label": "y"}
    return {**REQUEST, "data": {"features": [source], "holdout_sampling": sampling}, "train": train}


def test_children_of_the_warm_interpreter_compute_and_it_never_does(bench: Bench) -> None:
    folder = bench.home.parent
    heard = []
    for _ in range(4):
        job_id = new_id("j")
        spec = AttemptSpec(
            name=f"{job_id}-1",
            job_id=job_id,
            number=1,
            request=check_request(request(folder)),
            seed=1,
            code=CodeRef(folder=str(folder / "project")),
            data=DataAccess(),
            limits=limits(memory_bytes=2 * 2**30, cpu=2.0, timeout_seconds=120),
            heartbeat_seconds=0.5,
        )
        heard.append(bench.server.add(spec, TOKEN))
        asyncio.run(bench.executor().start(launch_of(spec, bench.server.url, RUNTIME)))
    for one in heard:
        bench.finish(one, seconds=120)
        assert one.manifest is not None, one.failure
        assert one.manifest["metrics"]["holdout"]["auc"] > 0.99
        assert [step["name"] for step in one.manifest["steps"]] == ["prepare", "fetch", "train", "evaluate", "save"]
        assert "model/manifest.json" in one.artifacts
        assert one.texts("stdout")[0].endswith(" 499500")
    # The same data, code and seed: the same numbers.
    assert len({json.dumps(one.manifest["metrics"]) for one in heard if one.manifest}) == 1
    told = call(bench.home / "warm" / "server", {"do": "ping"}, seconds=10)
    assert told["broken"] == {}


async def test_a_plan_and_a_discovery_are_answered_warm(bench: Bench) -> None:
    folder = bench.home.parent
    executor = bench.executor()
    code = CodeRef(folder=str(folder / "project"))
    question = PlanQuestion(request=check_request(request(folder)), code=code, data=DataAccess())
    plan = PlanAnswer.model_validate(await executor.ask(RUNTIME, "plan", dump(question), timeout_seconds=30))
    assert plan.error is None
    assert (plan.rows_total, list(plan.columns)) == (2000, ["a", "b", "y"])
    found = await executor.ask(RUNTIME, "discover", {"folder": str(folder / "project")}, timeout_seconds=30)
    (workflow,) = [WorkflowInfo.model_validate(info) for info in found["workflows"]]
    assert (workflow.name, workflow.broken) == ("Trees", None)


async def test_a_plan_says_what_is_wrong_with_data_or_workflow(bench: Bench) -> None:
    folder = bench.home.parent
    code = CodeRef(folder=str(folder / "project"))
    for change, expected in (
        ({"data": {"features": [{"source": "file", "path": "/nowhere.parquet", "names": ["a"]}]}}, "data_not_found"),
        ({"train": {"workflow_name": "Treess"}}, "user_code"),
    ):
        question = PlanQuestion(request=check_request({**request(folder), **change}), code=code, data=DataAccess())
        answer = await bench.executor().ask(RUNTIME, "plan", dump(question), timeout_seconds=30)
        error = PlanAnswer.model_validate(answer).error
        assert error is not None
        assert error.code == expected


def local(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "railyard.compute.runner", "local", "--project", str(folder / "project"), *options]
    environ = {**os.environ, "RAILYARD_HOME": str(folder / "no-home")}
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, timeout=120, cwd=folder, env=environ
    )


def test_without_a_server_the_manifest_is_the_last_word_on_stdout(bench: Bench, tmp_path: Path) -> None:
    folder = bench.home.parent
    out = tmp_path / "result"
    done = local(folder, json.dumps(request(folder)), "--out", str(out))
    assert done.returncode == 0, done.stderr
    manifest = ResultManifest.model_validate_json(done.stdout.splitlines()[-1])
    assert all((out / "artifacts" / artifact.path).is_file() for artifact in manifest.artifacts)
    assert "rows 1" in done.stderr
    assert "train done in" in done.stderr
    again = local(folder, json.dumps(request(folder)), "--out", str(out))
    assert again.returncode == 2
    assert "holds a result already" in again.stderr


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"train": {"workflow_name": "Treess"}}, 10, "Treess"),
        ({"nonsense": 1}, 2, "nonsense"),
    ],
)
def test_without_a_server_an_error_is_told_on_stderr(
    bench: Bench, change: dict[str, Any], code: int, words: str
) -> None:
    folder = bench.home.parent
    done = local(folder, json.dumps({**request(folder), **change}))
    assert done.returncode == code
    assert done.stdout == ""
    assert words in done.stderr
    assert "mend:" in done.stderr
