"""What a user's training code is written against."""

from railyard.compute.workflows.batches import Batches
from railyard.compute.workflows.context import Context
from railyard.compute.workflows.outcome import TrainResult
from railyard.compute.workflows.params import field
from railyard.compute.workflows.reporter import Reporter, SilentReporter
from railyard.compute.workflows.workflow import Workflow

__all__ = ["Batches", "Context", "Reporter", "SilentReporter", "TrainResult", "Workflow", "field"]
