"""Every workflow of the gallery, on data that comes with scikit-learn or is made here."""

from datetime import date, timedelta

import example_projects as examples
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import datasets

from railyard.client.project import find_project
from railyard.compute.workflows import discovery
from railyard.compute.workflows.params import convert
from railyard.compute.workflows.reporter import SilentReporter
from railyard.compute.workflows.workflow import params_class
from railyard.errors import AttemptError, Invalid
from railyard.testing.workflows import perform
from railyard.validation import check_request

GALLERY = examples.EXAMPLES / "gallery"
REQUESTS = sorted(path.name for path in (GALLERY / "requests").iterdir())


def workflow(name):
    return examples.workflow("gallery", name)


@pytest.fixture(scope="module")
def tumours():
    """569 rows of numbers, with a column of words and gaps in both."""
    frame = datasets.load_breast_cancer(as_frame=True).frame
    random = np.random.default_rng(0)
    size = pd.cut(frame["mean area"], [0, 400, 700, 9_999], labels=["small", "middle", "large"]).astype(object)
    frame["size"] = size.where(random.random(len(frame)) > 0.05, None)
    frame.loc[random.random(len(frame)) < 0.05, "mean texture"] = np.nan
    return frame[["size", "mean texture", "mean smoothness", "mean symmetry", "worst concavity", "target"]]


FEATURES = ["size", "mean texture", "mean smoothness", "mean symmetry", "worst concavity"]


def test_every_workflow_is_discovered_and_described():
    infos = {info.name: info for info in discovery.discover(GALLERY)}
    assert set(infos) == {"AdultIncome", "BoostedTable", "FlightDelay", "SeasonalForecast", "SmallNet", "TextTopics"}
    for info in infos.values():
        assert info.broken is None
        assert info.doc
        assert info.param_schema
    assert find_project(GALLERY).name == "gallery"


@pytest.mark.parametrize("name", REQUESTS)
def test_a_bundled_request_holds_and_names_a_workflow_whose_parameters_fit(name):
    request = check_request(examples.request(f"gallery/requests/{name}"))
    convert(params_class(workflow(request.train.workflow_name)), request.train.custom_params)
    assert request.data.features[0].path.startswith("../shared/data/")


def test_adult_income_learns_from_words_numbers_and_gaps(tumours):
    done = perform(workflow("AdultIncome"), tumours, label="target", features=FEATURES, custom_params={"rounds": 30})
    assert done.metrics.holdout["auc"] > 0.9


def test_adult_income_learns_several_classes():
    flowers = datasets.load_iris(as_frame=True).frame
    features = [name for name in flowers if name != "target"]
    done = perform(workflow("AdultIncome"), flowers, label="target", features=features, custom_params={"rounds": 20})
    assert done.manifest.task == "multiclass"
    assert done.metrics.holdout["accuracy"] > 0.8
    assert done.metrics.holdout["macro_auc"] > 0.9


def test_boosted_table_stops_early_and_tells_its_curve_and_its_gain(tumours):
    reporter = SilentReporter()
    params = {"rounds": 300, "patience": 20, "learning_rate": 0.1}
    done = perform(
        workflow("BoostedTable"), tumours, label="target", features=FEATURES, custom_params=params, reporter=reporter
    )
    assert done.metrics.holdout["auc"] > 0.9
    assert 0 < done.manifest.extra["rounds"] < 300
    assert set(done.manifest.extra["gain"]) == set(FEATURES)
    assert {name for name, _, _ in reporter.metrics} == {"set_aside_binary_logloss"}
    assert (done.manifest.model.format, done.manifest.model.pickled) == ("lightgbm_txt", False)


def test_boosted_table_scores_words_that_the_training_never_saw(tumours):
    done = perform(workflow("BoostedTable"), tumours, label="target", features=FEATURES, custom_params={"rounds": 20})
    again = workflow("BoostedTable")()
    again.features = FEATURES
    unseen, gap = (again.score(done.model, tumours.head(5).assign(size=value)) for value in ("never seen", None))
    assert unseen.tolist() == gap.tolist()


def test_boosted_table_predicts_a_number():
    people = datasets.load_diabetes(as_frame=True).frame
    features = [name for name in people if name != "target"]
    params = {"objective": "regression", "rounds": 300}
    done = perform(workflow("BoostedTable"), people, label="target", features=features, custom_params=params)
    assert done.manifest.task == "regression"
    assert done.metrics.holdout["r2"] > 0.25


def test_a_parameter_that_the_dataclass_does_not_know_is_refused_with_the_nearest(tumours):
    with pytest.raises((Invalid, AttemptError), match="learning_rate"):
        perform(workflow("AdultIncome"), tumours, label="target", features=FEATURES, custom_params={"learning_rat": 1})


def flights(rows=6_000):
    """Flights whose delay grows over the day, by carrier."""
    random = np.random.default_rng(3)
    hour, carrier = random.integers(5, 23, rows), random.choice(["AA", "B6", "EV"], rows)
    delay = random.normal(-15, 20, rows) + 2.5 * (hour - 5) + 10 * (carrier == "EV")
    return pl.DataFrame(
        {
            "date": pl.Series(np.datetime64("2013-01-01") + random.integers(0, 365, rows).astype("timedelta64[D]")),
            "sched_dep_time": (hour * 100 + random.integers(0, 60, rows)).astype(np.int16),
            "carrier": carrier,
            "origin": random.choice(["JFK", "LGA"], rows),
            "dest": random.choice(["LAX", "ORD", "MIA"], rows),
            "distance": random.integers(200, 2_500, rows).astype(np.int16),
            "arr_delay": [None if random.random() < 0.03 else int(minutes) for minutes in delay],
        }
    )


def test_flight_delay_derives_its_label_and_learns_from_the_plan_alone():
    frame = flights()
    done = perform(workflow("FlightDelay"), frame, request=examples.on("gallery/requests/flights.json5"))
    assert done.manifest.task == "binary"
    assert done.metrics.holdout["auc"] > 0.7
    assert done.manifest.data.rows_after_filters == len(frame) - frame["arr_delay"].null_count()
    assert "arr_delay" not in done.manifest.model.features
    late = frame.filter(pl.col("date") >= pl.date(2013, 10, 1), pl.col("arr_delay").is_not_null())["arr_delay"] > 15
    assert done.metrics.holdout["positive_rate"] == pytest.approx(late.mean())


def test_flight_delay_reads_hours_and_minutes():
    flight = workflow("FlightDelay")()
    flight.params = type(flight).__orig_bases__[0].__args__[0]()
    frame = flights(10).with_columns(sched_dep_time=pl.lit(1345, pl.Int16), date=pl.date(2013, 1, 7))
    assert flight.preprocess(frame)["minute_of_day"].unique().to_list() == [13 * 60 + 45]
    assert flight.preprocess(frame)["weekday"].unique().to_list() == [1]


def test_flight_delay_scores_carriers_that_the_training_never_saw():
    done = perform(workflow("FlightDelay"), flights(1_000), request=examples.on("gallery/requests/flights.json5"))
    frame = flights(5).with_columns(carrier=pl.lit("ZZ"), minute_of_day=pl.lit(600), weekday=pl.lit(1))
    features = examples.request("gallery/requests/flights.json5")["train"]["classifier_features"]
    assert np.isfinite(done.model.predict_proba(frame.select(features))).all()


def orders(days=140, noise=1.0):
    """Three shops with a level and a weekly pattern of their own; one is closed on Sundays."""
    random = np.random.default_rng(5)
    rows = []
    for shop, (level, pattern) in enumerate(
        [(100, [0, 5, 10, 0, -5, 20, -30]), (50, [0] * 7), (200, [10, -10] * 3 + [0])]
    ):
        for day in range(days):
            if shop == 2 and day % 7 == 6:
                continue
            when = date(2024, 1, 1) + timedelta(days=day)
            rows.append((f"shop {shop}", when, float(level + pattern[day % 7] + random.normal(0, noise))))
    return pl.DataFrame(rows, schema=["shop", "date", "sold"], orient="row")


FORECAST = {
    "data": {
        "holdout_sampling": {
            "sampling_function": "DATE_RANGE",
            "random_sampling": None,
            "date_range_sampling": {"date_column": "date", "start_date": "2024-05-06", "end_date": "2024-05-19"},
        }
    }
}
FORECAST_PARAMS = {"value": "sold", "series": "shop"}


def test_the_forecast_needs_no_label_and_finds_level_and_pattern():
    done = perform(workflow("SeasonalForecast"), orders(), request=FORECAST, custom_params=FORECAST_PARAMS)
    assert done.manifest.task == "none"
    assert done.metrics.holdout["wape"] < 0.05
    assert done.metrics.holdout["known_share"] == 1
    assert not done.manifest.model.pickled


def test_the_forecast_comes_back_from_its_file_to_the_last_bit(tmp_path):
    done = perform(
        workflow("SeasonalForecast"), orders(), request=FORECAST, custom_params=FORECAST_PARAMS, folder=tmp_path
    )
    kind = workflow("SeasonalForecast")()
    (tmp_path / "again").mkdir()
    kind.serialize(done.model, tmp_path / "again")
    days = np.arange(19_900, 19_930)
    names = ["shop 1"] * len(days)
    assert (kind.deserialize(tmp_path / "again").at(names, days) == done.model.at(names, days)).all()


def test_the_forecast_says_nan_for_a_series_it_does_not_know():
    done = perform(workflow("SeasonalForecast"), orders(), request=FORECAST, custom_params=FORECAST_PARAMS)
    known, unknown = done.model.at(["shop 1", "shop 9"], [20_000, 20_000])
    assert known == pytest.approx(50, abs=5)
    assert np.isnan(unknown)


def test_the_forecast_refuses_less_than_two_seasons():
    with pytest.raises(AttemptError, match="two seasons are 730 days") as caught:
        perform(
            workflow("SeasonalForecast"), orders(), request=FORECAST, custom_params={**FORECAST_PARAMS, "season": 365}
        )
    assert caught.value.report.code == "user_code"


def sentences(rows=400):
    random = np.random.default_rng(6)
    words = {
        "card": ["card", "lost", "stolen"],
        "money": ["transfer", "pending", "euros"],
        "account": ["close", "open", "login"],
    }
    topics = random.choice(list(words), rows)
    fill = ["please", "my", "the", "how", "can", "I", "é"]
    texts = [
        " ".join(random.permutation([*random.choice(words[topic], 2), *random.choice(fill, 3)])) for topic in topics
    ]
    return pd.DataFrame({"text": texts, "topic": topics})


def test_text_topics_tells_topics_apart():
    done = perform(workflow("TextTopics"), sentences(), label="topic", features=["text"])
    assert done.manifest.task == "multiclass"
    assert done.metrics.holdout["accuracy"] > 0.95
    assert done.metrics.holdout["log_loss"] is None


def test_text_topics_takes_a_missing_text_for_an_empty_one():
    frame = sentences()
    frame.loc[::20, "text"] = None
    done = perform(workflow("TextTopics"), frame, label="topic", features=["text"])
    assert done.metrics.holdout["accuracy"] > 0.85


def test_text_topics_wants_exactly_one_column():
    with pytest.raises(AttemptError, match="expected one text column"):
        perform(workflow("TextTopics"), sentences(), label="topic", features=["text", "topic"])


@pytest.mark.part("torch")
def test_small_net_learns_and_comes_back_from_its_weights(tumours):
    pytest.importorskip("torch", reason="torch is not here. To get it: pip install torch")
    features = FEATURES[1:]
    done = perform(workflow("SmallNet"), tumours, label="target", features=features, custom_params={"epochs": 40})
    assert done.metrics.holdout["auc"] > 0.9
    assert not done.manifest.model.pickled
