from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from railyard.compute.runner.logs import LogBook, Pipe


def kept(path: Path) -> list[tuple[str, str]]:
    return [(line["source"], line["text"]) for line in map(json.loads, path.read_text().splitlines())]


def test_lines_are_numbered_by_their_place(tmp_path: Path) -> None:
    book = LogBook(tmp_path / "log", limit_bytes=10_000)
    book.add("stdout", ["a", "b"])
    book.say("c")
    book.close()
    assert kept(tmp_path / "log") == [("stdout", "a"), ("stdout", "b"), ("system", "c")]
    assert book.lines == 3


def test_past_the_limit_lines_are_counted_and_the_gap_is_stated_once(tmp_path: Path) -> None:
    book = LogBook(tmp_path / "log", limit_bytes=1000)
    for _ in range(100):
        book.add("stdout", ["x" * 10] * 10)
    book.say("our own lines are kept")
    book.close()
    lines = kept(tmp_path / "log")
    system = [text for source, text in lines if source == "system"]
    written = sum(source == "stdout" for source, _ in lines)
    assert system == [
        "log limit of 1000 bytes reached: what follows is left out",
        "our own lines are kept",
        f"{1000 - written} lines ({(1000 - written) * 11} bytes) were left out: "
        "the log limit or the end of the disk was reached",
    ]
    assert book.lines == len(lines)


def test_text_that_utf8_cannot_hold_is_kept_all_the_same(tmp_path: Path) -> None:
    book = LogBook(tmp_path / "log", limit_bytes=1000)
    book.add("stdout", ["\ud800 \x00 \u2028"])
    book.close()
    assert len((tmp_path / "log").read_bytes().splitlines()) == 1
    assert book.lines == 1


def test_a_full_disk_loses_lines_and_raises_nothing(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full is not here")
    book = LogBook(Path("/dev/full"), limit_bytes=1000)
    book.add("stdout", ["a", "b"])
    book.close()
    assert book.lines == 0


def test_a_pipe_is_drained_to_its_last_half_line(tmp_path: Path) -> None:
    book = LogBook(tmp_path / "log", limit_bytes=1000)
    read, write = os.pipe()
    pipe = Pipe(read, "stderr", book)
    assert pipe.read()  # nothing there is not the end
    os.write(write, b"one\ntw")
    assert pipe.read()
    os.write(write, b"o")
    os.close(write)
    pipe.drain()
    book.close()
    assert kept(tmp_path / "log") == [("stderr", "one"), ("stderr", "two")]
    assert list(book.last_errors) == ["one", "two"]
