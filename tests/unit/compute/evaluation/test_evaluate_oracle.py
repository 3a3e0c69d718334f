"""Every metric that scikit-learn has must agree with it, on any label and any score."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from railyard.compute.evaluation import METRICS, evaluate

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# A coarse grid makes ties, which is where ranking metrics go wrong.
probability = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1))
both_classes = st.lists(st.tuples(st.booleans(), probability), min_size=2, max_size=60).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)
number = st.floats(-1e6, 1e6, allow_subnormal=False)
ALL = tuple(METRICS)


def close(got, expected):
    return got == pytest.approx(expected, rel=1e-9, abs=1e-9)


@quick
@given(both_classes)
def test_ranking_metrics_agree_with_scikit_learn_ties_included(rows):
    label, score = (np.array(part) for part in zip(*rows, strict=True))
    found = evaluate(label, score, metrics=ALL).metrics
    assert close(found["auc"], oracle.roc_auc_score(label, score))
    assert close(found["pr_auc"], oracle.average_precision_score(label, score))
    assert close(found["gini"], 2 * oracle.roc_auc_score(label, score) - 1)
    fpr, tpr, _ = oracle.roc_curve(label, score, drop_intermediate=False)
    assert close(found["ks"], np.max(np.abs(tpr - fpr)))
    precision, recall, _ = oracle.precision_recall_curve(label, score)
    with np.errstate(invalid="ignore"):
        assert close(found["best_f1"], np.nanmax(2 * precision * recall / (precision + recall)))


@quick
@given(both_classes)
def test_losses_agree_with_scikit_learn(rows):
    label, score = (np.array(part) for part in zip(*rows, strict=True))
    found = evaluate(label, score).metrics
    assert close(found["brier"], np.mean((score - label) ** 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert close(found["log_loss"], oracle.log_loss(label, score, labels=[False, True]))


@quick
@given(both_classes, st.floats(0, 1))
def test_metrics_at_a_threshold_agree_with_scikit_learn(rows, threshold):
    label, score = (np.array(part) for part in zip(*rows, strict=True))
    found = evaluate(label, score, thresholds=[threshold], metrics=["mcc", "specificity", "balanced_accuracy"]).metrics
    called = score >= threshold
    mark = f"{threshold:g}"
    assert close(found[f"recall@{mark}"], oracle.recall_score(label, called))
    assert close(found[f"accuracy@{mark}"], oracle.accuracy_score(label, called))
    assert close(found[f"f1@{mark}"], oracle.f1_score(label, called))
    if called.any():
        assert close(found[f"precision@{mark}"], oracle.precision_score(label, called))
    else:
        assert found[f"precision@{mark}"] is None
    called = score >= 0.5
    assert close(found["specificity"], oracle.recall_score(~label, ~called))
    assert close(found["balanced_accuracy"], oracle.balanced_accuracy_score(label, called))
    if 0 < called.sum() < len(called):
        assert close(found["mcc"], oracle.matthews_corrcoef(label, called))


@quick
@given(st.lists(st.tuples(number, number), min_size=2, max_size=60))
def test_regression_metrics_agree_with_scikit_learn(rows):
    label, score = (np.array(part) for part in zip(*rows, strict=True))
    found = evaluate(label, score, metrics=ALL, task="regression").metrics
    assert close(found["rmse"], oracle.root_mean_squared_error(label, score))
    assert close(found["mae"], oracle.mean_absolute_error(label, score))
    assert close(found["median_absolute_error"], oracle.median_absolute_error(label, score))
    assert close(found["max_error"], oracle.max_error(label, score))
    assert close(found["bias"], np.mean(score - label))
    if np.var(label) > 1e-6:
        assert found["r2"] == pytest.approx(oracle.r2_score(label, score), rel=1e-6)
        assert found["explained_variance"] == pytest.approx(
            oracle.explained_variance_score(label, score), rel=1e-6, abs=1e-6
        )
    if np.abs(label).min() > 1e-3:
        assert found["mape"] == pytest.approx(oracle.mean_absolute_percentage_error(label, score))


@quick
@given(st.integers(3, 6), st.integers(20, 60), st.integers(0, 2**31))
def test_multiclass_metrics_agree_with_scikit_learn(classes, rows, seed):
    random = np.random.default_rng(seed)
    names = np.array([f"class {place}" for place in range(classes)])
    label = np.concatenate((names, random.choice(names, rows)))
    votes = random.integers(0, 5, (len(label), classes))
    votes[:, 0] += votes.sum(axis=1) == 0
    score = votes / votes.sum(axis=1, keepdims=True)
    found = evaluate(label, score, metrics=ALL).metrics
    called = names[score.argmax(axis=1)]
    assert close(found["accuracy"], oracle.accuracy_score(label, called))
    assert close(found["macro_f1"], oracle.f1_score(label, called, average="macro", zero_division=0))
    assert close(found["weighted_f1"], oracle.f1_score(label, called, average="weighted", zero_division=0))
    assert close(found["macro_precision"], oracle.precision_score(label, called, average="macro", zero_division=0))
    assert close(found["macro_recall"], oracle.recall_score(label, called, average="macro", zero_division=0))
    assert close(found["balanced_accuracy"], oracle.balanced_accuracy_score(label, called))
    assert close(
        found["macro_auc"],
        np.mean([oracle.roc_auc_score(label == name, score[:, place]) for place, name in enumerate(names)]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found["log_loss"] == pytest.approx(oracle.log_loss(label, score, labels=names), rel=1e-6)


@quick
@given(both_classes, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_no_metric_and_no_curve(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    first, second = (
        evaluate(*(np.array(part) for part in zip(*each, strict=True)), metrics=ALL) for each in (rows, shuffled)
    )
    for name, value in first.metrics.items():
        assert second.metrics[name] == (value if value is None else pytest.approx(value, rel=1e-12)), name
    assert first.report["roc"] == second.report["roc"]
    assert first.report["thresholds"] == second.report["thresholds"]


@quick
@given(both_classes)
def test_the_roc_curve_has_the_points_of_scikit_learn(rows):
    label, score = (np.array(part) for part in zip(*rows, strict=True))
    roc = evaluate(label, score).report["roc"]
    fpr, tpr, threshold = oracle.roc_curve(label, score, drop_intermediate=False)
    assert roc["fpr"] == pytest.approx(fpr)
    assert roc["tpr"] == pytest.approx(tpr)
    assert roc["threshold"][0] is None
    assert roc["threshold"][1:] == pytest.approx(threshold[1:])


@quick
@given(both_classes)
def test_the_pr_curve_has_the_points_of_scikit_learn(rows):
    label, score = (np.array(part) for part in zip(*rows, strict=True))
    pr = evaluate(label, score).report["pr"]
    precision, recall, threshold = oracle.precision_recall_curve(label, score)
    assert pr["precision"] == pytest.approx(precision[:-1][::-1])
    assert pr["recall"] == pytest.approx(recall[:-1][::-1])
    assert pr["threshold"] == pytest.approx(threshold[::-1])
