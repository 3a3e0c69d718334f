"""Charts and words of the plain pages."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railyard.control.api import examples
from railyard.control.api.pages import words
from railyard.control.api.pages.charts import HEIGHT, MOST_POINTS, WIDTH, chart, thinned
from railyard.spec.records import Job
from railyard.spec.result import Metrics

_NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-1e308, 1e308)


@given(st.lists(st.tuples(_NUMBERS, _NUMBERS), max_size=50))
def test_every_chart_is_well_formed_and_stays_inside(points: list[tuple[float, float]]) -> None:
    svg = chart({"loss": points}, x="step", y="loss")
    if not svg:
        return
    root = ElementTree.fromstring(str(svg))
    for line in root.iter("polyline"):
        for pair in line.attrib["points"].split():
            across, down = map(float, pair.split(","))
            assert 0 <= across <= WIDTH
            assert 0 <= down <= HEIGHT


def test_nothing_is_drawn_of_nothing() -> None:
    assert chart({"loss": [], "nan": [(float("nan"), 1.0)]}, x="step", y="loss") == ""


def test_one_point_is_a_dot_and_a_level_line_has_room() -> None:
    assert "<circle" in chart({"loss": [(1.0, 2.0)]}, x="step", y="loss")
    assert "<polyline" in chart({"loss": [(1.0, 2.0), (2.0, 2.0)]}, x="step", y="loss")


def test_a_metrics_name_cannot_leave_its_label() -> None:
    svg = str(chart({"x": [(0.0, 0.0), (1.0, 1.0)]}, x="<script>", y='"><script>'))
    assert "<script>" not in svg
    ElementTree.fromstring(svg)


@given(st.integers(0, 3000))
def test_thinning_keeps_both_ends_and_the_order(count: int) -> None:
    line = [(float(place), 0.0) for place in range(count)]
    found = thinned(line)
    assert len(found) == min(count, MOST_POINTS)
    assert found == sorted(found)
    if count:
        assert (found[0], found[-1]) == (line[0], line[-1])


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 m 00 s"), (250, "4 m 10 s"), (3725, "1 h 02 m")],
)
def test_durations(value: float | None, text: str) -> None:
    assert words.seconds(value) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(None, "–"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**41, "2.0 TiB")]
)
def test_sizes(amount: int | None, text: str) -> None:
    assert words.size(amount) == text


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        (Metrics(), "–"),
        (Metrics(train={"auc": 0.94}, holdout={"n": 10.0, "log_loss": 0.2, "auc": 0.912}), "auc 0.912"),
        (Metrics(train={"rmse": 3.0}, holdout={"n": 10.0, "auc": None}), "rmse 3"),
        (Metrics(holdout={"mine": 1.0}), "mine 1"),
    ],
)
def test_the_headline_is_the_metric_that_people_look_for(metrics: Metrics, text: str) -> None:
    job = Job.model_validate(examples.JOB).model_copy(update={"metrics": metrics})
    assert words.headline(job) == text


def test_a_job_that_runs_has_taken_until_now() -> None:
    job = Job.model_validate(examples.JOB).model_copy(update={"finished_at": None})
    assert words.took(job, datetime(2026, 11, 21, 9, 13, 1, tzinfo=UTC)) == "1 m 00 s"


def test_long_evidence_is_cut() -> None:
    assert len(words.short("x" * 1000)) == 300
    assert words.short({"peak": 1}) == '{"peak": 1}'
