from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from railyard.compute.runner.spool import SpoolReader, SpoolWriter

LINES = st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=30)


@given(batches=st.lists(LINES, max_size=5), most_bytes=st.integers(1, 100), most_lines=st.integers(1, 10))
def test_every_line_is_read_once_and_in_order(
    tmp_path_factory: object, batches: list[list[bytes]], most_bytes: int, most_lines: int
) -> None:
    path = tmp_path_factory.mktemp("spool") / "lines"  # type: ignore[attr-defined]
    writer, reader = SpoolWriter(path), SpoolReader(path)
    read: list[bytes] = []
    for batch in batches:
        writer.write(batch)
        while lines := reader.peek(most_bytes=most_bytes, most_lines=most_lines):
            assert len(lines) <= most_lines
            reader.advance()
            read += lines
    writer.close()
    assert read == [line for batch in batches for line in batch]


def test_what_did_not_arrive_is_read_again(tmp_path: Path) -> None:
    writer, reader = SpoolWriter(tmp_path / "lines"), SpoolReader(tmp_path / "lines")
    writer.write([b"a", b"b"])
    assert reader.peek(most_bytes=100, most_lines=1) == [b"a"]
    assert reader.peek(most_bytes=100, most_lines=9) == [b"a", b"b"]
    writer.close()


def test_a_line_that_is_still_being_written_waits(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"whole\nha")
    reader = SpoolReader(tmp_path / "lines")
    assert reader.peek(most_bytes=100, most_lines=9) == [b"whole"]
    reader.advance()
    assert reader.peek(most_bytes=100, most_lines=9) == []


def test_a_line_longer_than_asked_for_still_comes(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"x" * 100 + b"\n")
    assert SpoolReader(tmp_path / "lines").peek(most_bytes=10, most_lines=9) == [b"x" * 100]


def test_a_file_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert SpoolReader(tmp_path / "none").peek(most_bytes=10, most_lines=9) == []


def test_a_writer_goes_on_where_another_left_off(tmp_path: Path) -> None:
    for line in (b"a", b"b"):
        writer = SpoolWriter(tmp_path / "lines")
        writer.write([line])
        writer.close()
    assert (tmp_path / "lines").read_bytes() == b"a\nb\n"
