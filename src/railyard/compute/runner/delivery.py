"""Brings the outcome to the server: uploads, then one commit; or one failure. Outlasts a server that is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from railyard.client.attempt import AttemptClient
from railyard.compute.runner.patience import GaveUp, Orders, persist
from railyard.errors import Conflict, Forbidden, NotFound, RailyardError, TooLarge, Unauthorized
from railyard.spec.attempt import Failure
from railyard.spec.result import ErrorReport, ResultManifest

DELIVERY_SECONDS = 24 * 3600.0
"""How long a finished attempt waits for its server before it ends undelivered."""

End = Literal["committed", "failed", "refused", "undelivered"]
"""committed, failed: the server knows. refused: it does not want to hear of it. undelivered: nobody answered."""

_NOT_OURS = (Unauthorized, Forbidden, NotFound, Conflict)


class Cancelled(Exception):
    """Somebody cancelled while the result was being uploaded."""


@dataclass(frozen=True)
class Delivery:
    client: AttemptClient
    orders: Orders
    until: float
    """Monotonic clock."""
    note: Callable[[str], None]

    def upload(self, manifest: ResultManifest, artifacts: Path) -> ErrorReport | None:
        """Every file that the manifest names. A report where the server will never take one.

        Raises Cancelled, and GaveUp when the time is up.
        """
        for artifact in manifest.artifacts:
            file = artifacts / artifact.path
            if not file.is_file() or not file.resolve().is_relative_to(artifacts.resolve()):
                message = f"the result names {artifact.path}, which is not a file among the artifacts"
                return ErrorReport(code="internal", message=message, step="save")
            try:
                self._until_heard(lambda path=artifact.path, file=file: self.client.put_artifact(path, file))  # type: ignore[misc]
            except TooLarge as error:
                return ErrorReport(code="serialization", message=error.message, mend=error.mend, step="save")
            except _NOT_OURS:
                raise
            except RailyardError as error:
                message = f"{artifact.path} could not be stored: {error.message}"
                return ErrorReport(code="storage_unavailable", message=message, mend=error.mend, step="save")
        return None

    def commit(self, manifest: ResultManifest) -> ErrorReport | End:
        """The commit; a report where the server finds fault with the manifest itself."""
        try:
            self._until_heard(lambda: self.client.commit(manifest))
        except _NOT_OURS as error:
            self.note(f"commit: {error}")
            return "refused"
        except RailyardError as error:
            message = f"the server does not accept the result: {error.message}"
            return ErrorReport(code="internal", message=message, mend=error.mend, step="save")
        return "committed"

    def fail(self, failure: Failure) -> End:
        """The failure, told until somebody hears it."""
        try:
            persist(lambda: self.client.fail(failure), until=self.until, stop=self.orders.fenced.is_set)
        except GaveUp:
            return "refused" if self.orders.fenced.is_set() else "undelivered"
        except RailyardError as error:
            self.note(f"fail: {error}")
            return "refused"
        return "failed"

    def _until_heard(self, call: Callable[[], None]) -> None:
        def unwanted() -> bool:
            return self.orders.cancel.is_set() or self.orders.fenced.is_set()

        if unwanted():
            raise Cancelled
        try:
            persist(call, until=self.until, stop=unwanted)
        except GaveUp:
            if time.monotonic() < self.until:
                raise Cancelled from None
            raise
