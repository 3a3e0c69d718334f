"""The runner's side of an attempt: one typed call per endpoint under /v1/attempts/{name}, with the attempt's token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from railyard.client.transport import Transport
from railyard.errors import Unreachable
from railyard.spec.attempt import AttemptSpec, Failure, Heartbeat, HeartbeatAnswer, LogChunk, MetricBatch, Started
from railyard.spec.base import dump
from railyard.spec.result import ResultManifest


class AttemptClient:
    """Every call is sent once; who calls decides about trying again, because only he knows how long it is worth it.

    Raises Unreachable when nothing answers, Unauthorized once the token is dead, and the rest of the error tree.
    All calls but `commit` and `fail` may be repeated without harm; those two answer Conflict the second time.
    """

    def __init__(self, transport: Transport, name: str, *, where: Callable[[], str | None] = lambda: None) -> None:
        """`where` says where the server answers now; it is asked when nothing answers, for a server that has moved."""
        self._transport = transport
        self._where = where
        self._root = f"/v1/attempts/{quote(name, safe='')}"

    def spec(self) -> AttemptSpec:
        """Everything that is needed to carry out the attempt."""
        answer = self._call("GET", "/spec")
        return AttemptSpec.model_validate_json(answer.content)

    def started(self, report: Started) -> None:
        """The first report: the job becomes `running`."""
        self._call("POST", "/started", json=dump(report))

    def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        """Says that the attempt lives and how far it is; learns whether it should go on."""
        answer = self._call("POST", "/heartbeat", json=dump(beat))
        return HeartbeatAnswer.model_validate_json(answer.content)

    def logs(self, chunk: LogChunk) -> None:
        """Numbered lines; the same chunk twice is one chunk."""
        self._call("POST", "/logs", json=dump(chunk))

    def metrics(self, batch: MetricBatch) -> None:
        """Numbered points; the same batch twice is one batch."""
        self._call("POST", "/metrics", json=dump(batch))

    def put_artifact(self, path: str, file: Path) -> None:
        """Stores a file under the attempt's prefix, streamed from disk; a second time replaces the first.

        `path` is relative and `/`-separated, as in the manifest.
        """
        self._call("PUT", f"/artifacts/{quote(path)}", content=file)

    def commit(self, manifest: ResultManifest) -> None:
        """Delivers the result; the job becomes `succeeded`."""
        self._call("POST", "/commit", json=dump(manifest))

    def fail(self, failure: Failure) -> None:
        """Says why the attempt failed."""
        self._call("POST", "/fail", json=dump(failure))

    def _call(self, method: str, path: str, **body: Any) -> Any:
        try:
            return self._transport.request(method, self._root + path, retry=0, **body)
        except Unreachable:
            self._transport.url = (self._where() or self._transport.url).rstrip("/")
            raise

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()
