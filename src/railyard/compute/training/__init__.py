"""Request and workflow in, result out: pure orchestration of data, workflows, evaluation and bundles."""

from railyard.compute.training.attempt import train
from railyard.compute.training.verify import verify_saved

__all__ = ["train", "verify_saved"]
