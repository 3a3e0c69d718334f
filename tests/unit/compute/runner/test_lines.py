from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from railyard.compute.runner.lines import LONGEST_LINE, LineSplitter


def split(pieces: list[bytes]) -> list[str]:
    splitter = LineSplitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    return lines + splitter.end()


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=10))
def test_lines_do_not_depend_on_how_the_bytes_arrive(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    assert split(pieces) == split([data])


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])), min_size=1))
def test_text_comes_back_line_by_line(lines: list[str]) -> None:
    assert split([("\n".join(lines) + "\n").encode()]) == lines


@given(st.binary(max_size=300))
def test_any_bytes_become_text_that_utf8_can_hold(data: bytes) -> None:
    for line in split([data]):
        line.encode("utf-8")


def test_a_line_without_an_end_is_kept() -> None:
    assert split([b"one\ntwo"]) == ["one", "two"]


def test_an_empty_stream_has_no_line() -> None:
    assert split([b""]) == []


def test_empty_lines_are_lines() -> None:
    assert split([b"\n\r\n\n"]) == ["", "", ""]


def test_a_carriage_return_before_the_end_is_dropped_and_others_are_kept() -> None:
    assert split([b"10%\r20%\r\n"]) == ["10%\r20%"]


def test_a_long_line_is_split_and_nothing_is_lost() -> None:
    text = "x" * (3 * LONGEST_LINE + 17)
    lines = split([text.encode() + b"\nnext\n"])
    assert [len(line) for line in lines] == [LONGEST_LINE] * 3 + [17, 4]
    assert "".join(lines[:-1]) == text


def test_a_long_line_is_split_between_characters() -> None:
    for shift in range(4):
        text = "a" * shift + "€" * LONGEST_LINE
        lines = split([text.encode()])
        assert "".join(lines) == text


def test_a_line_that_never_ends_is_given_out_before_it_ends() -> None:
    splitter = LineSplitter()
    assert len(splitter.feed(b"x" * (LONGEST_LINE + 1))) == 1


def test_bytes_that_are_all_continuation_are_split_all_the_same() -> None:
    assert len(split([b"\x80" * (2 * LONGEST_LINE + 1)])) == 3
