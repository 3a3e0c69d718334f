"""What an evaluation says beyond its metrics: curves, tables, warnings, slices."""

import json

import numpy as np
import pytest

from railyard.compute.evaluation import evaluate


@pytest.fixture
def random():
    return np.random.default_rng(4)


def binary(random, rows=5_000):
    label = random.random(rows) < 0.3
    return label, np.clip(0.4 * random.random(rows) + 0.3 * label + 0.1, 0, 1)


def test_a_report_is_strict_json_for_every_task(random):
    label, score = binary(random)
    texts = random.choice(["a", "b", "c"], 500)
    numbers = random.normal(size=500)
    for found in (
        evaluate(label, score, slices={"name": random.choice(["x", None], len(label))}),
        evaluate(texts, random.dirichlet([1, 1, 1], 500), slices={"n": np.arange(500) % 3}),
        evaluate(numbers, numbers + 1),
    ):
        assert json.loads(json.dumps(found.report, allow_nan=False))["n"] == found.metrics["n"]
        json.dumps(found.metrics, allow_nan=False)


def test_curves_of_many_rows_keep_a_thousand_points_and_both_ends(random):
    label, score = binary(random, 50_000)
    report = evaluate(label, score).report
    for curve in ("roc", "pr"):
        assert {len(values) for values in report[curve].values()} <= set(range(100, 1001))
    assert (report["roc"]["fpr"][0], report["roc"]["tpr"][0]) == (0, 0)
    assert (report["roc"]["fpr"][-1], report["roc"]["tpr"][-1]) == (1, 1)
    assert report["pr"]["recall"][-1] == 1
    assert report["pr"]["precision"][-1] == pytest.approx(label.mean())


def test_a_thinned_roc_curve_has_the_area_of_the_whole(random):
    label, score = binary(random, 50_000)
    found = evaluate(label, score)
    area = np.trapezoid(found.report["roc"]["tpr"], found.report["roc"]["fpr"])
    assert area == pytest.approx(found.metrics["auc"], abs=1e-4)


def test_the_threshold_table_counts_every_row_at_a_hundred_and_one_thresholds(random):
    label, score = binary(random)
    table = evaluate(label, score).report["thresholds"]
    assert table["threshold"] == pytest.approx(np.linspace(0, 1, 101))
    for place, threshold in enumerate(table["threshold"]):
        called = score >= threshold
        counts = tuple(table[name][place] for name in ("tp", "fp", "tn", "fn"))
        assert counts == (
            (called & label).sum(),
            (called & ~label).sum(),
            (~called & ~label).sum(),
            (~called & label).sum(),
        )


def test_the_confusion_is_the_one_at_a_half(random):
    label, score = binary(random)
    found = evaluate(label, score)
    assert found.report["confusion"]["classes"] == [False, True]
    (tn, fp), (fn, tp) = found.report["confusion"]["counts"]
    assert tn + fp + fn + tp == len(label)
    assert found.metrics["accuracy"] == (tn + tp) / len(label)


def test_calibration_has_ten_bins_of_equal_size_that_cover_every_row(random):
    label = random.random(10_000) < 0.5
    bins = evaluate(label, random.random(10_000)).report["calibration"]
    assert bins["n"] == [1000] * 10
    assert all(low < score < high for low, score, high in zip(bins["low"], bins["score"], bins["high"], strict=True))


def test_calibration_keeps_tied_scores_together():
    label = np.array([0, 1] * 50)
    bins = evaluate(label, np.array([0.2, 0.7] * 50)).report["calibration"]
    assert bins["n"] == [50, 50]
    assert bins["score"] == pytest.approx([0.2, 0.7])
    assert bins["label"] == [0, 1]


def test_the_histogram_of_scores_holds_every_row(random):
    label, score = binary(random)
    scores = evaluate(label, score).report["scores"]
    assert sum(scores["positives"]) == label.sum()
    assert sum(scores["negatives"]) == (~label).sum()
    assert len(scores["edges"]) == len(scores["positives"]) + 1


def test_residuals_are_label_minus_score():
    report = evaluate(np.array([1.5, 2.5, 4.0]), np.array([1.0, 2.0, 5.0])).report
    assert report["residuals"]["quantiles"]["value"][0] == -1.0
    assert report["residuals"]["quantiles"]["value"][-1] == 0.5
    assert sum(report["residuals"]["histogram"]["n"]) == 3


def test_residuals_that_are_all_the_same_are_one_bin():
    report = evaluate(np.array([1.5, 2.5]), np.array([1.0, 2.0])).report
    assert report["residuals"]["histogram"] == {"edges": [0.5, 0.5], "n": [2]}


def test_numbers_near_the_end_of_the_range_make_null_not_infinity():
    found = evaluate(np.array([1e308, -1e308, 0.5]), np.array([-1e308, 1e308, 0.0]))
    assert found.metrics["rmse"] is None
    json.dumps([found.metrics, found.report], allow_nan=False)


def test_a_confusion_of_many_classes_folds_the_rare_ones(random):
    names = [f"c{place:03d}" for place in range(300)]
    label = np.concatenate((np.repeat(names[:99], 5), names))
    found = evaluate(label, label)
    confusion = found.report["confusion"]
    assert len(confusion["classes"]) == 100
    assert confusion["classes"][-1] == "(other)"
    assert np.trace(np.array(confusion["counts"])) == len(label)
    assert len(found.report["by_class"]["class"]) == 300


def test_slices_add_up_and_agree_with_an_evaluation_of_their_rows(random):
    label, score = binary(random)
    country = random.choice(["US", "CA", "GB"], len(label), p=[0.6, 0.3, 0.1])
    found = evaluate(label, score, slices={"country": country}, thresholds=[0.4], metrics=["ks"])
    values = found.report["slices"]["country"]["values"]
    assert [entry["value"] for entry in values] == ["US", "CA", "GB"]
    assert sum(entry["n"] for entry in values) == len(label)
    for entry in values:
        rows = country == entry["value"]
        assert entry["metrics"] == evaluate(label[rows], score[rows], thresholds=[0.4], metrics=["ks"]).metrics


def test_missing_values_are_a_slice_of_their_own(random):
    label, score = binary(random, 100)
    column = np.array(["x", None, float("nan"), "y"] * 25, dtype=object)
    values = evaluate(label, score, slices={"column": column}).report["slices"]["column"]["values"]
    assert {entry["value"]: entry["n"] for entry in values} == {None: 50, "x": 25, "y": 25}


def test_a_column_of_many_values_shows_the_fifty_most_frequent(random):
    label, score = binary(random, 3_000)
    column = np.concatenate((np.repeat(np.arange(50), 20), np.arange(100, 2_100)))
    shown = evaluate(label, score, slices={"id": column}).report["slices"]["id"]
    assert len(shown["values"]) == 50
    assert {entry["n"] for entry in shown["values"]} == {20}
    assert (shown["distinct"], shown["rows_not_shown"]) == (2_050, 2_000)


def test_a_slice_of_one_class_has_null_where_two_are_needed(random):
    label = np.array([True] * 10 + [False] * 10)
    entry = evaluate(label, random.random(20), slices={"side": label}).report["slices"]["side"]["values"][0]
    assert entry["metrics"]["auc"] is None
    assert entry["metrics"]["brier"] is not None


def test_slices_judge_probabilities_by_the_whole_split():
    label, score = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.2, 1.2])
    values = evaluate(label, score, slices={"half": [1, 1, 2, 2]}).report["slices"]["half"]["values"]
    assert [entry["metrics"]["log_loss"] for entry in values] == [None, None]
