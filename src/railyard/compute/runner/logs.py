"""Takes what the worker's processes print, numbers the lines, and keeps them on disk until they are shipped."""

from __future__ import annotations

import json
import os
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from railyard.compute.runner.lines import LineSplitter
from railyard.compute.runner.spool import SpoolWriter

Source = Literal["stdout", "stderr", "system"]
_READ = 256 * 1024
_REMEMBERED = 50


class LogBook:
    """Lines are numbered from 1 by their place in the file. Over the limit they are left out and counted."""

    def __init__(self, path: Path, *, limit_bytes: int) -> None:
        self._spool = SpoolWriter(path)
        self._limit = limit_bytes
        self._kept_bytes = 0
        self._left_out = 0
        self._left_out_bytes = 0
        self.lines = 0
        self.last_errors: deque[str] = deque(maxlen=_REMEMBERED)
        """The newest lines of stderr: a native crash explains itself there."""

    def add(self, source: Source, lines: list[str]) -> None:
        """Appends lines that arrived together."""
        if source == "stderr":
            self.last_errors.extend(lines[-_REMEMBERED:])
        at = datetime.now(UTC).isoformat()
        kept: list[bytes] = []
        for line in lines:
            encoded = _encode(at, source, line)
            size = len(encoded) + 1
            if self._left_out or self._kept_bytes + size > self._limit:
                if not self._left_out:
                    kept.append(
                        _encode(at, "system", f"log limit of {self._limit} bytes reached: what follows is left out")
                    )
                self._left_out += 1
                self._left_out_bytes += len(line) + 1
                continue
            self._kept_bytes += size
            kept.append(encoded)
        self._write(kept)

    def say(self, text: str) -> None:
        """A line of our own; it is kept whatever the limit."""
        self._write([_encode(datetime.now(UTC).isoformat(), "system", text)])

    def close(self) -> None:
        """States the gap, if there is one."""
        if self._left_out:
            gap = f"{self._left_out} lines ({self._left_out_bytes} bytes)"
            self.say(f"{gap} were left out: the log limit or the end of the disk was reached")
        self._spool.close()

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        try:
            self._spool.write(lines)
            self.lines += len(lines)
        except OSError:
            # The disk is full: the attempt may still succeed, so the gap is counted and told like the limit's.
            self._left_out += len(lines)


class Pipe:
    """One of the worker's streams: read without blocking, split into lines."""

    def __init__(self, descriptor: int, source: Source, book: LogBook) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._source: Source = source
        self._book = book
        self._splitter = LineSplitter()

    def read(self) -> bool:
        """Takes what is there, one buffer full. False at the end of the stream."""
        try:
            data = os.read(self.descriptor, _READ)
        except BlockingIOError:
            return True
        if data:
            self._book.add(self._source, self._splitter.feed(data))
        return bool(data)

    def drain(self) -> None:
        """Takes everything that is left when nobody writes any more, and closes."""
        while True:
            try:
                data = os.read(self.descriptor, _READ)
            except BlockingIOError:
                break
            if not data:
                break
            self._book.add(self._source, self._splitter.feed(data))
        self._book.add(self._source, self._splitter.end())
        os.close(self.descriptor)


def _encode(at: str, source: Source, text: str) -> bytes:
    return json.dumps({"at": at, "source": source, "text": text}, ensure_ascii=False).encode("utf-8", errors="replace")
