"""Log lines as stored bytes: zlib over JSON lines `[line, at, source, text]`. The number stands in each line."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator

from railyard.spec.attempt import LogLine
from railyard.spec.records import NumberedLine


def encode(first_line: int, lines: Iterable[LogLine]) -> tuple[bytes, int]:
    """The stored form of lines from a number on, and how many bytes they are before compression."""
    rows = [
        json.dumps([number, line.at.isoformat(), line.source, line.text.replace("\x00", "�")], ensure_ascii=False)
        for number, line in enumerate(lines, first_line)
    ]
    raw = "".join(row + "\n" for row in rows).encode("utf-8", "replace")
    return zlib.compress(raw), len(raw)


def join(chunks: Iterable[bytes]) -> bytes:
    """Several stored chunks as one."""
    return zlib.compress(b"".join(zlib.decompress(chunk) for chunk in chunks))


def decode(stored: bytes, attempt: int, rank: int) -> Iterator[NumberedLine]:
    """The lines of a stored chunk."""
    for row in zlib.decompress(stored).decode().split("\n")[:-1]:
        number, at, source, text = json.loads(row)
        yield NumberedLine(line=number, attempt=attempt, rank=rank, at=at, source=source, text=text)
