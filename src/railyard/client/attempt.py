"""The runner's side of an attempt: one typed call per endpoint under /v1/attempts/{name}, with the attempt's token."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from railyard.client.transport import Transport
from railyard.spec.attempt import AttemptSpec, Failure, Heartbeat, HeartbeatAnswer, LogChunk, MetricBatch, Started
from railyard.spec.base import dump
from railyard.spec.result import ResultManifest


class AttemptClient:
    """Every call is sent once; who calls decides about trying again, because only he knows how long it is worth it.

    Raises Unreachable when nothing answers, Unauthorized once the token is dead, and the rest of the error tree.
    All calls but `commit` and `fail` may be repeated without harm; those two answer Conflict the second time.
    """

    def __init__(self, transport: Transport, name: str) -> None:
        self._transport = transport
        self._root = f"/v1/attempts/{quote(name, safe='')}"

    def spec(self) -> AttemptSpec:
        """Everything that is needed to carry out the attempt."""
        answer = self._transport.request("GET", f"{self._root}/spec", retry=0)
        return AttemptSpec.model_validate_json(answer.content)

    def started(self, report: Started) -> None:
        """The first report: the job becomes `running`."""
        self._transport.request("POST", f"{self._root}/started", json=dump(report), retry=0)

    def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        """Says that the attempt lives and how far it is; learns whether it should go on."""
        answer = self._transport.request("POST", f"{self._root}/heartbeat", json=dump(beat), retry=0)
        return HeartbeatAnswer.model_validate_json(answer.content)

    def logs(self, chunk: LogChunk) -> None:
        """Numbered lines; the same chunk twice is one chunk."""
        self._transport.request("POST", f"{self._root}/logs", json=dump(chunk), retry=0)

    def metrics(self, batch: MetricBatch) -> None:
        """Numbered points; the same batch twice is one batch."""
        self._transport.request("POST", f"{self._root}/metrics", json=dump(batch), retry=0)

    def put_artifact(self, path: str, file: Path) -> None:
        """Stores a file under the attempt's prefix, streamed from disk; a second time replaces the first.

        `path` is relative and `/`-separated, as in the manifest.
        """
        self._transport.request("PUT", f"{self._root}/artifacts/{quote(path)}", content=file, retry=0)

    def commit(self, manifest: ResultManifest) -> None:
        """Delivers the result; the job becomes `succeeded`."""
        self._transport.request("POST", f"{self._root}/commit", json=dump(manifest), retry=0)

    def fail(self, failure: Failure) -> None:
        """Says why the attempt failed."""
        self._transport.request("POST", f"{self._root}/fail", json=dump(failure), retry=0)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()
