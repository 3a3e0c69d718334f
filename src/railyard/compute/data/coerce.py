"""The one coercion of a request's values to a column's type, for filters and holdout alike.

Dates: `2018-01-01` is that day's midnight in UTC; a timestamp without a zone is read as UTC, in the request and in the
column. A literal that the column's type cannot hold exactly (10.5 against integers, noon against dates, nanoseconds
against milliseconds) still compares exactly: it becomes a cut between two values of the type. A float literal against a
32-bit column is first rounded to 32 bits, so that `Eq 0.1` finds the 0.1 that was stored.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Any, Literal

import polars as pl

from railyard.compute.data.problems import wrong_type

Kind = Literal["date", "datetime", "text", "integer", "float", "decimal", "boolean", "null", "other"]
Value = str | int | float | bool

PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86400 * 10**9
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?:(Z)|([+-])(\d{2}):?(\d{2}))?)?"
)
_F32_MAX = 3.4028234663852886e38


@dataclass(frozen=True)
class Cut:
    """Where a literal lies among the values that a column's type can hold."""

    value: Any
    """The greatest value of the type that is not above the literal; None beyond the range.

    In physical form: days, ticks, numbers, text.
    """
    exact: bool = True
    """False where the literal lies between `value` and the next value of the type."""
    beyond: Literal["", "below", "above"] = ""
    """Set where the literal lies outside everything that the type can hold."""


def kind_of(dtype: pl.DataType) -> Kind:
    """The family of a column's type, as far as comparing goes."""
    if dtype == pl.Date:
        return "date"
    if isinstance(dtype, pl.Datetime):
        return "datetime"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "text"
    if isinstance(dtype, pl.Decimal):
        return "decimal"
    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "float"
    if dtype == pl.Boolean:
        return "boolean"
    return "null" if dtype == pl.Null else "other"


EXPECTED: dict[Kind, str] = {
    "date": "a date such as 2018-01-01 (string_val or timestamp_val)",
    "datetime": "a date or timestamp such as 2018-01-01 or 2018-01-01T12:00:00Z (string_val or timestamp_val)",
    "text": "a string (string_val, string_vals)",
    "integer": "a number (int_val, float_val, int_vals, float_vals)",
    "float": "a number (int_val, float_val, int_vals, float_vals)",
    "decimal": "a number (int_val, float_val, int_vals, float_vals)",
    "boolean": "true or false (bool_val)",
    "null": "any value",
    "other": "no value at all: only IsNull and IsNotNull work on this type",
}


def parse_instant(text: str) -> int:
    """Nanoseconds since 1970 in UTC of `YYYY-MM-DD` (midnight) or an ISO 8601 timestamp (UTC where it names no zone).

    Raises ValueError for anything else, such as 30 February.
    """
    found = _INSTANT.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a date")
    day, hour, minute, second, fraction, _, sign, zone_hour, zone_minute = found.groups()
    whole = datetime.combine(date.fromisoformat(day), datetime.min.time(), tzinfo=UTC).replace(
        hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0)
    )
    offset = 0
    if sign:
        if int(zone_hour) > 23 or int(zone_minute) > 59:
            raise ValueError(f"{text!r} has no such zone")
        offset = (int(zone_hour) * 3600 + int(zone_minute) * 60) * (1 if sign == "+" else -1)
    seconds = (whole - _EPOCH).days * 86400 + (whole - _EPOCH).seconds - offset
    return seconds * 10**9 + int((fraction or "0").ljust(9, "0"))


def show_instant(nanoseconds: int) -> str:
    """ISO 8601 in UTC with nine digits of a second: the canonical text of an instant, whatever the column's unit and
    zone.

    Outside the years 1 to 9999, which ISO 8601 cannot write, it is the nanoseconds themselves, such as
    `-99999999999999999999ns`.
    """
    seconds, rest = divmod(nanoseconds, 10**9)
    days, of_day = divmod(seconds, 86400)
    ordinal = _EPOCH.toordinal() + days
    if not 1 <= ordinal <= date.max.toordinal():
        return f"{nanoseconds}ns"
    day = date.fromordinal(ordinal).isoformat()
    return f"{day}T{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}.{rest:09}Z"


def cut(value: Value, dtype: pl.DataType, column: str) -> Cut:
    """A value of the request among those of the column's type.

    Raises AttemptError `schema_mismatch` with the column's type.
    """
    kind = kind_of(dtype)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in ("date", "datetime") and isinstance(value, str):
        return _instant(value, dtype, column)
    if kind == "text" and isinstance(value, str):
        return Cut(value)
    if kind == "boolean" and isinstance(value, bool):
        return Cut(value)
    if kind == "integer" and number:
        return _integer(value, dtype)
    if kind == "float" and number:
        return _float(float(value), dtype)
    if kind == "decimal" and number:
        return _decimal(value, dtype)
    if kind == "null":
        return Cut(None)
    raise wrong_type(column, dtype, EXPECTED[kind], _shown(value))


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    return f"the string {value!r}" if isinstance(value, str) else f"the number {value}"


def _instant(text: str, dtype: pl.DataType, column: str) -> Cut:
    try:
        nanoseconds = parse_instant(text)
    except ValueError:
        raise wrong_type(column, dtype, EXPECTED[kind_of(dtype)], f"the string {text!r}") from None
    if not isinstance(dtype, pl.Datetime):
        days, rest = divmod(nanoseconds, _DAY)
        return Cut(days, rest == 0)
    ticks, rest = divmod(nanoseconds, 10**9 // PER_SECOND[dtype.time_unit])
    return _bounded(ticks, rest == 0, -(2**63) + 1, 2**63 - 1)


def _integer(value: Any, dtype: pl.DataType) -> Cut:
    bits = int(str(dtype).lstrip("UInt"))
    low, high = (0, 2**bits - 1) if str(dtype).startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return _bounded(math.floor(value), math.floor(value) == value, low, high)


def _float(value: float, dtype: pl.DataType) -> Cut:
    if dtype == pl.Float32:
        if abs(value) > _F32_MAX:
            return Cut(_F32_MAX if value > 0 else -math.inf, exact=False)
        rounded: float = struct.unpack("f", struct.pack("f", value))[0]
        return Cut(rounded)
    return Cut(value)


def _decimal(value: Any, dtype: pl.DataType) -> Cut:
    assert isinstance(dtype, pl.Decimal)
    # repr is the shortest text that means this float: 0.1 in the request is the decimal 0.1.
    exact = Decimal(repr(value))
    unit = Decimal(1).scaleb(-dtype.scale)
    context = Context(prec=400)
    floor = exact.quantize(unit, rounding=ROUND_FLOOR, context=context)
    most = Decimal(10 ** (dtype.precision or 38) - 1).scaleb(-dtype.scale, context=context)
    return _bounded(floor, floor == exact, -most, most)


def _bounded(floor: Any, exact: bool, low: Any, high: Any) -> Cut:
    if floor < low:
        return Cut(None, exact=False, beyond="below")
    if floor > high or (floor == high and not exact):
        return Cut(None, exact=False, beyond="above")
    return Cut(floor, exact)
