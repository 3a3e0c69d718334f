"""What surrounds every request: an id, a size limit, one log line, and an answer even to the unforeseen."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from railyard.control.api.errors import answer, unexpected
from railyard.control.logging import ACCESS, request_id
from railyard.errors import TooLarge
from railyard.spec.ids import new_id

log = logging.getLogger(ACCESS)

_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
_ARTIFACT = re.compile(r"^/v1/attempts/[^/]+/artifacts/")
_RUNNER = re.compile(r"^/v1/attempts/[^/]+/(heartbeat|logs|metrics)$")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


class Surround:
    """Outermost layer of the application. A plain ASGI class, so that streams pass through it unbuffered."""

    def __init__(self, app: ASGIApp, *, public_url: str, max_body_bytes: int, max_artifact_bytes: int) -> None:
        self.app = app
        self.public_url = public_url
        self.max_body_bytes = max_body_bytes
        self.max_artifact_bytes = max_artifact_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        token = request_id.set(given if _ID.match(given) else new_id("r"))
        began, status = time.monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                out["X-Request-Id"] = request_id.get()
                out.setdefault("X-Content-Type-Options", "nosniff")
                out.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            limit = self._limit(scope)
            declared = headers.get("content-length", "")
            if declared.isdigit() and int(declared) > limit:
                await self._too_large(limit)(scope, receive, sending)
            else:
                await self.app(scope, _counted(receive, limit), sending)
        except ClientDisconnect:
            log.info("%s %s: the client left in the middle of its request", scope["method"], scope["path"])
        except Exception as error:
            if status:
                # The answer has begun: all that is left is to break the connection, so that nobody takes it for whole.
                raise
            await answer(unexpected(error), self.public_url)(scope, receive, sending)
        finally:
            level = logging.DEBUG if scope["path"] in _QUIET or _RUNNER.match(scope["path"]) else logging.INFO
            milliseconds = round((time.monotonic() - began) * 1000, 1)
            log.log(
                level if status < 500 else logging.WARNING,
                "%s %s %s",
                scope["method"],
                scope["path"],
                status,
                extra={"milliseconds": milliseconds, "client": (scope.get("client") or ("",))[0]},
            )
            request_id.reset(token)

    def _limit(self, scope: Scope) -> int:
        artifact = scope["method"] == "PUT" and _ARTIFACT.match(scope["path"])
        return self.max_artifact_bytes if artifact else self.max_body_bytes

    def _too_large(self, limit: int) -> JSONResponse:
        return answer(
            TooLarge(_sentence(limit), mend="send less, or raise max_body_bytes in railyard.toml"), self.public_url
        )


def _sentence(limit: int) -> str:
    return f"the body is larger than the {limit:,} bytes this path takes"


def _counted(receive: Receive, limit: int) -> Callable[[], Awaitable[Message]]:
    """Counts what comes in, for bodies that do not say their length or lie about it."""
    total = 0

    async def counting() -> Message:
        nonlocal total
        message = await receive()
        if message["type"] == "http.request":
            total += len(message.get("body", b""))
            if total > limit:
                # Only this kind of exception passes the framework's body parsing unchanged.
                raise HTTPException(413, _sentence(limit))
        return message

    return counting
