"""Calls about code versions: send a code project, deploy it, wait until its runtime stands."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from railyard.client import durations
from railyard.client.code import PackedCode, pack
from railyard.client.pages import Pager
from railyard.client.transport import Transport
from railyard.errors import NotFound, Refused, Timeout
from railyard.spec.records import CodeVersion, Page

_POLL_SECONDS = 0.5


class Code:
    """`client.code`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Pager[CodeVersion]:
        """Code versions, newest first."""

        def fetch(after: str | None, limit: int) -> Page[CodeVersion]:
            answer = self._transport.request("GET", "/v1/code", query={"after": after, "limit": limit})
            return Page[CodeVersion].model_validate_json(answer.content)

        return Pager(fetch)

    def get(self, code_id: str) -> CodeVersion:
        """One code version."""
        return CodeVersion.model_validate_json(self._transport.request("GET", _path(code_id)).content)

    def upload(self, packed: PackedCode | str | Path) -> CodeVersion:
        """Sends a code project's bundle, unless the server has it already: the same files are the same version."""
        packed = packed if isinstance(packed, PackedCode) else pack(packed)
        try:
            return self.get(packed.code_id)
        except NotFound:
            answer = self._transport.request(
                "POST",
                "/v1/code",
                content=packed.zip_bytes,
                headers={"content-type": "application/zip"},
                retry=2,
                timeout=120,
            )
            return CodeVersion.model_validate_json(answer.content)

    def deploy(
        self,
        project: str | Path | PackedCode = ".",
        *,
        version: str | None = None,
        timeout: float | str | None = "30m",
        progress: Callable[[CodeVersion], None] | None = None,
    ) -> CodeVersion:
        """Sends a code project (a folder, or what `pack` made of it) and makes it what plain requests run.

        Waits until its runtime is built: the server deploys nothing that it has not seen ready.

        `timeout` None does not wait, so that code which is still building is a Conflict. `progress` is called with
        every state seen. Raises Refused with uv's own words when the runtime cannot be built, Conflict when a
        workflow's name belongs to another project, and Timeout.
        """
        sent = self.upload(project)
        if timeout is not None:
            sent = self.wait(sent, timeout=timeout, progress=progress)
        body = {"version": version} if version else {}
        answer = self._transport.request("POST", f"{_path(sent.code_id)}/deploy", json=body, retry=2, timeout=120)
        return CodeVersion.model_validate_json(answer.content)

    def wait(
        self,
        code: CodeVersion,
        *,
        timeout: float | str = "30m",
        progress: Callable[[CodeVersion], None] | None = None,
    ) -> CodeVersion:
        """Waits until a code version is ready. Raises Refused when it is broken, and Timeout."""
        deadline = time.monotonic() + durations.seconds(timeout)
        while True:
            if progress:
                progress(code)
            if code.state == "ready":
                return code
            if code.state == "broken":
                raise Refused(
                    f"{code.project} {code.code_id} cannot run",
                    code="runtime_build",
                    why=code.message or "",
                    mend="change the lock or the code, then: railyard deploy",
                )
            if time.monotonic() >= deadline:
                raise Timeout(
                    f"the runtime of {code.code_id} is still being built",
                    mend=f"railyard api GET {_path(code.code_id)}",
                )
            time.sleep(_POLL_SECONDS)
            code = self.get(code.code_id)


def _path(code_id: str) -> str:
    return f"/v1/code/{quote(code_id, safe='')}"
