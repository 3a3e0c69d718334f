"""The base class of every workflow: a user's Python class that turns data and parameters into a fitted model."""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, get_args

from typing_extensions import TypeVar

from railyard.compute.data.frames import convert
from railyard.compute.data.reader import Reader
from railyard.compute.workflows.batches import Batches
from railyard.compute.workflows.context import Context
from railyard.compute.workflows.outcome import TrainResult
from railyard.compute.workflows.scoring import default_score

Params = TypeVar("Params", default=Any)
DataFormat = Literal["pandas", "polars", "arrow", "batches"]
DATA_FORMATS: tuple[str, ...] = get_args(DataFormat)

BATCH_ROWS = 65_536
"""Rows of one batch with `data_format = "batches"`; the last of a row group may be shorter."""


class Workflow(ABC, Generic[Params]):
    """Subclass it, implement `train`, put the file under `workflows/`.

    Hooks run in this order: `fetch`, `preprocess` (on each split), `train`, `score` and `evaluate` (on each split),
    `serialize`, and in a second process `deserialize` and `score`, which must reproduce the scores bit for bit. Only
    `train` is required. What `score` needs must be in the model: the second process has a new instance of the workflow.

    Before the first hook an instance has `features` (list of column names, may be empty), `label` (column name or
    None), `params` (an instance of the dataclass in `Workflow[…]`, or the request's custom_params as a mapping that
    also reads as attributes) and `context` (job_id, logger, log_metric, progress, scratch, seed).
    """

    features: Sequence[str] = ()
    """Class attribute: the features where the request names none."""
    label: str | None = None
    """Class attribute: the label where the request names none."""
    data_format: ClassVar[DataFormat] = "pandas"
    """What frames are: pandas, Polars, Arrow, or `batches` (an iterable of record batches, larger than memory)."""
    derives: ClassVar[tuple[str, ...]] = ()
    """Columns that `preprocess` adds; they need not be in the source."""

    params: Params
    context: Context

    def fetch(self, reader: Reader) -> tuple[Any, Any]:
        """The training split and the holdout (None without one). Override it to read otherwise.

        `reader` has projection, filters and split applied: `reader.fetch()`, `reader.batches(split, rows)`,
        `reader.schema()`.
        """
        if self.data_format == "batches":
            holdout = Batches(partial(reader.batches, "holdout", BATCH_ROWS))
            return Batches(
                partial(reader.batches, "training", BATCH_ROWS)
            ), holdout if reader.summary().rows_holdout else None
        found = reader.fetch()
        training = convert(found.training, self.data_format)
        return training, None if found.holdout is None else convert(found.holdout, self.data_format)

    def preprocess(self, df: Any) -> Any:
        """The frame that `train`, `score` and `evaluate` see; runs on both splits, batch by batch with `batches`."""
        return df

    @abstractmethod
    def train(self, training: Any, holdout: Any) -> Any:
        """Fits and returns the model, `(model, eval_frame)`, or a TrainResult.

        `holdout` is None where the request asks for none.
        """

    def score(self, model: Any, df: Any) -> Any:
        """One score for each row of `df`, shape (n,), or (n, classes). Binary: high means positive."""
        return default_score(model, df, list(self.features), self.label)

    def evaluate(self, df: Any, scores: Any) -> Mapping[str, float]:
        """Metrics of a split beyond the platform's own: numbers by name. Without a label these are all there are.

        `scores` is what `score` returned for `df`, or None where the model cannot score and there is no label.
        """
        return {}

    def serialize(self, model: Any, folder: Path) -> None:
        """Override it, with `deserialize`, to write the model into the empty `folder` in a format of your own."""
        raise NotImplementedError

    def deserialize(self, folder: Path) -> Any:
        """The model that `serialize` wrote into `folder`."""
        raise NotImplementedError


def params_class(workflow: type[Workflow[Any]]) -> type | None:
    """The dataclass in `Workflow[…]` of a class or its nearest base; None for a plain Workflow."""
    for one in workflow.__mro__:
        for base in one.__dict__.get("__orig_bases__", ()):
            origin, arguments = typing.get_origin(base), typing.get_args(base)
            if not (isinstance(origin, type) and issubclass(origin, Workflow)) or len(arguments) != 1:
                continue
            if not isinstance(arguments[0], typing.TypeVar | TypeVar) and arguments[0] is not Any:
                return typing.cast(type, arguments[0])
    return None


def overrides(workflow: type[Workflow[Any]], hook: str) -> bool:
    """Whether a class brings a hook of its own."""
    return getattr(workflow, hook) is not getattr(Workflow, hook)


__all__ = ["Context", "DataFormat", "Params", "TrainResult", "Workflow", "overrides", "params_class"]
