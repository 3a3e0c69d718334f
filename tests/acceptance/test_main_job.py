"""The main job through every door: CLI, SDK and curl give the same answer, and --local gives it without a server."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest

import railyard
from railyard.spec.jsonc import strip_comments

SHARED_SEED = Path(__file__).parents[2].parent / "shared" / "mission" / "seed-request.json5"
EXAMPLE = Path(__file__).parents[2] / "examples" / "fraud" / "request.json5"


def counts(result: dict[str, Any]) -> tuple[int, int, int, int]:
    data = result["data"]
    return data["rows_read"], data["rows_after_filters"], data["rows_train"], data["rows_holdout"]


@pytest.fixture(scope="module")
def results(platform) -> dict[str, dict[str, Any]]:
    """The seed's request, sent three ways."""
    demo = platform.folder / "demo"
    followed = platform.cli("train", "request.json5", "--follow", cwd=demo)
    listed = platform.json("job", "list", cwd=demo)
    found = {"cli": listed[0]["job_id"]}

    job = platform.client().train(demo / "request.json5").wait(timeout=120)
    found["sdk"] = job.job_id

    platform.cli("deploy", str(demo))
    answer = platform.curl("POST", "/v1/jobs", body=strip_comments((demo / "request.json5").read_text()))
    found["curl"] = answer["job_id"]
    assert answer["state"] == "queued"
    platform.client().jobs.get(answer["job_id"]).wait(timeout=120)

    answers = {door: platform.curl("GET", f"/v1/jobs/{job_id}/result") for door, job_id in found.items()}
    answers["followed"] = {"stdout": followed.stdout, "stderr": followed.stderr}
    return answers


def test_the_example_is_the_seed_request_byte_for_byte(platform):
    assert (platform.folder / "demo" / "request.json5").read_bytes() == EXAMPLE.read_bytes()
    if SHARED_SEED.exists():
        assert EXAMPLE.read_bytes() == SHARED_SEED.read_bytes()


@pytest.mark.parametrize("door", ["cli", "sdk", "curl"])
def test_the_seed_request_becomes_a_model(results, door: str):
    result = results[door]
    read, filtered, train, holdout = counts(result)
    assert result["state"] == "succeeded"
    assert filtered == train + holdout < read
    assert holdout > 0
    assert result["model_id"].startswith("fraud_prediction_model:")
    assert result["metrics"]["holdout"]["auc"] > 0.7
    assert result["data"]["fingerprint"]["files"][0]["sha256"]
    assert [step["name"] for step in result["steps"]] == ["prepare", "fetch", "train", "evaluate", "save"]
    assert result["cost"]["currency"] == "USD"
    assert float(result["cost"]["amount"]) > 0


def test_three_doors_give_the_same_answer(results):
    assert counts(results["cli"]) == counts(results["sdk"]) == counts(results["curl"])
    assert results["cli"]["metrics"] == results["sdk"]["metrics"] == results["curl"]["metrics"]
    assert results["cli"]["data"]["fingerprint"] == results["curl"]["data"]["fingerprint"]
    assert len({results[door]["model_id"] for door in ("cli", "sdk", "curl")}) == 3


def test_following_ends_with_the_result(results):
    shown = results["followed"]["stdout"] + results["followed"]["stderr"]
    for word in (
        "succeeded",
        "read",
        "after filters",
        "train",
        "holdout",
        "auc",
        results["cli"]["model_id"],
        "USD",
        "http://",
    ):
        assert word in shown, word


def test_the_holdout_holds_both_ends_of_the_range(platform, results, tmp_path: Path):
    import polars as pl

    job_id = results["cli"]["job_id"]
    artifact = next(a for a in results["cli"]["artifacts"] if a["kind"] == "eval" and a["path"].endswith(".parquet"))
    platform.cli("job", "artifacts", "get", job_id, artifact["path"], "--out", str(tmp_path / "holdout.parquet"))
    dates = pl.read_parquet(tmp_path / "holdout.parquet")["created_at"]
    assert str(dates.min()).startswith("2018-10-01 00:00:00")
    assert str(dates.max()).startswith("2019-01-01 00:00:00")


def test_local_is_the_same_training_without_a_server(platform, results):
    done = platform.cli("train", "request.json5", "--local", "--json", cwd=platform.folder / "demo")
    manifest = json.loads(done.stdout.splitlines()[-1])
    assert manifest["metrics"] == results["cli"]["metrics"]
    assert manifest["data"]["rows_holdout"] == results["cli"]["data"]["rows_holdout"]


def test_the_request_is_kept_as_it_was_sent(platform, results):
    text = strip_comments(EXAMPLE.read_text())
    assert results["curl"]["request"] == text


def test_a_dry_run_tells_what_would_happen_and_starts_nothing(platform, results):
    before = len(platform.json("job", "list"))
    body = strip_comments(EXAMPLE.read_text())
    plan = platform.curl("POST", "/v1/jobs?dry_run=1", body=body)
    assert plan["rows_total"] == results["cli"]["data"]["rows_read"]
    assert plan["rows_estimated"] >= results["cli"]["data"]["rows_after_filters"]
    assert plan["columns"]["created_at"]
    assert plan["compute_resource"] == "CPU"
    assert plan["seconds_estimated"] > 0
    assert plan["jobs_seen"] >= 1
    assert plan["cost"]["basis"] == "estimated"
    assert len(platform.json("job", "list")) == before


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda request: request["train"].update(workflow_name="StripeFraudModle"), "train.workflow_name"),
        (lambda request: request.update(compute_resource="a100x8"), "compute_resource"),
        (lambda request: request["data"]["filters"][0].update(predicate="GtEqq"), "data.filters[0].predicate"),
    ],
)
def test_a_bad_request_is_refused_before_anything_starts(platform, change, path: str):
    request = json.loads(strip_comments(EXAMPLE.read_text()))
    change(request)
    before = len(platform.json("job", "list"))
    answer = platform.curl("POST", "/v1/jobs", body=json.dumps(request))
    assert answer["error"]["fields"][0]["path"] == path
    assert answer["error"]["fields"][0]["nearest"] or path == "compute_resource"
    assert len(platform.json("job", "list")) == before


def test_the_same_idempotency_key_gives_the_same_job(platform):
    body = strip_comments(EXAMPLE.read_text())
    header = ["Idempotency-Key: once"]
    first = platform.curl("POST", "/v1/jobs", body=body, headers=header)
    assert platform.curl("POST", "/v1/jobs", body=body, headers=header)["job_id"] == first["job_id"]
    other = platform.curl("POST", "/v1/jobs", body=body.replace("500", "20"), headers=header)
    assert other["error"]["code"] == "idempotency_key_reused"
    platform.client().jobs.get(first["job_id"]).wait(timeout=120)


def test_a_rerun_with_overrides_is_a_new_job_with_the_same_code(platform, results):
    job_id = results["cli"]["job_id"]
    rerun = platform.json("job", "rerun", job_id, "--set", "train.custom_params.n_estimators=20")
    again = platform.client().jobs.get(rerun["job_id"]).wait(timeout=120)
    assert again.rerun_of == job_id
    assert again.code == results["cli"]["code"]["code_id"]
    comparison = platform.json("job", "compare", job_id, again.job_id)
    assert comparison["params"]["n_estimators"] == [500, 20]
    assert comparison["request"] == {}  # parameters stand apart
    assert comparison["data"] == {}


def test_everything_but_health_needs_a_token(platform):
    def status(path: str) -> int:
        import urllib.error
        import urllib.request

        try:
            return int(urllib.request.urlopen(platform.url + path, timeout=10).status)
        except urllib.error.HTTPError as error:
            return error.code

    assert status("/healthz") == 200
    paths = json.loads((Path(__file__).parents[2] / "docs/reference/openapi.json").read_text())["paths"]
    open_paths = {
        "/healthz",
        "/readyz",
        "/login",
        "/help/{code}",
        "/assets/plain.css",
    }  # none tells anything about this installation
    for path, operations in paths.items():
        if path not in open_paths and "get" in operations:
            assert status(path.replace("{", "").replace("}", "")) == 401, path


def test_the_token_stands_in_files_that_only_their_owner_reads(platform):
    config = platform.folder / "config" / "railyard" / "config.toml"
    for file in (config, platform.home / "token", platform.home / "secret"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    listed = [process / "cmdline" for process in Path("/proc").iterdir() if process.name.isdigit()]
    for line in listed:
        try:
            assert platform.token.encode() not in line.read_bytes()
        except OSError:
            continue


def test_a_job_outlives_a_server_that_is_killed(fresh_platform, tmp_path: Path):
    import polars as pl

    platform = fresh_platform
    pl.DataFrame({"x": [0.0, 1.0] * 50, "y": [0, 1] * 50}).write_parquet(tmp_path / "rows.parquet")
    folder = platform.folder / "slow"
    (folder / "workflows").mkdir(parents=True)
    (folder / "workflows" / "slow.py").write_text(SLOW)
    go = tmp_path / "go"
    request = {
        "model_description": "waits for a file", "model_name": "slow", "owner": "team", "project": "tests", "trainer": "me",
        "data": {"features": [{"names": ["x", "y"], "source": "file", "path": str(tmp_path / "rows.parquet")}],
                 "holdout_sampling": {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.3, "seed": 1}}},
        "train": {"workflow_name": "Slow", "classifier_features": ["x"], "label": "y", "custom_params": {"go": str(go)}},
    }  # fmt: skip
    (folder / "request.json").write_text(json.dumps(request))
    platform.up()
    job = platform.client().train(folder / "request.json")
    wait_until(lambda: "waiting" in "".join(line.text for line in platform.client().jobs.get(job.job_id).logs()))
    os.kill(platform.server["pid"], signal.SIGKILL)
    platform.up()
    go.touch()
    done = platform.client().jobs.get(job.job_id).wait(timeout=60)
    assert done.state == "succeeded"
    assert done.attempt == 1
    lines = [line.text for line in done.logs()]
    assert lines.count("waiting") == 1
    assert "done waiting" in lines


def wait_until(true: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


SLOW = '''
import os, time
from sklearn.linear_model import LogisticRegression
from railyard import Workflow

class Slow(Workflow):
    """Waits until a file is there."""

    def train(self, training, holdout):
        print("waiting", flush=True)
        while not os.path.exists(self.params["go"]):
            time.sleep(0.05)
        print("done waiting", flush=True)
        return LogisticRegression().fit(training[self.features], training[self.label])
'''


def test_the_package_exports_what_the_readme_uses():
    for name in ("Workflow", "TrainResult", "Client", "field"):
        assert getattr(railyard, name)
    assert railyard.__version__


TYPED = """
from dataclasses import dataclass

import railyard


@dataclass
class Params:
    trees: int = railyard.field(10, ge=1)


class Typed(railyard.Workflow[Params]):
    def train(self, training, holdout):
        raise AssertionError("never reached")
"""


def test_wrong_parameters_of_code_that_was_just_written_are_refused_at_once(platform, tmp_path: Path):
    folder = platform.folder / "typed"
    (folder / "workflows").mkdir(parents=True)
    (folder / "workflows" / "typed.py").write_text(TYPED)
    request = json.loads(strip_comments(EXAMPLE.read_text()))
    request["train"] |= {"workflow_name": "Typed", "custom_params": {"tree": 3}}
    (folder / "request.json").write_text(json.dumps(request))
    refused = platform.cli("train", "request.json", cwd=folder, check=False)
    assert refused.returncode == 2
    assert "train.custom_params.tree" in refused.stderr
    assert "trees" in refused.stderr


def test_a_connection_whose_password_is_not_set_is_refused_by_its_name(platform):
    settings = platform.home / "railyard.toml"
    before = settings.read_text()
    settings.write_text(before + '\n[connections]\nev = "postgresql://u:${NO_SUCH_PASSWORD}@db.example/x"\n')
    try:
        request = json.loads(strip_comments(EXAMPLE.read_text()))
        request["data"]["features"] = [
            {"names": request["data"]["features"][0]["names"], "source": "sql", "connection": "ev", "query": "select 1"}
        ]
        answer = platform.curl("POST", "/v1/jobs", body=json.dumps(request))
        assert answer["error"]["code"] == "configuration"
        assert "NO_SUCH_PASSWORD" in answer["error"]["message"]
    finally:
        settings.write_text(before)


def test_a_finished_job_and_its_attempt_show_every_step_and_the_highest_peak(platform, results):
    job_id = results["cli"]["job_id"]
    job = platform.client().jobs.get(job_id)
    (attempt,) = platform.client().jobs.attempts(job_id)
    highest = max(step.peak_memory or 0 for step in job.steps)
    assert highest > 0
    assert [step.name for step in attempt.steps] == [step.name for step in job.steps]
    assert job.usage.peak_memory_bytes >= highest
    assert attempt.usage.peak_memory_bytes >= highest
