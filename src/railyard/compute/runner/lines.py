"""Bytes of a pipe to lines of a log. Pure."""

from __future__ import annotations

LONGEST_LINE = 64 * 1024
"""Bytes; a longer line is split."""


class LineSplitter:
    """Cuts a stream of bytes into lines of text, however the pieces arrive.

    `\\n` ends a line, a `\\r` before it is dropped. A line over 64 KiB is split, between characters where it is UTF-8.
    Invalid UTF-8 becomes U+FFFD.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that these bytes complete."""
        *complete, self._rest = (self._rest + data).split(b"\n")
        lines = [text for line in complete for text in _texts(line)]
        while len(self._rest) > LONGEST_LINE:
            cut = _cut(self._rest)
            lines.append(_text(self._rest[:cut]))
            self._rest = self._rest[cut:]
        return lines

    def end(self) -> list[str]:
        """What is left when the stream ends without a line end."""
        rest, self._rest = self._rest, b""
        return _texts(rest) if rest else []


def _texts(line: bytes) -> list[str]:
    line = line.removesuffix(b"\r")
    pieces = []
    while len(line) > LONGEST_LINE:
        cut = _cut(line)
        pieces.append(_text(line[:cut]))
        line = line[cut:]
    return [*pieces, _text(line)]


def _cut(line: bytes) -> int:
    """Where to split: at the limit, or up to three bytes before it, so that no character is torn."""
    cut = LONGEST_LINE
    while cut > LONGEST_LINE - 4 and line[cut] & 0xC0 == 0x80:
        cut -= 1
    return cut if line[cut] & 0xC0 != 0x80 else LONGEST_LINE


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace")
