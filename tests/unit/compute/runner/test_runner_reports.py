from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from railyard.compute.runner import reports
from railyard.compute.runner.reports import FileReporter, Progress
from railyard.spec.attempt import MetricPoint


def reporter(folder: Path) -> FileReporter:
    return FileReporter(folder / "steps", folder / "metrics")


def points(folder: Path) -> list[MetricPoint]:
    return [MetricPoint.model_validate_json(line) for line in (folder / "metrics").read_text().splitlines()]


def test_a_step_is_seen_from_its_begin_to_its_end(tmp_path: Path) -> None:
    told, progress = reporter(tmp_path), Progress(tmp_path / "steps")
    told.step_started("fetch")
    assert progress.follow(peak_memory=10)
    assert (progress.step, progress.steps[0].finished_at) == ("fetch", None)
    told.progress(0.25)
    assert not progress.follow(peak_memory=20)
    assert progress.fraction == 0.25
    told.step_finished("fetch", 1.5)
    assert progress.follow(peak_memory=30)
    (step,) = progress.steps
    assert (step.seconds, step.peak_memory) == (1.5, 30)
    assert step.finished_at is not None


def test_progress_starts_anew_with_each_step(tmp_path: Path) -> None:
    told, progress = reporter(tmp_path), Progress(tmp_path / "steps")
    told.progress(0.9)
    told.step_started("train")
    progress.follow(0)
    assert progress.fraction is None


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[]", b"null", b'{"started": "nonsense"}', b'{"started": "train"}', b'{"finished": "train", "at": 1}',
     b'{"progress": "much"}', b'{"started": "train", "at": 1e300}', b"\xff\xfe", b'{"started": ["train"], "at": 1}'],
)  # fmt: skip
def test_what_user_code_writes_into_the_file_cannot_hurt(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "steps").write_bytes(line + b"\n")
    progress = Progress(tmp_path / "steps")
    progress.follow(0)
    assert progress.steps == ()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_json_cannot_hold_are_none(tmp_path: Path, value: float) -> None:
    reporter(tmp_path).metric("loss", value, 1)
    assert points(tmp_path)[0].value is None


@pytest.mark.parametrize(
    ("name", "value", "step"),
    [("loss", "much", None), ("loss", None, None), ("loss", 1.0, "third"), ("loss", object(), 1)],
)
def test_a_point_that_is_none_is_dropped_and_counted(tmp_path: Path, name: Any, value: Any, step: Any) -> None:
    told = reporter(tmp_path)
    told.metric(name, value, step)
    told.metric("loss", 1.0, 1)
    assert told.dropped == 1
    assert len(points(tmp_path)) == 1


def test_names_are_kept_storable(tmp_path: Path) -> None:
    reporter(tmp_path).metric("a\x00" + "b" * 1000, 1, None)
    (point,) = points(tmp_path)
    assert len(point.name) == 256
    assert "\x00" not in point.name


def test_points_past_the_limit_are_dropped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MOST_METRIC_BYTES", 200)
    told = reporter(tmp_path)
    for step in range(100):
        told.metric("loss", 0.5, step)
    assert told.dropped + len(points(tmp_path)) == 100
    assert told.dropped > 90


def test_progress_in_a_tight_loop_is_thinned_out_but_its_end_is_told(tmp_path: Path) -> None:
    told = reporter(tmp_path)
    for part in range(1001):
        told.progress(part / 1000)
    lines = (tmp_path / "steps").read_text().splitlines()
    assert len(lines) < 100
    assert json.loads(lines[-1]) == {"progress": 1.0}


@pytest.mark.parametrize("fraction", [float("nan"), "half", None])
def test_progress_that_is_no_number_is_passed_over(tmp_path: Path, fraction: Any) -> None:
    reporter(tmp_path).progress(fraction)
    assert (tmp_path / "steps").read_text() == ""


def test_a_full_disk_costs_points_and_never_raises(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("/dev/full is not here")
    told = FileReporter(full, full)
    told.step_started("train")
    told.metric("loss", 1.0, 1)
    told.progress(0.5)
    assert told.dropped == 3
