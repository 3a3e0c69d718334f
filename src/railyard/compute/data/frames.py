"""Frames in the form a workflow asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import polars as pl

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FrameKind = Literal["pandas", "polars", "arrow"]
_INTEGERS = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")


def convert(frame: pl.DataFrame, kind: FrameKind) -> Any:
    """The rows as a pandas DataFrame, a Polars DataFrame or an Arrow Table.

    Types are kept. In pandas: whole numbers and booleans with nulls become the nullable Int64, boolean and so on, so
    that neither a large id nor a flag turns into a float; dates become datetime64, decimals stay Decimal objects,
    categories stay categories. Memory: `polars` and `arrow` share the frame's own (text is copied for `arrow`);
    `pandas` needs a second copy of everything while both are alive.
    """
    if kind == "polars":
        return frame
    if kind == "arrow":
        return arrow(frame)
    if kind == "pandas":
        return _pandas(frame)
    raise ValueError(f"expected pandas, polars or arrow, got {kind!r}")


def arrow(frame: pl.DataFrame) -> pa.Table:
    """An Arrow Table in types that every Arrow library reads."""
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def _pandas(frame: pl.DataFrame) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    nullable = {
        **{getattr(pa, name.lower())(): getattr(pd, f"{name}Dtype")() for name in _INTEGERS},
        pa.bool_(): pd.BooleanDtype(),
    }
    holes = [
        name
        for name, dtype in frame.schema.items()
        if (dtype.is_integer() or dtype == pl.Boolean) and frame[name].null_count()
    ]
    whole = arrow(frame.drop(holes)).to_pandas(date_as_object=False, split_blocks=True)
    if not holes:
        return whole
    gaps = arrow(frame.select(holes)).to_pandas(types_mapper=nullable.get)
    return pd.concat([whole, gaps], axis=1)[frame.columns] if whole.shape[1] else gaps
