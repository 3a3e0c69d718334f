"""A small real HTTP server with the endpoints that a runner calls; it keeps what it hears, and can be told to be difficult."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from railyard.spec.attempt import AttemptSpec
from railyard.spec.base import dump


@dataclass
class Heard:
    """Everything one attempt has said."""

    spec: AttemptSpec
    token: str
    started: dict[str, Any] | None = None
    beats: list[dict[str, Any]] = field(default_factory=list)
    chunks: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    points: dict[int, dict[str, Any]] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    failure: dict[str, Any] | None = None
    manifest: dict[str, Any] | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    """Of every heartbeat."""

    @property
    def final(self) -> bool:
        return self.failure is not None or self.manifest is not None

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log in order of the numbers; a gap or an overlap fails here."""
        lines: list[dict[str, Any]] = []
        for first in sorted(self.chunks):
            assert first == len(lines) + 1, f"chunk {first} after line {len(lines)}"
            lines += self.chunks[first]
        return lines

    def texts(self, source: str | None = None) -> list[str]:
        return [line["text"] for line in self.lines if source is None or line["source"] == source]


class AttemptServer:
    """Runs in a thread. `stop` and `start` keep the port, so that it can go away and come back."""

    def __init__(self) -> None:
        self.attempts: dict[str, Heard] = {}
        self.changed = threading.Condition()
        self.refuse: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        """Endpoint to (status, how often): answers errors so many times."""
        self._http: ThreadingHTTPServer | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        room = self

        class Handler(_Handler):
            server_room = room

        ThreadingHTTPServer.allow_reuse_address = True
        self._http = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._http.daemon_threads = True
        self._port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def add(self, spec: AttemptSpec, token: str) -> Heard:
        heard = self.attempts[spec.name] = Heard(spec, token)
        return heard

    def wait(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Until what was heard fulfils the condition."""
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise AssertionError(f"not heard within {seconds} s: {self._told()}")

    def _told(self) -> str:
        return "; ".join(
            f"{name}: started={heard.started is not None} failure={heard.failure} lines={heard.texts()[-5:]}"
            for name, heard in self.attempts.items()
        )

    def hear(self, heard: Heard, what: str, rest: str, body: bytes) -> tuple[int, Any]:
        with self.changed:
            try:
                return self._hear(heard, what, rest, body)
            finally:
                self.changed.notify_all()

    def _hear(self, heard: Heard, what: str, rest: str, body: bytes) -> tuple[int, Any]:
        status, left = self.refuse[what]
        if left:
            self.refuse[what] = (status, left - 1)
            return status, {"error": {"code": "unavailable", "message": f"{what} is refused by the test"}}
        if heard.final:
            return 401, {"error": {"code": "unauthorized", "message": "this attempt is over"}}
        value = json.loads(body) if body and what != "artifacts" else {}
        match what:
            case "spec":
                return 200, dump(heard.spec)
            case "started":
                heard.started = value
            case "heartbeat":
                heard.beats.append(value)
                return 200, heard.answer
            case "logs":
                heard.chunks[value["first_line"]] = value["lines"]
            case "metrics":
                heard.points.update(enumerate(value["points"], value["first"]))
            case "artifacts":
                heard.artifacts[rest] = body
            case "fail":
                heard.failure = value
            case "commit":
                heard.manifest = value
        return 200, {}


class _Handler(BaseHTTPRequestHandler):
    server_room: AttemptServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        length = self.headers.get("content-length")
        body = self.rfile.read(int(length)) if length else b""
        _, _, _, name, what, *rest = self.path.split("/")
        heard = self.server_room.attempts.get(name)
        if heard is None:
            status, value = 404, {"error": {"code": "not_found", "message": "no such attempt"}}
        elif self.headers.get("authorization") != f"Bearer {heard.token}":
            status, value = 401, {"error": {"code": "unauthorized", "message": "another token"}}
        else:
            status, value = self.server_room.hear(heard, what, "/".join(rest), body)
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass
