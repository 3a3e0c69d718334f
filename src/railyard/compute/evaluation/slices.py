"""Metrics by value of a column: where a model is good and where it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from railyard.compute.evaluation.columns import column
from railyard.compute.evaluation.scored import Scored
from railyard.errors import Invalid

MOST_VALUES = 50
"""Values shown of each column, the most frequent first."""

Measure = Callable[[Scored], dict[str, float | None]]


def by_slice(
    scored: Scored, columns: Mapping[str, Any], labelled: NDArray[np.bool_], measure: Measure
) -> dict[str, Any]:
    """`{column: {values: [{value, n, metrics}], distinct, rows_not_shown}}`; missing values are a slice, null.

    `labelled` is the mask of the rows that scored holds among those of the columns.
    """
    return {name: _slice(scored, name, values, labelled, measure) for name, values in columns.items()}


def _slice(scored: Scored, name: str, values: Any, labelled: NDArray[np.bool_], measure: Measure) -> dict[str, Any]:
    if len(values) != len(labelled):
        raise Invalid(f"the slice column {name} has {len(values)} rows, the label {len(labelled)}", code="bad_slice")
    array, missing = column(values)
    array, missing = array[labelled], missing[labelled]
    distinct, inverse = np.unique(array[~missing], return_inverse=True)
    codes = np.full(len(array), len(distinct))
    codes[~missing] = inverse
    counts = np.bincount(codes, minlength=len(distinct) + 1)
    shown = [code for code in np.argsort(-counts, kind="stable")[:MOST_VALUES].tolist() if counts[code]]
    entries = []
    for code in shown:
        value = distinct[code].item() if code < len(distinct) else None
        part = scored.take(codes == code)
        entries.append({"value": value, "n": part.n, "metrics": measure(part)})
    return {
        "values": entries,
        "distinct": int((counts > 0).sum()),
        "rows_not_shown": int(counts.sum() - counts[shown].sum()),
    }
