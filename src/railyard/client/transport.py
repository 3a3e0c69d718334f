"""One HTTP connection pool to one server: every failure leaves it as an error of our tree."""

from __future__ import annotations

import json as jsonlib
import os
import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from railyard.client.problems import error_of
from railyard.client.retry import RETRIED_STATUSES, retries_for, wait_seconds
from railyard.errors import ConfigurationError, Invalid, RailyardError, Unreachable
from railyard.version import __version__

if TYPE_CHECKING:
    import httpx2

USER_AGENT = f"railyard/{__version__} python/{platform.python_version()}"

Query = Mapping[str, "str | int | float | bool | Sequence[str] | None"]
Content = bytes | str | Path | Iterable[bytes]
"""The body of a call: bytes, text, a file that is streamed, or chunks (which cannot be sent twice)."""


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    query: Query | None
    body: Content | None
    headers: Mapping[str, str]
    timeout: float


class Transport:
    """Calls to one server, with one token. Safe to share between threads and across a fork.

    `http` replaces the network (tests); `sleep` the waiting between tries.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        user_agent: str = USER_AGENT,
        http: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(
                f'"{url}" is not the address of a server',
                why="expected http://host:port or https://host",
                mend="railyard login http://127.0.0.1:8787",
            )
        self.url = url.rstrip("/")
        self.timeout = timeout
        self._token = token
        self._user_agent = user_agent
        self._http = http
        self._sleep = sleep
        self._local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None
        self._pid = 0

    def __repr__(self) -> str:
        return f"Transport({self.url!r})"

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: Any = None,
        content: Content | None = None,
        headers: Mapping[str, str] | None = None,
        retry: int | None = None,
        timeout: float | None = None,
    ) -> httpx2.Response:
        """Sends one call and returns its answer, read whole.

        `path` starts with `/` and is percent-encoded already. `retry` is how often the call may be sent again; None
        leaves that to the method and its idempotency key. `timeout` is seconds without a sign of life.
        Raises Unreachable when nothing answers, and the error the server answered with otherwise.
        """
        body, sent = self._prepared(json, content, headers)
        return self._exchange(_Call(method, path, query, body, sent, timeout or self.timeout), retry, read=True)

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: Any = None,
        content: Content | None = None,
        headers: Mapping[str, str] | None = None,
        retry: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[httpx2.Response]:
        """As `request`, but the answer's body is still to be read, with `iter_bytes()`.

        A connection that breaks while the body is read raises Unreachable.
        """
        body, sent = self._prepared(json, content, headers)
        call = _Call(method, path, query, body, sent, timeout or self.timeout)
        response = self._exchange(call, retry, read=False)
        try:
            with self._told(call):
                yield response
        finally:
            response.close()

    def close(self) -> None:
        """Closes the connections. The transport may be used again afterwards."""
        with self._lock:
            if self._client is not None and self._pid == os.getpid():
                self._client.close()
            self._client = None

    def _exchange(self, call: _Call, retry: int | None, *, read: bool) -> httpx2.Response:
        left = 0 if _only_once(call.body) else retries_for(call.method, call.headers, retry)
        tried = 0
        while True:
            tried += 1
            again = tried <= left
            try:
                response = self._send(call)
                try:
                    with self._told(call):
                        if read or not response.is_success:
                            response.read()
                except BaseException:
                    response.close()
                    raise
            except Unreachable:
                if not again:
                    raise
                self._sleep(wait_seconds(tried))
                continue
            if response.is_success:
                return response
            if not again or response.status_code not in RETRIED_STATUSES:
                raise self._error(call, response)
            self._sleep(wait_seconds(tried, response.headers.get("retry-after")))

    def _send(self, call: _Call) -> httpx2.Response:
        if not call.path.startswith("/"):
            raise ValueError(f"a path starts with /: {call.path!r}")
        client = self._pool()
        file = call.body.open("rb") if isinstance(call.body, Path) else None
        try:
            headers = dict(call.headers)
            content = None if isinstance(call.body, Path) else call.body
            if file is not None:
                headers["content-length"] = str(os.fstat(file.fileno()).st_size)
                content = _chunks(file)
            with self._told(call):
                request = client.build_request(
                    call.method,
                    self.url + call.path,
                    params={name: value for name, value in (call.query or {}).items() if value is not None} or None,
                    content=content,
                    headers=headers,
                    timeout=call.timeout,
                )
                return client.send(request, stream=True)
        finally:
            if file is not None:
                file.close()

    def _prepared(
        self, json: Any, content: Content | None, given: Mapping[str, str] | None
    ) -> tuple[Content | None, dict[str, str]]:
        headers = {"user-agent": self._user_agent, "accept": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        if json is not None:
            headers["content-type"] = "application/json"
            try:
                content = jsonlib.dumps(json, ensure_ascii=False, allow_nan=False).encode()
            except (ValueError, TypeError) as error:
                raise Invalid("the body is not JSON", code="invalid_json", why=str(error)) from None
        elif content is not None:
            headers["content-type"] = "application/octet-stream"
        return content, headers | {name.lower(): value for name, value in (given or {}).items()}

    def _pool(self) -> httpx2.Client:
        """The client of this process: a forked child must not share its parent's sockets."""
        import httpx2

        with self._lock:
            if self._client is None or self._pid != os.getpid():
                self._client = httpx2.Client(
                    transport=self._http,
                    # A proxy has no business between a program and its own machine.
                    trust_env=not self._local,
                    # Without TLS there is nothing to verify, and loading the certificates takes longer than the call.
                    verify=self.url.startswith("https://"),
                    follow_redirects=False,
                    limits=httpx2.Limits(max_connections=20, max_keepalive_connections=10),
                )
                self._pid = os.getpid()
            return self._client

    def _error(self, call: _Call, response: httpx2.Response) -> RailyardError:
        where = f"{call.method} {self.url}{call.path}"
        error = error_of(response.status_code, response.content, response.headers, where=where)
        if response.status_code == 401 and not error.mend:
            error.mend = f"railyard login {self.url}"
        return error

    @contextmanager
    def _told(self, call: _Call) -> Iterator[None]:
        """Failures of the HTTP library, told in our words."""
        import httpx2

        try:
            yield
        except httpx2.TimeoutException as error:
            raise Unreachable(
                f"{self.url} did not answer within {call.timeout:g} s",
                why=f"{call.method} {call.path}: {type(error).__name__}",
                mend="railyard doctor",
            ) from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError) as error:
            raise ConfigurationError(f"{call.method} {call.path} cannot be sent: {error}") from error
        except httpx2.ConnectError as error:
            raise Unreachable(
                f"no Railyard server answers at {self.url}",
                why=str(error) or "the connection was refused",
                mend="railyard up"
                if self._local
                else f"check the address and the network, then: railyard login {self.url}",
            ) from error
        except httpx2.RequestError as error:
            raise Unreachable(
                f"the connection to {self.url} broke off",
                why=f"{call.method} {call.path}: {str(error) or type(error).__name__}",
                mend="try again; railyard doctor looks for the cause",
            ) from error


def _only_once(body: Content | None) -> bool:
    return not (body is None or isinstance(body, bytes | str | Path | list | tuple))


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(2**18):
        yield chunk
