"""The thread that carries log lines and metric points from the spools to the server, in numbered pieces."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from railyard.client.attempt import AttemptClient
from railyard.compute.runner.patience import Orders, wait_before, worth_another_try
from railyard.compute.runner.spool import SpoolReader
from railyard.errors import Invalid, TooLarge
from railyard.spec.attempt import LogChunk, LogLine, MetricBatch, MetricPoint

EVERY_SECONDS = 1.0
CHUNK_BYTES = 2**20
_CHUNK_LINES = 20_000
_BATCH_BYTES = 2**18
_BATCH_POINTS = 1000

Item = TypeVar("Item", bound=BaseModel)


class Shipper(threading.Thread):
    """Ships once a second, and on while full chunks wait. What is not acknowledged is sent again."""

    def __init__(self, client: AttemptClient, *, log: Path, metrics: Path, orders: Orders) -> None:
        super().__init__(name="shipper", daemon=True)
        self._client = client
        self._orders = orders
        self._log = SpoolReader(log)
        self._metrics = SpoolReader(metrics)
        self._next_line = 1
        self._next_point = 1
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._abandoned = threading.Event()

    def nudge(self) -> None:
        """A full chunk waits."""
        self._wake.set()

    def finish(self, *, until: float, stop: Callable[[], bool]) -> bool:
        """Ships what is left. True when all has arrived; False at `until` (monotonic) or when `stop` says so."""
        self._closing.set()
        self._wake.set()
        while self.is_alive():
            if stop() or time.monotonic() >= until:
                self._abandoned.set()
                self._wake.set()
                return False
            self.join(0.1)
        return not self._abandoned.is_set()

    def run(self) -> None:
        failed = 0
        while not self._abandoned.is_set():
            closing = self._closing.is_set()
            try:
                shipped = [self._ship_lines(), self._ship_points()]
                failed = 0
            except Exception as error:
                failed += 1
                print(f"shipping: {error}", file=sys.stderr)
                if self._orders.fenced.is_set():
                    self._abandoned.set()
                self._abandoned.wait(wait_before(failed))
                continue
            if any(shipped):
                continue
            if closing:
                return
            self._wake.wait(EVERY_SECONDS)
            self._wake.clear()

    def _ship_lines(self) -> bool:
        """Sends one chunk. True where a full one was sent, so that more may wait."""
        raw = self._log.peek(most_bytes=CHUNK_BYTES, most_lines=_CHUNK_LINES)
        if not raw:
            return False
        lines = tuple(_log_line(line) for line in raw)
        self._send(lambda: self._client.logs(LogChunk(first_line=self._next_line, lines=lines)))
        self._log.advance()
        self._next_line += len(lines)
        return self._closing.is_set() or len(raw) >= _CHUNK_LINES or sum(map(len, raw)) >= CHUNK_BYTES // 2

    def _ship_points(self) -> bool:
        raw = self._metrics.peek(most_bytes=_BATCH_BYTES, most_lines=_BATCH_POINTS)
        if not raw:
            return False
        points = tuple(point for line in raw if (point := _parsed(MetricPoint, line)) is not None)
        if points:
            self._send(lambda: self._client.metrics(MetricBatch(first=self._next_point, points=points)))
        self._metrics.advance()
        self._next_point += len(points)
        return self._closing.is_set() or len(raw) >= _BATCH_POINTS

    def _send(self, call: Callable[[], None]) -> None:
        """Telemetry that the server will never take is dropped, so that the rest can follow. Raises other errors."""
        try:
            call()
        except (Invalid, TooLarge) as error:
            if worth_another_try(error):
                raise
            print(f"dropped, the server refuses it: {error}", file=sys.stderr)


def _log_line(line: bytes) -> LogLine:
    found = _parsed(LogLine, line)
    # A torn line (a full disk) keeps its number: readers count on there being no gap.
    return found or LogLine(at=datetime.now(UTC), source="system", text="this line could not be kept")


def _parsed(kind: type[Item], line: bytes) -> Item | None:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        return None
