"""Server-sent events that go on where they were after a dropped connection."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from railyard.client.retry import wait_seconds
from railyard.client.transport import Query, Transport
from railyard.errors import Unreachable

END = "end"
"""The kind of the event after which nothing can come."""
SILENCE_SECONDS = 60.0
"""Longer than several of the server's pings: a stream this silent is a dead connection."""
PATIENCE = 8
"""How many connections in a row may bring nothing before the stream is given up."""


@dataclass(frozen=True)
class ServerEvent:
    """One event of a stream."""

    kind: str
    data: Any
    """Parsed JSON."""
    cursor: str
    """Where to go on after this event: the value for `after`."""


def follow(
    transport: Transport,
    path: str,
    *,
    query: Query | None = None,
    after: str | int | None = None,
    patience: int = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[ServerEvent]:
    """Events of a stream from a cursor on, each once; resumes by `Last-Event-ID` when the connection drops.

    Ends after the event `end`, or when the server answers a resumed stream with 204. Raises what the server answers
    with, and Unreachable when `patience` connections in a row brought nothing.
    """
    import httpx2

    cursor = "" if after is None else str(after)
    fruitless = 0
    while True:
        headers = {"accept": "text/event-stream"} | ({"last-event-id": cursor} if cursor else {})
        try:
            with transport.stream(
                "GET", path, query=query, headers=headers, timeout=SILENCE_SECONDS, retry=0
            ) as response:
                if response.status_code == 204:
                    return
                for event in httpx2.EventSource(response):
                    fruitless = 0
                    cursor = event.id or cursor
                    if event.event == END:
                        return
                    if event.data:
                        yield ServerEvent(event.event, json.loads(event.data), cursor)
        except Unreachable:
            if fruitless >= patience:
                raise
        fruitless += 1
        if fruitless > patience:
            raise Unreachable(
                f"the stream {transport.url}{path} ends again and again without a word",
                mend="railyard doctor",
            )
        sleep(wait_seconds(fruitless))
