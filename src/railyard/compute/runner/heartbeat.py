"""The thread that tells the server that the attempt lives, and hears whether it should go on."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from railyard.client.attempt import AttemptClient
from railyard.compute.runner.patience import Orders, wait_before, worth_another_try
from railyard.spec.attempt import Heartbeat, Started

BELIEVED_AFTER = 3
"""Refusals in a row before an attempt believes that it is no longer wanted: one odd answer must not end a training."""


class Heart(threading.Thread):
    """First `started`, until it is delivered; then a heartbeat at every interval and whenever a step begins or ends."""

    def __init__(
        self,
        client: AttemptClient,
        started: Started,
        *,
        every: float,
        snapshot: Callable[[], Heartbeat],
        orders: Orders,
    ) -> None:
        super().__init__(name="heart", daemon=True)
        self._client = client
        self._first_report = started
        self._every = every
        self._snapshot = snapshot
        self._orders = orders
        self._wake = threading.Event()
        self._over = threading.Event()
        self._refused = 0
        self.introduced = threading.Event()
        """The server has heard the first report, or never will."""

    def nudge(self) -> None:
        """Beats soon: something worth seeing happened."""
        self._wake.set()

    def stop(self) -> None:
        """No beat begins after this."""
        self._over.set()
        self._wake.set()

    def run(self) -> None:
        tried = 0
        while not self._over.is_set() and not self._try(lambda: self._client.started(self._first_report)):
            tried += 1
            self._over.wait(wait_before(tried))
        self.introduced.set()
        while not self._over.is_set():
            self._wake.clear()
            self._try(self._beat)
            self._wake.wait(self._every)

    def _beat(self) -> None:
        answer = self._client.heartbeat(self._snapshot())
        if answer.stale:
            self._orders.fence()
        elif answer.cancel_requested:
            self._orders.ask_cancel()

    def _try(self, call: Callable[[], None]) -> bool:
        """Whether the server has heard it, or never will."""
        try:
            call()
        except Exception as error:
            print(f"heartbeat: {error}", file=sys.stderr)
            if worth_another_try(error):
                return False
            self._refused += 1
            if self._refused >= BELIEVED_AFTER:
                self._orders.fence()
            return True
        self._refused = 0
        return True
