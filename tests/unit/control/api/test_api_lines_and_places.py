"""Filters of log lines, and the places where a log stream goes on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railyard.control.api.log_lines import LineFilter
from railyard.control.api.streams import LogPlace
from railyard.errors import Invalid
from railyard.spec.records import NumberedLine

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
LINE = NumberedLine(line=1, attempt=1, at=AT, source="stderr", text="Straße: ERROR 7")


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ({}, True),
        ({"source": "stderr"}, True),
        ({"source": "stdout"}, False),
        ({"search": "error"}, True),
        ({"search": "STRASSE"}, True),
        ({"search": "warning"}, False),
        ({"since": AT}, True),
        ({"until": AT}, False),
        ({"source": "stderr", "search": "warning"}, False),
    ],
)
def test_a_line_fits_where_everything_holds(given: dict[str, Any], fits: bool) -> None:
    assert LineFilter(**given).fits(LINE) is fits


def test_only_a_filter_without_a_wish_is_empty() -> None:
    assert LineFilter().empty
    assert not LineFilter(search="x").empty


@given(st.none() | st.integers(1, 10**6), st.integers(0, 10**12))
def test_a_place_comes_back_from_its_text(attempt: int | None, line: int) -> None:
    assert LogPlace.parse(str(LogPlace(attempt, line))) == LogPlace(attempt, line)


@pytest.mark.parametrize("text", ["", "-", "-1", "1-", "a", "1-a", "a-1", "1.5", "١", "9" * 30, "1-2-3"])
def test_anything_else_is_no_place(text: str) -> None:
    with pytest.raises(Invalid, match="no place in a log"):
        LogPlace.parse(text)
