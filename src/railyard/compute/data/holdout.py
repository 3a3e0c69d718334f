"""Which rows form the holdout. Filters come first; the holdout is cut out of what they leave; the rest is training.

Every rule gives the same answer on every machine and with every library version:

DATE_RANGE  rows with start_date ≤ date ≤ end_date, both ends included, by the coercion that filters use.
RANDOM      a row is known by its file's key (path relative to the source) and its number in the file, from 0.
            u = mix(first8(sha256("railyard-holdout-random-1" NUL seed NUL key)) + (row + 1) · 0x9E3779B97F4A7C15),
            modulo 2^64, where mix is SplitMix64's finaliser; holdout where u < fraction · 2^64.
HASH        u = first8(sha256("railyard-holdout-hash-1" NUL salt NUL canonical text of the key));
            holdout where u < fraction · 2^64.
COLUMN      rows whose column equals one of holdout_values.
NONE        no holdout; as if the block were absent.

first8 reads eight bytes big-endian; NUL is one zero byte. A null date, key or value, and NaN, goes to training.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from railyard.compute.data.coerce import PER_SECOND, cut, kind_of, show_instant
from railyard.compute.data.filters import Condition, at_least, at_most, expression, later_than, membership
from railyard.compute.data.problems import mismatch, wrong_type
from railyard.compute.data.table import ROW
from railyard.spec.request import DateRangeSampling, HashSampling, HoldoutSampling, RandomSampling

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_PLAIN_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Splitter:
    """The holdout rule of a request."""

    mask: Callable[[pl.DataFrame, str], pl.Series]
    """(rows with ROW, key of their file) → true where the row belongs to the holdout; never null."""
    column: str | None = None
    """The column the rule reads."""
    after: Condition | None = None
    """Rows later than a DATE_RANGE."""
    described: str = ""
    """The rule in words, for an error."""


def splitter(sampling: HoldoutSampling | None, schema: pl.Schema) -> Splitter | None:
    """The rule against the columns' types, or None where there is no holdout. Raises AttemptError `schema_mismatch`."""
    if sampling is None:
        return None
    if sampling.date_range_sampling:
        return _date_range(sampling.date_range_sampling, schema[sampling.date_range_sampling.date_column])
    if sampling.random_sampling:
        return _random(sampling.random_sampling)
    if sampling.hash_sampling:
        return _hash(sampling.hash_sampling, schema[sampling.hash_sampling.column])
    if sampling.column_sampling:
        block = sampling.column_sampling
        dtype = schema[block.column]
        cuts = [cut(value, dtype, block.column) for value in block.holdout_values]
        wanted = (
            Condition(block.column, dtype, "never")
            if kind_of(dtype) == "null"
            else membership(block.column, dtype, cuts, wanted=True)
        )
        shown = ", ".join(str(value) for value in block.holdout_values)
        return Splitter(_by_expression([wanted]), block.column, described=f"{block.column} is one of {shown}")
    return None


def _by_expression(conditions: Iterable[Condition]) -> Callable[[pl.DataFrame, str], pl.Series]:
    tests = pl.all_horizontal([expression(wanted).fill_null(False) for wanted in conditions]).alias("holdout")

    def mask(frame: pl.DataFrame, _: str) -> pl.Series:
        found = frame.select(tests).to_series()
        # A literal alone has one row, whatever the frame's height.
        return found if len(found) == frame.height else pl.repeat(found[0], frame.height, dtype=pl.Boolean, eager=True)

    return mask


def _date_range(block: DateRangeSampling, dtype: pl.DataType) -> Splitter:
    column = block.date_column
    kind = kind_of(dtype)
    described = f"{column} from {block.start_date} to {block.end_date}, both included"
    if kind not in ("date", "datetime", "text"):
        raise wrong_type(column, dtype, "a Date or Datetime column for DATE_RANGE", "another type")
    start, end = cut(block.start_date, dtype, column), cut(block.end_date, dtype, column)
    inside = _by_expression([at_least(column, dtype, start), at_most(column, dtype, end)])
    later = later_than(column, dtype, end)
    if kind != "text":
        return Splitter(inside, column, later, described)
    if not (_PLAIN_DATE.fullmatch(block.start_date) and _PLAIN_DATE.fullmatch(block.end_date)):
        raise wrong_type(
            column, dtype, "plain dates (YYYY-MM-DD) in date_range_sampling, as the column holds text", described
        )

    def mask(frame: pl.DataFrame, key: str) -> pl.Series:
        _only_plain_dates(frame[column], column)
        return inside(frame, key)

    return Splitter(mask, column, later, described)


def _only_plain_dates(texts: pl.Series, column: str) -> None:
    """Text orders as dates only where all of it is YYYY-MM-DD: a time of day would fall out at the end of the range."""
    other = texts.drop_nulls().cast(pl.String)
    other = other.filter(~other.str.contains(r"^\d{4}-\d{2}-\d{2}$"))
    if len(other):
        raise mismatch(
            f"column {column} is {texts.dtype}: DATE_RANGE on text needs every value as YYYY-MM-DD, found {other[0]!r}",
            "write the column as a Date or Datetime",
            column=column,
            type=str(texts.dtype),
            found=str(other[0]),
        )


def _random(block: RandomSampling) -> Splitter:
    def mask(frame: pl.DataFrame, key: str) -> pl.Series:
        rows = frame[ROW].cast(pl.UInt64).to_numpy()
        return pl.Series("holdout", random_numbers(block.seed, key, rows) < np.uint64(threshold(block.fraction)))

    return Splitter(mask, described=f"a random {block.fraction:g} of the rows, seed {block.seed}")


def _hash(block: HashSampling, dtype: pl.DataType) -> Splitter:
    column, below = block.column, threshold(block.fraction)
    if kind_of(dtype) == "other":
        raise wrong_type(column, dtype, "a key of text, numbers, booleans or dates for HASH", "another type")

    def mask(frame: pl.DataFrame, _: str) -> pl.Series:
        keys = frame[column].unique()
        texts = canonical_texts(keys)
        hit = [text is not None and hash_number(block.salt, text) < below for text in texts]
        table = pl.DataFrame({"key": keys, "holdout": pl.Series(hit, dtype=pl.Boolean)})
        rows = pl.DataFrame({"key": frame[column]})
        return rows.join(table, on="key", how="left", maintain_order="left")["holdout"].fill_null(False)

    salted = f", salt {block.salt!r}" if block.salt else ""
    return Splitter(mask, column, described=f"{block.fraction:g} of the values of {column} by hash{salted}")


def threshold(fraction: float) -> int:
    """fraction · 2^64 as a whole number; exact, because a float times a power of two is."""
    return int(fraction * 2.0**64)


def _first8(*texts: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(texts).encode()).digest()[:8], "big")


def random_numbers(
    seed: int, key: str, rows: np.ndarray[Any, np.dtype[np.uint64]]
) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The number behind each row of a file for RANDOM, uniform over 64 bits."""
    with np.errstate(over="ignore"):
        mixed = np.uint64(_first8("railyard-holdout-random-1", str(seed), key)) + (rows + np.uint64(1)) * _GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def hash_number(salt: str, text: str) -> int:
    """The number behind a key's canonical text for HASH, uniform over 64 bits."""
    return _first8("railyard-holdout-hash-1", salt, text)


def canonical_texts(keys: pl.Series) -> list[str | None]:
    """The text that a key is hashed by, the same whatever width, unit or zone the column's type has; None for null and
    NaN.

    Text: itself. Whole numbers, also those of float and decimal columns: decimal digits. Other floats: the shortest
    text that reads back as the same 64-bit float (Python's repr). Other decimals: plain digits without trailing zeros.
    Booleans: `true`, `false`. Dates: YYYY-MM-DD. Timestamps: UTC with nine digits, such as
    2018-01-31T00:00:00.000000000Z.
    """
    dtype = keys.dtype
    kind = kind_of(dtype)
    if kind == "text":
        return list(keys.cast(pl.String).to_list())
    if isinstance(dtype, pl.Datetime):
        scale = 10**9 // PER_SECOND[dtype.time_unit]
        return [None if tick is None else show_instant(tick * scale) for tick in keys.to_physical().to_list()]
    if kind == "date":
        return [None if day is None else show_instant(day * 86400 * 10**9)[:10] for day in keys.to_physical().to_list()]
    return [None if value is None else _number(value) for value in keys.to_list()]


def _number(value: bool | int | float | Decimal) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if value != value:
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text) if value else "0"
    return str(value)
