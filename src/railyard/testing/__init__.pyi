"""Types of what `railyard.testing` loads lazily."""

from railyard.testing.workflows import Performed as Performed
from railyard.testing.workflows import perform as perform

__all__ = ["Performed", "perform"]
