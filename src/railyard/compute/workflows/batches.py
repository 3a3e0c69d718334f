"""A split that is larger than memory: an iterable of Arrow record batches that can be walked more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


class Batches:
    """What `train` receives with `data_format = "batches"`. Each walk reads the source again, in the same order.

    Iterating yields pyarrow RecordBatches, or what `preprocess` made of them.
    """

    def __init__(self, read: Callable[[], Iterator[Any]], steps: tuple[Callable[[Any], Any], ...] = ()) -> None:
        self._read = read
        self._steps = steps

    def __iter__(self) -> Iterator[Any]:
        for batch in self._read():
            for step in self._steps:
                batch = step(batch)
            yield batch

    def map(self, step: Callable[[Any], Any]) -> Batches:
        """The same split with one more step applied to every batch."""
        return Batches(self._read, (*self._steps, step))
