"""The walk of a stranger: up, init, train, look, cancel, down; by the program itself, on a server of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from railyard.client.client import Client
from railyard.errors import JobFailed

pytest.importorskip("uvicorn", reason="the extra `server` is not installed")
pytest.importorskip("xgboost", reason="the extra `train` is not installed")

PROGRAM = [sys.executable, "-c", "from railyard.cli.main import main; main()"]
WORKFLOWS = """
import time
from railyard import Workflow

class Patient(Workflow):
    def train(self, training, holdout):
        for number in range(2400):
            print("tick", number, flush=True)
            time.sleep(0.05)

class Hasty(Workflow):
    def train(self, training, holdout):
        print("about to fail")
        return {"a": 1}["missing"]
"""


class Bench:
    """A computer of its own: home, contexts, a demo project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("RAILYARD_")} | {
            "XDG_CONFIG_HOME": str(folder / "config"),
            "RAILYARD_HOME": str(folder / "home"),
            "NO_COLOR": "1",
        }

    def run(self, *args: str, check: int | None = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*PROGRAM, *args],
            env=self.environ,
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if check is not None:
            assert done.returncode == check, f"railyard {' '.join(args)}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *args: str, cwd: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*PROGRAM, *args], env=self.environ, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def json(self, *args: str) -> Any:
        return json.loads(self.run(*args).stdout)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    found = Bench(tmp_path_factory.mktemp("walk"))
    found.run("up", "--detach", "--port", "0")
    try:
        found.run("init", "demo")
        (found.folder / "demo" / "workflows" / "extra.py").write_text(WORKFLOWS)
        yield found
    finally:
        found.run("down", "--cancel", check=None)


@pytest.fixture(scope="module")
def demo(bench: Bench) -> Path:
    return bench.folder / "demo"


@pytest.fixture(scope="module")
def trained(bench: Bench, demo: Path) -> str:
    """The id of a job that succeeded, submitted by `train --follow`."""
    done = bench.run("train", "request.json5", "--follow", cwd=demo)
    assert done.stdout.startswith("✓ succeeded")
    for words in (
        "after filters",
        "holdout",
        "model     fraud_prediction_model:",
        "cost",
        "url       http://127.0.0.1:",
    ):
        assert words in done.stdout
    for step in ("fetch", "train", "evaluate", "save"):
        assert f"✓ {step}" in done.stderr
    return str(bench.json("job", "show", "@last", "--json", "job_id")["job_id"])


@pytest.fixture
def client(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    for name in ("RAILYARD_URL", "RAILYARD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", bench.environ["XDG_CONFIG_HOME"])
    with Client() as found:
        yield found


def request(demo: Path, workflow: str, name: str) -> str:
    """A request for one of the extra workflows; returns its file's name."""
    value = {
        "model_description": "d", "model_name": name, "owner": "o", "project": "p", "trainer": "t",
        "data": {"features": [{"names": ["charge_amount", "is_fraudulent"], "source": "s3", "path": "s3://path/to/parquet/fraud_data.parq"}]},
        "train": {"workflow_name": workflow, "label": "is_fraudulent", "classifier_features": ["charge_amount"]},
    }  # fmt: skip
    (demo / f"{name}.json").write_text(json.dumps(value))
    return f"{name}.json"


def test_up_signs_in_for_this_user_alone(bench: Bench) -> None:
    home = Path(bench.environ["RAILYARD_HOME"])
    context = Path(bench.environ["XDG_CONFIG_HOME"]) / "railyard" / "config.toml"
    assert context.stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert bench.json("whoami", "--json")["scopes"] == ["admin"]
    again = bench.run("up", "--detach")
    assert "runs already" in again.stdout


def test_the_doctor_finds_nothing_wrong(bench: Bench) -> None:
    assert [check for check in bench.json("doctor", "--json") if check["verdict"] == "bad"] == []


def test_a_finished_job_is_seen_from_every_side(bench: Bench, trained: str) -> None:
    job = bench.json("job", "show", trained, "--json")
    data = job["data"]
    assert data["rows_train"] + data["rows_holdout"] == data["rows_after_filters"] < data["rows_read"]
    assert bench.run("job", "list", "-q").stdout.split()[-1] == trained
    assert "delivering" in bench.run("job", "logs", trained).stdout
    assert "auc\t" in bench.run("job", "metrics", trained).stdout
    assert "train_rmse" in bench.run("job", "metrics", trained, "--series").stdout
    assert "succeeded" in bench.run("job", "show", trained, "--events").stdout
    assert json.loads(bench.run("job", "show", trained, "--result").stdout)["model_id"] == job["model_id"]
    assert bench.json("model", "show", job["model_id"], "--json")["job_id"] == trained
    assert "model/manifest.json" in bench.run("job", "artifacts", "ls", trained).stdout
    bench.run("job", "artifacts", "get", trained, "--out", "files")
    assert (bench.folder / "files" / trained / "model" / "manifest.json").is_file()
    assert bench.run("job", "cost", trained[:6]).stdout.strip()


def test_the_request_comes_back_as_it_was_written(bench: Bench, demo: Path, trained: str) -> None:
    kept = bench.run("job", "show", trained, "--request").stdout
    assert '"float_val": 10.00' in kept
    assert json.loads(kept)["code"] == bench.json("job", "show", trained, "--json", "code")["code"]


def test_a_rerun_changes_what_it_is_told_and_nothing_else(bench: Bench, trained: str) -> None:
    again = bench.run("job", "rerun", trained, "-p", "n_estimators=20", "-q").stdout.strip()
    bench.run("job", "watch", again)
    compared = bench.json("job", "compare", trained, again, "--json")
    assert compared["params"]["n_estimators"] == [500, 20]


def test_a_dry_run_estimates_and_submits_nothing(bench: Bench, demo: Path, trained: str) -> None:
    before = bench.run("job", "list", "-q").stdout
    plan = bench.json("train", str(demo / "request.json5"), "--dry-run", "--json")
    assert plan["rows_total"] > 0
    assert plan["columns"]["charge_amount"]
    assert bench.run("job", "list", "-q").stdout == before


def test_a_bad_request_names_the_field_and_the_nearest_value(bench: Bench, demo: Path) -> None:
    done = bench.run("train", "request.json5", "--set", "train.workflow_name=StripeFraudModle", check=2, cwd=demo)
    assert "did you mean StripeFraudModel?" in done.stderr
    typo = bench.run("train", "request.json5", "--set", "train.lable=x", check=2, cwd=demo)
    assert "train.lable" in typo.stderr
    assert "did you mean label?" in typo.stderr


def test_a_failing_workflow_is_told_by_its_cause_and_its_own_exit_code(bench: Bench, demo: Path) -> None:
    done = bench.run("train", request(demo, "Hasty", "hasty"), "--follow", check=10, cwd=demo)
    assert "reason    user_code in step train" in done.stdout
    assert 'return {"a": 1}["missing"]' in done.stdout
    assert "about to fail" in done.stderr


def test_ctrl_c_detaches_and_a_cancel_ends_the_job(bench: Bench, demo: Path) -> None:
    following = bench.start("train", request(demo, "Patient", "patient"), "--follow", cwd=demo)
    assert following.stdout is not None
    seen = next(line for line in following.stdout if line.startswith("tick"))
    following.send_signal(signal.SIGINT)
    rest, _ = following.communicate(timeout=30)
    assert following.returncode == 130
    assert "keeps running" in rest, seen
    job = bench.json("job", "show", "@last", "--json")
    assert job["state"] == "running"
    assert bench.run("job", "watch", job["job_id"], "--timeout", "0s", check=8).returncode == 8
    cancelled = bench.run("job", "cancel", job["job_id"], "--wait").stdout
    assert cancelled.startswith("⊘ cancelled")
    assert bench.run("job", "logs", job["job_id"], "-f", "-n", "1", check=11).returncode == 11


def test_the_sdk_sees_the_same_server(client: Client, demo: Path, trained: str) -> None:
    job = client.train(demo / "request.json5", custom_params={"n_estimators": 40}, idempotency_key="one-of-a-kind")
    same = client.train(demo / "request.json5", custom_params={"n_estimators": 40}, idempotency_key="one-of-a-kind")
    assert same.job_id == job.job_id
    lines = [line.text for line in job.logs(follow=True)]
    assert any("delivering" in text for text in lines)
    assert job.wait(timeout="2m").state == "succeeded"
    assert job.result().model_id == job.model_id
    assert "<svg" in job._repr_html_()
    failing = client.train(demo / request(demo, "Hasty", "hasty-sdk"))
    with pytest.raises(JobFailed) as caught:
        failing.wait(timeout="2m")
    assert caught.value.detail["reason"] == "user_code"
    assert any("KeyError" in text for text in caught.value.detail["last_lines"])


def test_deployed_code_runs_plain_requests(bench: Bench, demo: Path) -> None:
    code = bench.json("deploy", str(demo), "--version", "1.0", "--json")
    assert (code["state"], code["version"]) == ("ready", "1.0")
    plain = bench.folder / "plain.json5"
    plain.write_text((demo / "request.json5").read_text())
    job_id = bench.run("train", str(plain), "-p", "n_estimators=5", "-q").stdout.strip()
    bench.run("job", "watch", job_id)
    assert bench.json("job", "show", job_id, "--json", "code")["code"] == code["code_id"]
    assert "StripeFraudModel" in bench.run("workflow", "list").stdout


def test_local_runs_the_same_request_without_a_server(bench: Bench, demo: Path) -> None:
    found = json.loads(
        bench.run(
            "train", "request.json5", "-p", "n_estimators=5", "--local", "--out", "here", "--json", cwd=demo
        ).stdout
    )
    assert found["metrics"]["holdout"]["auc"] > 0.5
    assert found["data"]["rows_train"] + found["data"]["rows_holdout"] == found["data"]["rows_after_filters"]


def test_a_running_job_outlives_a_restart_of_the_server(bench: Bench, demo: Path) -> None:
    job_id = bench.run("train", request(demo, "Patient", "outlives"), "-q", cwd=demo).stdout.strip()
    following = bench.start("job", "logs", job_id, "-f", cwd=demo)
    assert following.stdout is not None
    assert next(line for line in following.stdout if line.startswith("tick"))
    down = bench.run("down")
    assert f"1 running job goes on: {job_id}" in down.stderr
    bench.run("up", "--detach")
    assert bench.json("job", "show", job_id, "--json")["state"] == "running"
    assert next(line for line in following.stdout if line.startswith("tick"))
    bench.run("job", "cancel", job_id, "--wait")
    following.communicate(timeout=60)
    assert following.returncode == 11
