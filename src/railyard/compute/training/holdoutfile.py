"""The per-row evaluation frame: every holdout row with its score, as Parquet, written batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from railyard.compute.workflows.frames import to_table


def score_columns(scores: NDArray[Any], classes: Sequence[Any] | None) -> dict[str, NDArray[Any]]:
    """The columns that scores become.

    (n,): `score`. (n, k) with classes: `score` (the highest), `predicted` (its class) and `score_<class>` for each. (n,
    k) without: `score_0` and so on.
    """
    if scores.ndim == 1:
        return {"score": scores}
    by_class = {f"score_{name}": scores[:, place] for place, name in enumerate(classes or range(scores.shape[1]))}
    if classes is None:
        return by_class
    best = scores.argmax(axis=1)
    return {"score": scores.max(axis=1), "predicted": np.asarray(classes)[best], **by_class}


class HoldoutFile:
    """Writes `holdout.parquet`; a column of the data that has the name of one of ours is kept as `data.<name>`."""

    def __init__(self, path: Path, classes: Sequence[Any] | None) -> None:
        self._path = path
        self._classes = classes
        self._writer: Any = None
        self.renamed: list[str] = []

    def add(self, frame: Any, scores: NDArray[Any] | None) -> None:
        """Appends the rows of one frame with their scores (None: the model does not score)."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        ours = {} if scores is None else score_columns(scores, self._classes)
        table = to_table(frame)
        self.renamed = [name for name in table.column_names if name in ours]
        table = table.rename_columns([f"data.{name}" if name in ours else name for name in table.column_names])
        arrays = {
            name: pa.array(values.tolist() if values.dtype.kind in "OU" else values) for name, values in ours.items()
        }
        table = pa.table({**{name: table.column(name) for name in table.column_names}, **arrays})
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table.cast(self._writer.schema))

    def __enter__(self) -> HoldoutFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
