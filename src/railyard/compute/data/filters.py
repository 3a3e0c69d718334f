"""The ten predicates, as a condition the engine can push into a scan and as a verdict over row-group statistics.

Null satisfies no predicate but IsNull; `NotEq` and `NotIn` skip nulls too. NaN satisfies no comparison either: not even
`NotEq` and `NotIn`; it is no null, so IsNotNull keeps it. Text compares by code point; a date against text compares as
text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from railyard.compute.data.coerce import Cut, Value, cut, kind_of
from railyard.compute.data.problems import wrong_type
from railyard.spec.request import Filter

Operator = Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "null", "not_null", "any", "never"]
"""`any` is every value that compares at all (neither null nor NaN); `never` keeps nothing."""


@dataclass(frozen=True)
class Condition:
    """One filter after coercion: an operator and physical values of the column's own type."""

    column: str
    dtype: pl.DataType
    operator: Operator
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Bounds:
    """What statistics tell of one column in one row group, in the form of Condition's values; None where nothing."""

    rows: int
    low: Any = None
    high: Any = None
    nulls: int | None = None


def condition(given: Filter, dtype: pl.DataType) -> Condition:
    """A filter against the column's type. Raises AttemptError `schema_mismatch` where they do not fit."""
    column, predicate = given.feature_name, given.predicate
    if predicate == "IsNull" or predicate == "IsNotNull" or given.feature_value is None:
        return Condition(column, dtype, "null" if predicate == "IsNull" else "not_null")
    if kind_of(dtype) == "boolean" and predicate not in ("Eq", "NotEq"):
        raise wrong_type(column, dtype, "Eq, NotEq, IsNull or IsNotNull (true and false have no order)", predicate)
    raw = given.feature_value.value
    literals: Sequence[Value] = raw if isinstance(raw, tuple) else (raw,)
    if kind_of(dtype) == "text" and given.feature_value.kind == "timestamp_val":
        raise wrong_type(column, dtype, "a string (string_val, string_vals)", "a timestamp_val")
    cuts = [cut(literal, dtype, column) for literal in literals]
    if kind_of(dtype) == "null":
        return Condition(column, dtype, "never")
    if predicate in ("IsIn", "NotIn"):
        return membership(column, dtype, cuts, wanted=predicate == "IsIn")
    return _comparison(column, dtype, predicate, cuts[0])


def membership(column: str, dtype: pl.DataType, cuts: Sequence[Cut], *, wanted: bool) -> Condition:
    """`in` or `not in` a list; a literal that the type cannot hold equals no value of it."""
    values = tuple(dict.fromkeys(found.value for found in cuts if found.exact))
    if not values:
        return Condition(column, dtype, "never" if wanted else "any")
    return Condition(column, dtype, "in" if wanted else "not_in", values)


def at_least(column: str, dtype: pl.DataType, start: Cut) -> Condition:
    """Values at or after a cut."""
    return _comparison(column, dtype, "GtEq", start)


def at_most(column: str, dtype: pl.DataType, end: Cut) -> Condition:
    """Values at or before a cut."""
    return _comparison(column, dtype, "LtEq", end)


def later_than(column: str, dtype: pl.DataType, end: Cut) -> Condition:
    """Values after a cut."""
    return _comparison(column, dtype, "Gt", end)


def _comparison(column: str, dtype: pl.DataType, predicate: str, where: Cut) -> Condition:
    if where.beyond:
        everything = {"NotEq"} | ({"Gt", "GtEq"} if where.beyond == "below" else {"Lt", "LtEq"})
        return Condition(column, dtype, "any" if predicate in everything else "never")
    on: dict[str, Operator] = {"Eq": "eq", "NotEq": "ne", "Lt": "lt", "LtEq": "le", "Gt": "gt", "GtEq": "ge"}
    between: dict[str, Operator] = {"Eq": "never", "NotEq": "any", "Lt": "le", "LtEq": "le", "Gt": "gt", "GtEq": "gt"}
    operator = (on if where.exact else between)[predicate]
    return Condition(column, dtype, operator, () if operator in ("never", "any") else (where.value,))


def expression(wanted: Condition) -> pl.Expr:
    """The condition as an expression for `filter`: true for the rows to keep, false or null for the others."""
    column = pl.col(wanted.column)
    if wanted.operator == "null":
        return column.is_null()
    if wanted.operator == "not_null":
        return column.is_not_null()
    if wanted.operator == "never":
        return pl.lit(False)
    test = column.is_not_null() if wanted.operator == "any" else _test(wanted, column)
    return test & column.is_not_nan() if wanted.dtype.is_float() else test


def _test(wanted: Condition, column: pl.Expr) -> pl.Expr:
    # Categories compare as their text: an Enum would refuse a literal that is none of its values.
    text = kind_of(wanted.dtype) == "text"
    subject = column.cast(pl.String) if text and wanted.dtype != pl.String else column
    dtype = pl.String() if text else wanted.dtype
    if wanted.operator in ("in", "not_in"):
        among = subject.is_in(pl.lit(_series(wanted.values, dtype)).implode())
        return among if wanted.operator == "in" else ~among
    literal = _literal(wanted.values[0], dtype)
    tests = {"eq": subject.eq, "ne": subject.ne, "lt": subject.lt, "le": subject.le, "gt": subject.gt, "ge": subject.ge}
    return tests[wanted.operator](literal)


def _ticks(dtype: pl.DataType) -> pl.DataType | None:
    """The integer type behind dates and timestamps."""
    return pl.Int32() if dtype == pl.Date else pl.Int64() if isinstance(dtype, pl.Datetime) else None


def _literal(value: Any, dtype: pl.DataType) -> pl.Expr:
    ticks = _ticks(dtype)
    return pl.lit(value, dtype=dtype) if ticks is None else pl.lit(value, dtype=ticks).cast(dtype)


def _series(values: tuple[Any, ...], dtype: pl.DataType) -> pl.Series:
    ticks = _ticks(dtype)
    return pl.Series(values, dtype=dtype) if ticks is None else pl.Series(values, dtype=ticks).cast(dtype)


def may_hold(wanted: Condition, bounds: Bounds) -> bool:
    """False only where statistics prove that no row of the group satisfies the condition."""
    if wanted.operator == "never":
        return False
    if wanted.operator == "null":
        return bounds.nulls != 0
    if bounds.nulls is not None and bounds.nulls >= bounds.rows:
        return False
    if bounds.low is None or bounds.high is None or not wanted.values:
        return True
    value = wanted.values[0]
    verdicts: dict[str, Callable[[], bool]] = {
        "eq": lambda: bounds.low <= value <= bounds.high,
        "lt": lambda: bounds.low < value,
        "le": lambda: bounds.low <= value,
        "gt": lambda: bounds.high > value,
        "ge": lambda: bounds.high >= value,
        "in": lambda: any(bounds.low <= one <= bounds.high for one in wanted.values),
    }
    # ne and not_in: bounds may be rounded (long text), so equal bounds prove nothing.
    return verdicts[wanted.operator]() if wanted.operator in verdicts else True
