"""Counting what a reading gives, and saying why a split came out empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from railyard.compute.data.filters import expression
from railyard.compute.data.holdout import Splitter
from railyard.errors import AttemptError
from railyard.spec.request import Filter


@dataclass
class Tally:
    """Rows seen so far, after the filters."""

    rows: int = 0
    holdout: int = 0
    after: int = 0
    """Training rows later than a DATE_RANGE."""
    nulls: int = 0
    """Rows without the value that the rule needs."""
    earliest: Any = None
    latest: Any = None

    @property
    def training(self) -> int:
        """Rows of the training set."""
        return self.rows - self.holdout

    def add(self, frame: pl.DataFrame, mask: pl.Series | None, rule: Splitter | None) -> None:
        """Counts one piece of the rows with its split."""
        self.rows += frame.height
        if mask is None or rule is None:
            return
        self.holdout += int(mask.sum())
        if rule.column is None:
            return
        values = frame[rule.column]
        self.nulls += values.null_count()
        if rule.after is not None:
            self.after += frame.filter(expression(rule.after)).height
            lowest, highest = values.min(), values.max()
            self.earliest = min((one for one in (self.earliest, lowest) if one is not None), default=None)
            self.latest = max((one for one in (self.latest, highest) if one is not None), default=None)

    def check(self, rows_read: int, filters: Sequence[Filter], rule: Splitter | None) -> None:
        """Raises AttemptError `empty_train` or `empty_holdout` with the counts and the reason."""
        if self.rows == 0:
            raise self._no_rows(rows_read, filters)
        if rule is None or (self.training and self.holdout):
            return
        span = ""
        if rule.after is not None and self.earliest is not None:
            span = f"; {rule.column} of these rows goes from {self.earliest} to {self.latest}"
        if self.nulls:
            span += f"; {self.nulls} of them have no {rule.column}"
        if self.training == 0:
            message = f"nothing is left to train on: the holdout ({rule.described}) takes all of"
            mend = "make the holdout smaller, or loosen the filters"
        else:
            message = f"the holdout ({rule.described}) is empty: it takes none of"
            mend = "move the holdout to where rows are, or use the sampling function NONE to go without"
        raise AttemptError(
            "empty_holdout" if self.training else "empty_train",
            f"{message} the {self.rows} rows that the filters leave{span}",
            mend=mend,
            evidence={
                "rows_read": rows_read,
                "rows_after_filters": self.rows,
                "rows_holdout": self.holdout,
                "earliest": None if self.earliest is None else str(self.earliest),
                "latest": None if self.latest is None else str(self.latest),
            },
        )

    def _no_rows(self, rows_read: int, filters: Sequence[Filter]) -> AttemptError:
        shown = " and ".join(_shown(given) for given in filters)
        why = f"none of {rows_read} rows satisfies {shown}" if rows_read and filters else "the source holds no row"
        return AttemptError(
            "empty_train",
            f"nothing is left to train on: {why}",
            mend="loosen the filters, or check their values against the data",
            evidence={"rows_read": rows_read, "rows_after_filters": 0},
        )

    def warnings(self, rule: Splitter | None) -> list[str]:
        """What a reader of the result should know about the split."""
        if rule is None:
            return []
        found = []
        if self.after:
            found.append(f"{self.after} training rows are later than the holdout ({rule.described}): a possible leak")
        if self.nulls:
            found.append(f"{self.nulls} rows without {rule.column} went to training")
        return found


def _shown(given: Filter) -> str:
    value = given.feature_value.value if given.feature_value else None
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
    return f"{given.feature_name} {given.predicate} {shown}".strip()
