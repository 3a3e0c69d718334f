"""The kinds of label and score that libraries hand over, and what is refused."""

import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from railyard.compute.evaluation import METRICS, check_metrics, evaluate, task_of
from railyard.errors import Invalid


@pytest.mark.parametrize(
    ("label", "task"),
    [
        (None, "none"),
        ([], "none"),
        ([None, None], "none"),
        ([True, False], "binary"),
        ([True, None, False], "binary"),
        ([0, 1, 1], "binary"),
        ([1, 1], "binary"),  # a split that happens to hold one class
        ([0.0, 1.0, float("nan")], "binary"),
        ([1, 2, 2], "binary"),
        (["no", "yes"], "binary"),
        (["a", "b", "c"], "multiclass"),
        ([0, 1, 2], "multiclass"),
        (list(range(50)), "multiclass"),
        (list(range(51)), "regression"),  # a count, not a class
        ([0.5, 1.0], "regression"),
        ([1.0, 2.0, 3.0], "regression"),
        ([Decimal("1.5"), Decimal("2")], "regression"),
        (pd.Series(["x", "y", pd.NA], dtype="string"), "binary"),
        (pd.Series([1, None, 0], dtype="Int64"), "binary"),
        (pd.Series(["a", "b", "c"], dtype="category"), "multiclass"),
        (pl.Series([1.5, None, 2.5]), "regression"),
        (pl.Series([True, None]), "binary"),
        (pl.Series(["a", "b"], dtype=pl.Categorical), "binary"),
        (pa.chunked_array([[1, 0], [1]]), "binary"),
    ],
)
def test_the_task_follows_from_the_label(label, task):
    assert task_of(label) == task


def test_no_label_evaluates_to_nothing():
    assert evaluate(None, [1.0, 2.0]).task == "none"
    assert evaluate(None, [1.0]).metrics == {}


def test_a_split_without_one_labelled_row_says_so():
    found = evaluate([None, None], [0.1, 0.2])
    assert (found.task, found.metrics) == ("none", {})
    assert "no row has a label" in found.report["warnings"][-1]


def test_rows_without_a_label_are_left_out_and_counted():
    found = evaluate([1, None, 0, 1], [0.9, 0.9, 0.1, 0.8], slices={"side": ["a", "b", "a", "b"]})
    assert found.metrics["n"] == 3
    assert found.metrics["auc"] == 1
    assert found.report["warnings"] == ["1 of 4 rows have no label and were left out"]
    assert sum(entry["n"] for entry in found.report["slices"]["side"]["values"]) == 3


def test_text_labels_count_the_greater_as_positive():
    found = evaluate(["no", "yes", "no", "yes"], [0.1, 0.9, 0.2, 0.8])
    assert found.report["classes"] == ["no", "yes"]
    assert found.metrics["auc"] == 1


def test_the_second_column_of_two_is_the_positive_class():
    score = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert evaluate([0, 1], score).metrics == evaluate([0, 1], score[:, 1]).metrics


def test_a_column_of_shape_n_by_one_is_one_column():
    assert evaluate([0.5, 1.5], np.array([[0.5], [1.5]])).metrics["rmse"] == 0


def test_predicted_classes_of_a_binary_label_are_scores():
    assert evaluate(["a", "b", "b"], ["a", "b", "a"]).metrics["accuracy"] == pytest.approx(2 / 3)
    assert evaluate([1, 2, 2], [1, 2, 1]).metrics["recall"] == 0.5
    assert evaluate([-1, 1, 1], [-1, 1, -1]).metrics["auc"] == 0.75


def test_predicted_classes_of_several_have_no_auc_and_no_log_loss():
    found = evaluate(["a", "b", "c"], ["a", "b", "d"])
    assert found.metrics["accuracy"] == pytest.approx(2 / 3)
    assert found.metrics["macro_auc"] is None
    assert found.report["classes"] == ["a", "b", "c", "d"]
    assert "log_loss is null" in found.report["warnings"][0]


def test_margins_of_several_classes_have_an_auc_but_no_log_loss():
    found = evaluate(["a", "b", "c"], np.array([[3.0, -1, -2], [-1, 2, 0], [0, 0, 5]]))
    assert found.metrics["macro_auc"] == 1
    assert found.metrics["log_loss"] is None


def test_a_regressor_on_a_binary_label_keeps_brier_and_loses_log_loss():
    found = evaluate([0, 1, 0, 1], [-0.1, 0.9, 0.2, 1.3])
    assert found.metrics["auc"] == 1
    assert found.metrics["log_loss"] is None
    assert found.metrics["brier"] == pytest.approx(np.mean([0.01, 0.01, 0.04, 0.09]))
    assert "from -0.1 to 1.3, outside [0, 1]" in found.report["warnings"][0]
    table = found.report["thresholds"]["threshold"]
    assert (table[0], table[-1]) == (-0.1, 1.3)


def test_one_class_gives_null_and_a_warning():
    found = evaluate([0, 0, 0], [0.1, 0.2, 0.3])
    assert found.metrics["auc"] is None
    assert found.metrics["pr_auc"] is None
    assert found.metrics["recall"] is None
    assert found.metrics["accuracy"] == 1
    assert found.report["roc"] is None
    assert "every row has the label 0" in found.report["warnings"][0]


def test_a_constant_number_has_no_r2():
    found = evaluate([2.5, 2.5], [2.0, 3.0])
    assert found.metrics["r2"] is None
    assert found.metrics["mae"] == 0.5


def test_a_label_that_touches_zero_has_no_mape_but_a_wape():
    found = evaluate([0.0, 2.5], [1.0, 2.5], metrics=["wape"])
    assert found.metrics["mape"] is None
    assert found.metrics["wape"] == 0.4
    assert "mape is null" in found.report["warnings"][0]


def test_whole_numbers_scored_with_fractions_are_a_quantity():
    assert evaluate([1, 2, 3], [1.2, 2.1, 2.9]).task == "regression"
    assert evaluate([1, 2, 3], [1, 2, 2]).task == "multiclass"


def test_the_caller_can_settle_the_task_and_the_classes():
    found = evaluate(["b", "b"], np.array([[0.1, 0.7, 0.2], [0.2, 0.5, 0.3]]), classes=["a", "b", "c"])
    assert found.task == "multiclass"
    assert found.metrics["accuracy"] == 1
    assert evaluate([1, 2, 1], [1.0, 2.0, 1.0], task="regression").metrics["rmse"] == 0


def test_a_class_that_the_training_never_saw_counts_as_wrong():
    found = evaluate(["a", "b", "c", "new"], np.eye(3)[[0, 1, 2, 0]], classes=["a", "b", "c"])
    assert found.metrics["accuracy"] == 0.75
    assert found.metrics["log_loss"] > 5
    assert found.report["warnings"] == ["the model does not know 1 classes of the label: new"]


def test_whole_floats_name_the_same_class_as_integers():
    assert evaluate([1, 2, 3], np.eye(3), classes=np.array([1.0, 2.0, 3.0])).metrics["accuracy"] == 1


def test_a_metric_of_another_task_is_null_with_a_warning():
    found = evaluate([0.5, 1.5], [0.5, 1.0], metrics=["auc"])
    assert found.metrics["auc"] is None
    assert "auc has no meaning for a regression label: null" in found.report["warnings"]


def test_thresholds_of_another_task_add_nothing_and_say_so():
    found = evaluate([0.5, 1.5], [0.5, 1.0], thresholds=[0.5])
    assert not any("@" in name for name in found.metrics)
    assert "thresholds have no meaning for a regression label: they add nothing" in found.report["warnings"]


def test_float32_scores_are_measured_as_doubles():
    score = np.array([0.1, 0.9], dtype=np.float32)
    assert evaluate([0, 1], score).metrics == evaluate([0, 1], score.astype(np.float64)).metrics


def test_scores_that_are_not_finite_are_refused_with_count_and_first_row():
    for bad in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(Invalid) as caught:
            evaluate([0, 1, 0, 1], [0.1, bad, 0.2, bad])
        assert caught.value.code == "bad_scores"
        assert caught.value.detail == {"count": 2, "first_row": 1, "rows": 4}
        assert "2 of 4 scores are not finite numbers; the first is in row 1" in caught.value.message


def test_missing_scores_among_objects_are_refused():
    with pytest.raises(Invalid, match="row 1"):
        evaluate([0, 1], np.array([0.5, None], dtype=object))
    with pytest.raises(Invalid, match="row 0"):
        evaluate(["a", "b", "c"], np.array([[None, 0, 1], [0, 1, 0], [0, 0, 1]], dtype=object))


@pytest.mark.parametrize(
    ("label", "score", "code", "words"),
    [
        ([0, 1], [0.5], "bad_scores", "for each of 2 rows, got shape (1,)"),
        ([0, 1], [[[0.5]], [[0.5]]], "bad_scores", "got shape (2, 1, 1)"),
        ([0.5, 1.5], [[0.1, 0.2], [0.3, 0.4]], "bad_scores", "expected one score a row"),
        (["a", "b", "c"], [[0.1, 0.2, 0.3, 0.4]] * 3, "bad_scores", "each of 3 classes, got 4 columns"),
        ([0.5, 1.5], ["x", "y"], "bad_scores", "expected numbers as scores"),
        (["a", "b"], ["a", "z"], "bad_scores", "expected numbers as scores"),
        ([0, 1], [1j, 2j], "bad_scores", "complex"),
        ([[0, 1], [1, 0]], [0.1, 0.2], "bad_label", "expected one column"),
        ([float("inf"), 1.5], [0.1, 0.2], "bad_label", "1 of 2 labels are infinite"),
    ],
)
def test_labels_and_scores_that_do_not_fit_are_refused(label, score, code, words):
    with pytest.raises(Invalid) as caught:
        evaluate(label, score)
    assert caught.value.code == code
    assert words in caught.value.message


def test_a_task_that_the_label_does_not_fit_is_refused():
    with pytest.raises(Invalid, match="expected numbers as label"):
        evaluate(["a", "b"], [0.1, 0.2], task="regression")
    with pytest.raises(Invalid, match="expected two classes"):
        evaluate([1, 2, 3], [0.1, 0.2, 0.3], task="binary")
    with pytest.raises(Invalid, match="got 'c'"):
        evaluate(["a", "c"], [0.1, 0.2], task="binary", classes=["a", "b"])


def test_a_slice_of_another_length_is_refused():
    with pytest.raises(Invalid, match="the slice column side has 1 rows, the label 2") as caught:
        evaluate([0, 1], [0.1, 0.2], slices={"side": ["x"]})
    assert caught.value.code == "bad_slice"


def test_an_unknown_metric_is_refused_with_the_nearest():
    with pytest.raises(Invalid) as caught:
        check_metrics(["auc", "log_los"])
    assert caught.value.code == "unknown_metric"
    (problem,) = caught.value.fields
    assert (problem.path, problem.nearest) == ("evaluation.metrics[1]", "log_loss")
    with pytest.raises(Invalid):
        evaluate([0, 1], [0.1, 0.2], metrics=["nope"])


def test_every_metric_says_what_it_is_and_serves_a_task():
    for metric in METRICS.values():
        assert metric.what
        assert metric.binary or metric.multiclass or metric.regression


def test_the_room_needs_no_library_but_numpy():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, railyard.compute.evaluation; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert "numpy" in loaded
    assert not {"pandas", "polars", "pyarrow", "scipy", "sklearn"} & set(loaded)


def test_one_class_of_a_pair_that_nobody_named_is_not_guessed():
    found = evaluate([2, 2], [0.1, 0.9], task="binary")
    assert found.metrics == {}
    assert "every row has the label 2, and the other class is not known" in found.report["warnings"][0]
    assert evaluate([2, 2], [0.6, 0.9], task="binary", classes=[1, 2]).metrics["recall"] == 1
