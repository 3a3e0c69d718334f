"""What `train` may hand back besides the bare model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TrainResult:
    """A fitted model with what the training wants remembered about it."""

    model: Any
    eval_frame: Any = None
    """Takes the place of the holdout in the evaluation; for splits that only the training can know."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Added to the holdout's metrics (to the training's, without a holdout)."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """JSON values kept with the job's result."""
