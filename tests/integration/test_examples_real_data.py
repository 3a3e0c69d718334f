"""The gallery on real data sets, as the documentation says: the scores are promises."""

import example_projects as examples
import parts
import pytest

from railyard.testing.workflows import perform

pytestmark = pytest.mark.part("data")


def trained(request, data):
    """A bundled request as it stands, on the file that it names."""
    path = parts.data(data)
    found = examples.request(f"gallery/requests/{request}")
    assert found["data"]["features"][0]["path"] == f"../shared/data/{data}"
    columns = found["data"]["features"][0]["names"]
    patch = examples.on(f"gallery/requests/{request}")
    patch["data"]["features"] = [{"names": columns, "source": "file", "path": str(path)}]
    return perform(examples.workflow("gallery", found["train"]["workflow_name"]), path, request=patch)


def test_adult_income_reaches_an_auc_of_092_on_a_random_holdout_of_a_quarter():
    done = trained("adult.json5", "adult/train.parquet")
    assert done.metrics.holdout["auc"] >= 0.92
    assert done.manifest.data.rows_holdout == pytest.approx(0.25 * 32_561, rel=0.05)
    assert {"race", "sex"}.isdisjoint(done.manifest.data.columns)


def test_boosted_table_reaches_an_auc_of_092_on_the_same_rows():
    assert trained("adult_lightgbm.json5", "adult/train.parquet").metrics.holdout["auc"] >= 0.92


def test_flight_delay_reaches_an_auc_of_063_on_october_to_december():
    done = trained("flights.json5", "flights/nyc13_flights.parquet")
    assert done.metrics.holdout["auc"] >= 0.63
    assert set(done.manifest.data.columns).isdisjoint({"dep_time", "dep_delay", "arr_time", "air_time"})


def test_text_topics_finds_seventy_seven_intents():
    done = trained("banking77.json5", "banking77/train.parquet")
    assert done.metrics.holdout["accuracy"] >= 0.88
    assert done.metrics.holdout["top_3_accuracy"] >= 0.95


def test_the_forecast_beats_half_of_what_was_sold():
    done = trained("forecast.json5", "iowa_liquor/store_day.parquet")
    assert done.metrics.holdout["wape"] <= 0.45
    assert done.manifest.task == "none"


@pytest.mark.part("torch")
def test_small_net_learns_from_numbers_alone():
    pytest.importorskip("torch", reason="torch is not here. To get it: pip install torch")
    assert trained("small_net.json5", "adult/train.parquet").metrics.holdout["auc"] >= 0.84
