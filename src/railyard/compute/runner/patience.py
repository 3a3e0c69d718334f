"""Calls that outlast a server that is away: what is worth another try, and how long to wait for it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from railyard.errors import RailyardError, RateLimited, Unavailable, Unreachable

Answer = TypeVar("Answer")

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 10.0


class GaveUp(Exception):
    """The time was up, or somebody wanted the waiting to end. The cause is the last error of the call."""


class Orders:
    """What others want of this attempt. Set by a signal handler and by threads; `wake` ends the main loop's waiting."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.cancel = threading.Event()
        self.fenced = threading.Event()
        """The server no longer knows this attempt as the job's current one."""
        self._wake = wake

    def ask_cancel(self) -> None:
        self.cancel.set()
        self._wake()

    def fence(self) -> None:
        self.fenced.set()
        self._wake()


def worth_another_try(error: Exception) -> bool:
    """True where the same call may be answered later: nobody was there, or the server had a trouble of its own."""
    if isinstance(error, Unreachable | Unavailable | RateLimited):
        return True
    if isinstance(error, RailyardError):
        return (error.status or 0) >= 500
    return isinstance(error, ValueError)  # an answer that is not ours, such as a proxy's page


def wait_before(tried: int) -> float:
    """Seconds before the next try: doubling from a quarter to ten, jittered so that not all come at once."""
    ceiling = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(tried - 1, 10))
    return random.uniform(ceiling / 2, ceiling)


def persist(
    call: Callable[[], Answer],
    *,
    until: float,
    stop: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Calls until there is an answer. Errors that will not go away are raised as they come.

    Raises GaveUp at `until` (of the monotonic clock) or when `stop` says so, which is asked four times a second.
    """
    tried = 0
    while True:
        tried += 1
        try:
            return call()
        except Exception as error:
            if not worth_another_try(error):
                raise
            again = clock() + wait_before(tried)
            while (now := clock()) < again:
                if stop() or now >= until:
                    raise GaveUp(f"no answer after {tried} tries") from error
                sleep(min(0.25, again - now))
