"""The splits a training works on, whatever holds them: one frame, or batches that are walked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from railyard.compute.data.reader import Reader
from railyard.compute.training.prepare import Prepared
from railyard.compute.training.usercode import user_code, wrong_return
from railyard.compute.workflows.batches import Batches
from railyard.compute.workflows.frames import column_of, columns_of, head, kind_of, rows_of, take
from railyard.compute.workflows.workflow import overrides
from railyard.errors import AttemptError
from railyard.spec.attempt import DataAccess
from railyard.spec.result import DataSummary

MOST_TRAINING_ROWS_SCORED = 100_000
"""Metrics of the training split rest on at most this many of its rows."""


@dataclass(frozen=True)
class Splits:
    training: Any
    holdout: Any
    """None without a holdout."""
    summary: DataSummary | None
    snapshots: tuple[Path, ...]
    """Results of SQL sources as Parquet: what makes the job repeatable."""
    slices: dict[str, Any]
    """Slice columns of the holdout that preprocess took away, by name."""
    warnings: tuple[str, ...] = ()


def fetch_splits(prepared: Prepared, access: DataAccess, scratch: Path) -> Splits:
    """The splits after `fetch` and `preprocess`.

    Raises AttemptError: what the reader finds, `user_code`, `empty_train`, `empty_holdout`.
    """
    workflow, project = prepared.workflow, prepared.project
    reader = Reader(prepared.request, access, scratch=scratch, derived=workflow.derives)
    with user_code("fetch", project, only_with_user_frames=True):
        fetched = workflow.fetch(reader)
    if not isinstance(fetched, tuple) or len(fetched) != 2 or fetched[0] is None:
        raise wrong_return("fetch", "two splits, (training, holdout)", fetched)
    training = _preprocess(prepared, fetched[0])
    holdout = None if fetched[1] is None else _preprocess(prepared, fetched[1])
    _refuse_empty("empty_train", "the training split", training)
    if holdout is not None:
        _refuse_empty("empty_holdout", "the holdout", holdout)
    summary = _summary(prepared, reader)
    snapshots = reader.snapshots() if summary else ()
    kept = _kept_slices(prepared, fetched[1], holdout)
    return Splits(training, holdout, summary, snapshots, kept, _other_counts(fetched, summary))


def chunks(split: Any) -> Iterator[Any]:
    """The frames of a split: itself, or each of its batches."""
    if isinstance(split, Batches):
        yield from split
    else:
        yield split


def sample(split: Any, most: int, seed: int) -> Any:
    """At most `most` rows: chosen by the seed and in their order; of batches the first ones."""
    if isinstance(split, Batches):
        return _first_rows(split, most)
    rows = rows_of(split)
    if rows is None or rows <= most:
        return split
    return take(split, np.sort(np.random.default_rng(seed).choice(rows, most, replace=False)))


def first_chunk(split: Any, most: int) -> Any:
    """At most `most` rows from the beginning of a split, out of its first batch where it has batches."""
    frame = next(iter(chunks(split)))
    rows = rows_of(frame)
    return frame if rows is None or rows <= most else head(frame, most)


def _first_rows(batches: Batches, most: int) -> Any:
    """The first rows of a stream as one Batches, so that the stream's own form of a frame is kept."""
    kept, rows = [], 0
    for batch in batches:
        count = rows_of(batch) or 0
        kept.append(batch if rows + count <= most else head(batch, most - rows))
        rows += count
        if rows >= most:
            break
    return Batches(lambda: iter(kept))


def _summary(prepared: Prepared, reader: Reader) -> DataSummary | None:
    """Counts and fingerprint; None where a fetch of the workflow's own read something else than the request names."""
    try:
        return reader.summary()
    except AttemptError:
        if overrides(type(prepared.workflow), "fetch"):
            return None
        raise


def _other_counts(fetched: tuple[Any, Any], summary: DataSummary | None) -> tuple[str, ...]:
    """A warning where a fetch of the workflow's own handed over other rows than those that are counted."""
    if summary is None:
        return ()
    counted = (summary.rows_train, summary.rows_holdout)
    given = tuple(0 if split is None else rows_of(split) for split in fetched)
    if None in given or given == counted:
        return ()
    return (
        f"fetch handed over {given[0]} training and {given[1]} holdout rows; "
        f"the counts of the data are those of the request, {counted[0]} and {counted[1]}",
    )


def _preprocess(prepared: Prepared, split: Any) -> Any:
    workflow = prepared.workflow
    if not overrides(type(workflow), "preprocess"):
        return split
    if isinstance(split, Batches):
        return split.map(workflow.preprocess)
    with user_code("preprocess", prepared.project):
        frame = workflow.preprocess(split)
    if frame is None:
        raise wrong_return("preprocess", "a frame", frame)
    return frame


def _refuse_empty(reason: Any, what: str, split: Any) -> None:
    if not isinstance(split, Batches) and rows_of(split) == 0:
        raise AttemptError(
            reason,
            f"{what} has no rows after fetch and preprocess",
            mend="loosen the filters or move the holdout's bounds; `railyard train --dry-run` estimates the rows",
        )


def _kept_slices(prepared: Prepared, before: Any, after: Any) -> dict[str, Any]:
    if before is None or isinstance(before, Batches) or kind_of(before) == "other" or rows_of(before) != rows_of(after):
        return {}
    there, now = columns_of(before), columns_of(after)
    wanted = prepared.request.evaluation.slices
    return {name: column_of(before, name) for name in wanted if name in there and name not in now}
