"""Columns of any library as numpy arrays, with the missing rows told apart."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from railyard.compute.evaluation.scored import ClassName
from railyard.errors import Invalid

_MISSING_TYPES = frozenset({"NoneType", "NAType", "NaTType"})


def column(values: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A column of n values (numpy, pandas, Polars, Arrow, a list) as an array of bool, integers, float64 or text.

    The second array (n,) marks the missing ones: None, NaN, `pandas.NA`, NaT. What the first holds there is
    meaningless. Raises Invalid for anything that is not one column.
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise Invalid(f"expected one column, got an array of shape {array.shape}", code="bad_label")
    kind = array.dtype.kind
    if kind == "O":
        return _from_objects(array)
    if kind == "f":
        return array.astype(np.float64), np.isnan(array)
    if kind in "mM":
        return array.astype(str), np.isnat(array)
    return array if kind in "biuU" else array.astype(str), np.zeros(len(array), dtype=bool)


def plain(value: Any) -> ClassName:
    """One value as JSON has it; whole floats become integers, so that 1.0 and 1 name the same class."""
    own = value.item() if isinstance(value, np.generic) else value
    if isinstance(own, float) and own.is_integer():
        return int(own)
    return own if isinstance(own, str | int | float | bool) else str(own)


def _from_objects(array: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    missing = np.fromiter((_is_missing(value) for value in array), dtype=bool, count=len(array))
    present = array[~missing].tolist()
    kinds = {type(value) for value in present}
    dtype: Any = str
    if all(issubclass(kind, bool | np.bool_) for kind in kinds):
        dtype = bool
    elif all(issubclass(kind, bool | int | np.integer) for kind in kinds):
        dtype = np.int64
    elif all(issubclass(kind, bool | int | float | np.number | Decimal) for kind in kinds):
        dtype = np.float64
    try:
        converted = np.asarray(present, dtype=dtype)
    except OverflowError:
        converted = np.asarray(present, dtype=np.float64)
    filled = np.zeros(len(array), dtype=converted.dtype)
    filled[~missing] = converted
    return filled, missing


def _is_missing(value: Any) -> bool:
    if type(value).__name__ in _MISSING_TYPES:
        return True
    return isinstance(value, float | np.floating | Decimal) and bool(value != value)
