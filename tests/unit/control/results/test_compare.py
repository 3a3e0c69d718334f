"""Jobs side by side: only what differs, by JSON pointer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_bench import NOW, manifest_of

from railyard.control.results.compare import compare
from railyard.spec.base import Money
from railyard.spec.records import Comparison, Job, JobResult
from railyard.spec.result import CodeInfo, DataSummary, Metrics


def result(request: dict[str, Any], data: DataSummary | None = None, **metrics: float | None) -> JobResult:
    return JobResult(
        job_id="j1", state="succeeded", reason=None, attempt=1, model_id=None, workflow_name="F", task=None, request="",
        resolved_request=request, code=CodeInfo(), data=data, artifacts=(), metrics=Metrics(holdout=metrics), steps=(),
        node=None, compute_resource="CPU", cost=Money(), error=None, seed=0,
    )  # fmt: skip


def job() -> Job:
    return Job(
        job_id="j1", seq=1, state="succeeded", model_name="m", model_description="d", owner="o", project="p", trainer="t",
        submitted_by="t", workflow_name="F", compute_resource="CPU", created_at=NOW,
    )  # fmt: skip


def compared(*results: JobResult) -> Comparison:
    return compare([job() for _ in results], results)


def params(**values: Any) -> dict[str, Any]:
    return {"train": {"custom_params": values}}


def test_metrics_and_parameters_stand_side_by_side_with_null_for_what_is_missing() -> None:
    found = compared(result(params(eta=0.1, a={"b": 1}), auc=0.9, ks=None), result(params(eta=0.1), auc=0.8))
    assert found.metrics == {"holdout.auc": (0.9, 0.8), "holdout.ks": (None, None)}
    assert found.params == {"eta": (0.1, 0.1), "a/b": (1, None)}
    assert found.request == {}


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ({"a": 1}, {"a": 2}, {"/a": (1, 2)}),
        ({"a": [1, 2]}, {"a": [1]}, {"/a/1": (2, None)}),
        ({"a": {}}, {"a": {"b": 1}}, {"/a": ({}, None), "/a/b": (None, 1)}),
        ({"a/b~c": 1, "x": 0}, {"x": 0}, {"/a~1b~0c": (1, None)}),
        ({"a": 1}, {"a": True}, {"/a": (1, True)}),
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": None, "x": 0}, {"x": 0}, {}),
    ],
)
def test_the_request_shows_only_what_differs(one: dict[str, Any], other: dict[str, Any], difference: object) -> None:
    assert compared(result(one), result(other)).request == difference


def test_data_tells_counts_schema_and_files_that_changed() -> None:
    summary = manifest_of("j1-1", ()).data
    assert summary is not None
    files = (summary.fingerprint.files[0].model_copy(update={"sha256": "ef" * 32}),)
    fingerprint = summary.fingerprint.model_copy(
        update={"sha256": "99", "files": files, "schema_": {"amount": "Int64", "new": "String"}}
    )
    changed = summary.model_copy(update={"rows_read": 13, "fingerprint": fingerprint})
    found = compared(result({}, summary), result({}, changed)).data
    assert set(found) == {"fingerprint", "rows_read", "schema.amount", "schema.new", "file./data/x.parquet"}
    assert found["rows_read"] == (12, 13)


def test_three_jobs_are_compared_at_once_and_two_lists_must_fit() -> None:
    assert compared(*(result({"a": value}) for value in (1, 1, 2))).request == {"/a": (1, 1, 2)}
    with pytest.raises(ValueError, match="as many results as jobs"):
        compare([job()], [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_a_job_does_not_differ_from_itself(request_: dict[str, Any]) -> None:
    found = compared(result(request_), result(request_))
    assert (found.request, found.data) == ({}, {})
