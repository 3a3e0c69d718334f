"""The few things the platform does to a frame, whichever library it is of.

Imports no pandas and no pyarrow before a frame is there.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from railyard.compute.data.frames import arrow

Kind = Literal["pandas", "polars", "arrow", "other"]


def kind_of(frame: Any) -> Kind:
    """The library of a frame; `other` for anything that is no table of named columns."""
    names = {f"{one.__module__.split('.')[0]}.{one.__name__}" for one in type(frame).__mro__}
    if "pandas.DataFrame" in names:
        return "pandas"
    if "polars.DataFrame" in names:
        return "polars"
    return "arrow" if names & {"pyarrow.Table", "pyarrow.RecordBatch"} else "other"


def rows_of(frame: Any) -> int | None:
    """The number of rows; None where the object does not tell."""
    if kind_of(frame) == "arrow":
        return int(frame.num_rows)
    try:
        return len(frame)
    except TypeError:
        return None


def columns_of(frame: Any) -> list[str]:
    """The names of the columns, in order; empty for `other`."""
    kind = kind_of(frame)
    if kind == "arrow":
        return list(frame.schema.names)
    return [str(name) for name in frame.columns] if kind != "other" else []


def column_of(frame: Any, name: str) -> NDArray[Any]:
    """One column as a numpy array (n,)."""
    if kind_of(frame) == "arrow":
        return np.asarray(frame.column(name).to_numpy(zero_copy_only=False))
    return np.asarray(frame[name])


def select(frame: Any, names: list[str]) -> Any:
    """The named columns, in that order, as a frame of the same library."""
    return frame[names] if kind_of(frame) == "pandas" else frame.select(names)


def own_copy(frame: Any) -> Any:
    """The same rows for a hook to keep: what it adds, drops or writes does not reach `frame`. Shares the memory.

    Before pandas 3, values written in place are the exception.
    """
    kind = kind_of(frame)
    if kind == "pandas":
        return frame.copy(deep=False)
    return frame.clone() if kind == "polars" else frame


def take(frame: Any, rows: NDArray[np.int64]) -> Any:
    """The rows at these positions. `other` is indexed row by row into a list."""
    kind = kind_of(frame)
    if kind == "pandas":
        return frame.iloc[rows]
    if kind == "polars":
        return frame[rows]
    return frame.take(rows) if kind == "arrow" else [frame[int(row)] for row in rows]


def head(frame: Any, rows: int) -> Any:
    """At most the first `rows` rows."""
    kind = kind_of(frame)
    if kind == "pandas":
        return frame.iloc[:rows]
    if kind == "polars":
        return frame.head(rows)
    return frame.slice(0, rows) if kind == "arrow" else frame[:rows]


def dtypes_of(frame: Any) -> dict[str, str]:
    """Column to type, as the frame's own library names it."""
    kind = kind_of(frame)
    if kind == "pandas":
        return {str(name): str(dtype) for name, dtype in zip(frame.columns, frame.dtypes, strict=True)}
    if kind == "polars":
        return {name: str(dtype) for name, dtype in frame.schema.items()}
    return {one.name: str(one.type) for one in frame.schema} if kind == "arrow" else {}


def has_nulls(frame: Any, name: str) -> bool:
    """Whether a column holds a missing value (None, NaN, NaT)."""
    kind = kind_of(frame)
    if kind == "pandas":
        return bool(frame[name].isna().to_numpy().any())
    column = frame.column(name) if kind == "arrow" else frame[name]
    if kind == "arrow":
        return bool(column.null_count)
    return bool(column.null_count()) or (column.dtype.is_float() and bool(column.is_nan().any()))


def for_model(frame: Any) -> Any:
    """A frame that models read: Arrow becomes pandas, or Polars where pandas is not installed."""
    if kind_of(frame) != "arrow":
        return frame
    if importlib.util.find_spec("pandas") is not None:
        return frame.to_pandas()
    import polars

    return polars.from_arrow(frame)


def to_table(frame: Any) -> Any:
    """A pyarrow Table of the frame, row for row; a column that Arrow cannot type is written as text."""
    import pyarrow as pa

    kind = kind_of(frame)
    if kind == "polars":
        return arrow(frame)
    if kind == "arrow":
        return frame if isinstance(frame, pa.Table) else pa.Table.from_batches([frame])
    if kind == "other":
        return pa.table({})
    arrays = {}
    for position, name in enumerate(frame.columns):
        series = frame.iloc[:, position]
        try:
            arrays[str(name)] = pa.array(series, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            arrays[str(name)] = pa.array(
                [None if missing else str(value) for value, missing in zip(series, series.isna(), strict=True)]
            )
    return pa.table(arrays)
