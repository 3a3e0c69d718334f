"""Types of what `railyard` loads lazily: a stub, so that the package itself imports no plane."""

from railyard.client.client import Client as Client
from railyard.compute.workflows.context import Context as Context
from railyard.compute.workflows.outcome import TrainResult as TrainResult
from railyard.compute.workflows.params import field as field
from railyard.compute.workflows.workflow import Workflow as Workflow
from railyard.errors import Invalid as Invalid
from railyard.errors import JobCancelled as JobCancelled
from railyard.errors import JobFailed as JobFailed
from railyard.errors import NotFound as NotFound
from railyard.errors import RailyardError as RailyardError
from railyard.errors import Timeout as Timeout
from railyard.errors import Unreachable as Unreachable
from railyard.version import __version__ as __version__

__all__ = [
    "Client",
    "Context",
    "Invalid",
    "JobCancelled",
    "JobFailed",
    "NotFound",
    "RailyardError",
    "Timeout",
    "TrainResult",
    "Unreachable",
    "Workflow",
    "__version__",
    "field",
]
