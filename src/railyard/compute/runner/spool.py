"""Files of lines that one side appends and another reads behind: what the server has not heard costs disk only."""

from __future__ import annotations

import os
from pathlib import Path


class SpoolWriter:
    """Appends lines, each batch in one write; a reader never sees half a batch's first line before the rest of it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.bytes = os.fstat(self._descriptor).st_size

    def write(self, lines: list[bytes]) -> None:
        """Appends the lines, which hold no line end themselves. Raises OSError, such as for a full disk."""
        data = memoryview(b"".join(line + b"\n" for line in lines))
        while data:
            written = os.write(self._descriptor, data)
            self.bytes += written
            data = data[written:]

    def close(self) -> None:
        os.close(self._descriptor)


class SpoolReader:
    """Reads complete lines from where it stands. What was read is read again until `advance` says it arrived."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._ahead = 0

    def peek(self, *, most_bytes: int, most_lines: int) -> list[bytes]:
        """The next complete lines, without their line ends: at most so many bytes, but at least one line."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(most_bytes)
                if data and b"\n" not in data:
                    data += file.readline()
        except FileNotFoundError:
            return []
        lines = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1][:most_lines]
        self._ahead = sum(len(line) + 1 for line in lines)
        return lines

    def advance(self) -> None:
        """Moves behind the lines of the last `peek`."""
        self._offset += self._ahead
        self._ahead = 0
