"""Lengths of time as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from railyard.client.durations import moment, seconds
from railyard.errors import Invalid

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("90", 90), ("90s", 90), ("1h30m", 5400), ("2d", 172800), (" 1.5h ", 5400), (0, 0), (2.5, 2.5), ("1w", 604800)],
)
def test_a_length_of_time_is_read(text: str | float, wanted: float) -> None:
    assert seconds(text) == wanted


@pytest.mark.parametrize("text", ["", "h", "2 hours", "-1", "1h x", "1y", "2h-", -1])
def test_other_words_are_refused(text: str | float) -> None:
    with pytest.raises(Invalid, match="not a length of time"):
        seconds(text)


def test_an_instant_is_a_length_of_time_ago_or_a_date() -> None:
    assert moment("2h", NOW) == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert moment("2026-11-20") == datetime(2026, 11, 20, tzinfo=UTC)
    assert moment("2026-11-20T10:00:00+02:00") == datetime(2026, 11, 20, 8, tzinfo=UTC)
    with pytest.raises(Invalid):
        moment("2026-13-45")
