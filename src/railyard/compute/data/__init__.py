"""Rows for a training: sources, filters, projection, holdout.

Nothing here computes at import: a process that only imported it may fork, and its children may compute.
"""

from __future__ import annotations

from railyard.compute.data.frames import FrameKind, convert
from railyard.compute.data.plan import SourcePlan, plan
from railyard.compute.data.reader import Fetched, Reader, Split

__all__ = ["Fetched", "FrameKind", "Reader", "SourcePlan", "Split", "convert", "plan"]
