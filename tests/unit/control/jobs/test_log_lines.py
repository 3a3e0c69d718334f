"""Log lines survive storing, whatever stands in them; joined chunks hold what their parts held."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from railyard.control.jobs import lines
from railyard.control.jobs.tokens import attempt_token, new_nonce, token_hash
from railyard.spec.attempt import LogLine

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
TEXTS = st.lists(st.text(max_size=40), min_size=1, max_size=10)


def made(texts: list[str]) -> list[LogLine]:
    return [LogLine(at=NOW, source="stderr", text=text) for text in texts]


@given(st.integers(1, 10**12), TEXTS)
def test_every_line_comes_back_with_its_number(first: int, texts: list[str]) -> None:
    stored, size = lines.encode(first, made(texts))
    found = list(lines.decode(stored, attempt=2, rank=1))
    assert [line.line for line in found] == list(range(first, first + len(texts)))
    assert [line.text for line in found] == [text.replace("\x00", "�") for text in texts]
    assert {(line.attempt, line.rank, line.at, line.source) for line in found} == {(2, 1, NOW, "stderr")}
    assert size >= sum(len(text) for text in texts)


@given(TEXTS, TEXTS)
def test_joined_chunks_hold_the_lines_of_both(one: list[str], other: list[str]) -> None:
    first, second = lines.encode(1, made(one))[0], lines.encode(len(one) + 1, made(other))[0]
    joined = list(lines.decode(lines.join([first, second]), 1, 0))
    assert joined == [*lines.decode(first, 1, 0), *lines.decode(second, 1, 0)]


def test_a_name_gets_the_same_token_again_and_every_other_another() -> None:
    nonce = new_nonce()
    token = attempt_token(b"secret", "j1-1", nonce)
    assert token == attempt_token(b"secret", "j1-1", nonce)
    assert token.startswith("ra_")
    others = {attempt_token(b"secret", "j1-2", nonce), attempt_token(b"other", "j1-1", nonce),
              attempt_token(b"secret", "j1-1", new_nonce())}  # fmt: skip
    assert token not in others
    assert len(others) == 3
    assert token not in token_hash(token)
