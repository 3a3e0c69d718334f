"""JSON lines over a socket between the supervisor and one of its children."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

_READ = 64 * 1024


class Channel:
    """One end. `ask` waits for the answer; `take` gives what has arrived without waiting."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._rest = b""

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, value: Mapping[str, Any]) -> None:
        """Sends one object. Raises OSError where the other end is gone."""
        self._socket.setblocking(True)
        self._socket.sendall(json.dumps(value).encode() + b"\n")

    def receive(self) -> dict[str, Any] | None:
        """Waits for one object; None when the other end is gone."""
        self._socket.setblocking(True)
        while b"\n" not in self._rest:
            data = self._socket.recv(_READ)
            if not data:
                return None
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return _object(line)

    def ask(self, value: Mapping[str, Any]) -> dict[str, Any] | None:
        """Sends one object and waits for the answer; None when the other end is gone."""
        try:
            self.send(value)
            return self.receive()
        except OSError:
            return None

    def take(self) -> tuple[list[dict[str, Any]], bool]:
        """The objects that have arrived, and whether the other end is still there."""
        self._socket.setblocking(False)
        open_ = True
        try:
            while data := self._socket.recv(_READ):
                self._rest += data
            open_ = False
        except BlockingIOError:
            pass
        except OSError:
            open_ = False
        *lines, self._rest = self._rest.split(b"\n")
        return [_object(line) for line in lines], open_

    def close(self) -> None:
        self._socket.close()


def pair() -> tuple[Channel, Channel]:
    """Two ends that speak to each other."""
    one, other = socket.socketpair()
    return Channel(one), Channel(other)


def _object(line: bytes) -> dict[str, Any]:
    # The other end runs user code: anything that is no object counts as an empty one.
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
