"""The demo: the sample request, its data, its workflow."""

import hashlib
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import example_projects as examples
import numpy as np
import polars as pl
import pytest

from railyard import settings
from railyard.client.project import find_project
from railyard.compute.workflows.reporter import SilentReporter
from railyard.spec.request import needed_columns
from railyard.testing.workflows import perform
from railyard.validation import check_request

DEMO = examples.EXAMPLES / "fraud"


@pytest.fixture(scope="module")
def charges(tmp_path_factory):
    return examples.make_data().make_data(tmp_path_factory.mktemp("demo") / "charges.parq")


@pytest.fixture(scope="module")
def trained(charges):
    reporter = SilentReporter()
    workflow = examples.workflow("fraud", "StripeFraudModel")
    done = perform(workflow, charges, request=examples.on("fraud/request.json5"), reporter=reporter)
    return done, reporter


def test_the_sample_request_is_the_published_one_byte_for_byte():
    digest = hashlib.sha256((DEMO / "request.json5").read_bytes()).hexdigest()
    assert digest == "b5751f3d56d0726987b77272a8f7c1370359938184a6adca0b9e9adde15fe8a0"


def test_the_data_has_every_column_that_the_request_needs_and_some_that_it_does_not(charges):
    needed = needed_columns(check_request(examples.request("fraud/request.json5")))
    columns = pl.read_parquet_schema(charges)
    assert set(needed) < set(columns)
    assert str(columns["created_at"]) == "Datetime(time_unit='us', time_zone=None)"


def test_the_data_spans_two_years_ordered_by_time_with_gaps_in_a_few_cells(charges):
    frame = pl.read_parquet(charges)
    assert len(frame) >= 60_000
    assert frame["created_at"].is_sorted()
    assert frame["created_at"].min() < datetime(2017, 7, 1)
    assert frame["created_at"].max() > datetime(2019, 6, 1)
    nulls = frame.null_count().row(0, named=True)
    assert {name for name, count in nulls.items() if count} == {"charge_type", "charge_amount", "charge_country"}
    assert max(nulls.values()) < 0.01 * len(frame)


def test_charges_lie_on_the_edges_of_the_request_and_pass_its_other_filters(charges):
    frame = pl.read_parquet(charges)
    for edge in (datetime(2018, 1, 1), datetime(2018, 10, 1), datetime(2019, 1, 1)):
        (row,) = frame.filter(pl.col("created_at") == edge).to_dicts()
        assert row["charge_country"] == "US"
        assert row["charge_amount"] > 10
    assert (frame["charge_amount"] <= 10).sum() > 1_000


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path):
    make = examples.make_data().make_data
    first, again, other = (make(tmp_path / name, rows=500, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_the_program_says_where_it_wrote(tmp_path):
    target = tmp_path / "new" / "folder" / "charges.parq"
    said = subprocess.run(
        [sys.executable, DEMO / "make_data.py", target, "--rows", "100"], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == str(target)
    assert len(pl.read_parquet(target)) == 100


def test_the_settings_map_the_requests_bucket_to_the_file_that_the_program_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(DEMO)
    found = settings.load(environ={"RAILYARD_HOME": str(tmp_path)}).settings
    path = examples.request("fraud/request.json5")["data"]["features"][0]["path"]
    bucket, key = path.removeprefix("s3://").split("/", 1)
    assert Path(found.buckets[bucket]) / key == examples.make_data().FILE
    assert found.price is not None
    assert found.price.cpu_hour > 0


def test_the_folder_is_a_code_project():
    assert find_project(DEMO / "request.json5").name == "fraud"


def test_the_holdout_holds_both_ends_and_the_filters_the_rest(charges, trained):
    data = trained[0].manifest.data
    frame = pl.read_parquet(charges).filter(
        pl.col("created_at").is_between(datetime(2018, 1, 1), datetime(2019, 1, 1)),
        pl.col("charge_amount") > 10,
        pl.col("charge_country").is_in(["US", "CA"]),
    )
    held = frame.filter(pl.col("created_at") >= datetime(2018, 10, 1))
    assert data.rows_after_filters == len(frame) == data.rows_train + data.rows_holdout
    assert data.rows_holdout == len(held)
    assert data.rows_train_after_holdout == 0


def test_the_sample_request_learns_a_risk_that_holds_on_the_holdout(trained):
    assert trained[0].metrics.holdout["auc"] > 0.8


def test_the_parameters_reach_xgboost_as_they_were_sent(trained):
    booster = trained[0].model.get_booster()
    assert booster.num_boosted_rounds() == 500
    # The name that XGBoost itself now gives to reg:linear; a regression of a 0/1 label leaves [0, 1] at times.
    assert '"reg:squarederror"' in booster.save_config()
    assert trained[0].metrics.holdout["log_loss"] is None


def test_the_model_is_saved_in_its_own_format_and_not_as_a_pickle(trained):
    info = trained[0].manifest.model
    assert (info.format, info.pickled) == ("xgboost_ubj", False)


def test_the_loss_is_a_curve_that_falls(trained):
    points = {
        name: [value for which, value, _ in trained[1].metrics if which == name] for name, _, _ in trained[1].metrics
    }
    assert {name: len(values) for name, values in points.items()} == {"train_rmse": 50, "holdout_rmse": 50}
    assert points["train_rmse"][-1] < points["train_rmse"][0]


def test_words_that_the_training_never_saw_and_gaps_are_scored(charges, trained):
    workflow = examples.workflow("fraud", "StripeFraudModel")()
    workflow.features = ["charge_type", "charge_amount", "charge_country"]
    rows = pl.read_parquet(charges).head(3).to_pandas()
    rows["charge_type"] = ["never seen", None, "wallet"]
    rows["charge_amount"] = [20.0, float("nan"), 30.0]
    assert np.isfinite(workflow.score(trained[0].model, rows)).all()


def test_it_trains_without_a_holdout(charges):
    request = examples.on("fraud/request.json5")
    request["data"]["holdout_sampling"] = None
    request["train"]["custom_params"] = {"n_estimators": 20, "objective": "binary:logistic"}
    workflow = examples.workflow("fraud", "StripeFraudModel")
    done = perform(workflow, charges, request=request, holdout=None)
    assert done.manifest.data.rows_holdout == 0
    assert done.metrics.train["log_loss"] < 0.6
