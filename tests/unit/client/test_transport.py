"""The transport: every failure is an error of the tree, and only what is safe is sent twice."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from railyard.client.transport import Transport
from railyard.errors import (
    Ambiguous,
    ConfigurationError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RailyardError,
    RateLimited,
    Refused,
    ServerError,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unreachable,
)

Handler = Callable[[httpx2.Request], httpx2.Response]
URL = "http://127.0.0.1:8787"


class Server:
    """Answers from a list, the last one for ever, and remembers what it was asked."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def transport(self, url: str = URL, token: str | None = "rt_secret") -> Transport:
        return Transport(url, token, http=httpx2.MockTransport(self), sleep=self.waits.append)


def problem(status: int, code: str, **more: object) -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"code": code, "message": f"{code} happened", **more}})


def test_a_call_carries_the_token_and_the_version() -> None:
    server = Server(httpx2.Response(200, json={"ok": 1}))
    answer = server.transport().request("GET", "/v1/jobs", query={"limit": 5, "state": None, "mine": True})
    assert answer.json() == {"ok": 1}
    sent = server.requests[0]
    assert str(sent.url) == f"{URL}/v1/jobs?limit=5&mine=true"
    assert sent.headers["authorization"] == "Bearer rt_secret"
    assert sent.headers["user-agent"].startswith("railyard/")


def test_json_text_and_files_are_sent_with_their_types(tmp_path: Path) -> None:
    server = Server(httpx2.Response(200))
    transport = server.transport()
    transport.request("POST", "/a", json={"ä": 2**53 + 1})
    transport.request("POST", "/a", content='{"x": 1e-300}', headers={"Content-Type": "application/json"})
    (tmp_path / "model.bin").write_bytes(b"x" * 600_000)
    transport.request("PUT", "/a", content=tmp_path / "model.bin")
    first, second, third = server.requests
    assert json.loads(first.content) == {"ä": 2**53 + 1}
    assert first.headers["content-type"] == second.headers["content-type"] == "application/json"
    assert second.content == b'{"x": 1e-300}'
    assert third.headers["content-length"] == "600000"
    assert len(third.content) == 600_000


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid", Invalid),
        (401, "unauthorized", Unauthorized),
        (403, "forbidden", Forbidden),
        (404, "unknown_workflow", NotFound),
        (409, "conflict", Conflict),
        (409, "ambiguous", Ambiguous),
        (409, "refused", Refused),
        (409, "idempotency_key_reused", Conflict),
        (413, "too_large", TooLarge),
        (418, "teapot", RailyardError),
        (422, "invalid_request", Invalid),
        (429, "rate_limited", RateLimited),
        (500, "internal", ServerError),
        (503, "unavailable", Unavailable),
    ],
)
def test_an_answer_becomes_the_class_it_was_raised_as(status: int, code: str, kind: type[RailyardError]) -> None:
    with pytest.raises(kind) as caught:
        Server(problem(status, code)).transport().request("POST", "/v1/jobs")
    assert type(caught.value) is kind
    assert caught.value.code == code


def test_an_error_keeps_every_line_and_field() -> None:
    field = {"path": "data.filters[0].predicate", "expected": "one of Eq", "got": '"eq"', "nearest": "Eq"}
    answer = problem(422, "invalid_request", mend="correct it", docs="http://x/help", request_id="r1", fields=[field])
    with pytest.raises(Invalid) as caught:
        Server(answer).transport().request("POST", "/v1/jobs")
    assert str(caught.value) == (
        "error: invalid_request happened\n"
        'why:   data.filters[0].predicate: expected one of Eq, got "eq"; did you mean Eq?\n'
        "mend:  correct it\n"
        "more:  http://x/help   request r1"
    )


def test_a_401_says_how_to_sign_in() -> None:
    with pytest.raises(Unauthorized) as caught:
        Server(problem(401, "unauthorized")).transport().request("GET", "/v1/jobs")
    assert caught.value.mend == f"railyard login {URL}"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx2.Response(404, text="<html>nginx</html>"), NotFound),
        (httpx2.Response(500, text="boom"), ServerError),
        (httpx2.Response(307, headers={"location": "https://elsewhere/login"}), ServerError),
        (httpx2.Response(422, json=["not", "ours"]), Invalid),
        (httpx2.Response(400, json={"error": "a word"}), Invalid),
    ],
)
def test_an_answer_that_is_not_ours_is_still_an_error_of_the_tree(
    answer: httpx2.Response, kind: type[RailyardError]
) -> None:
    with pytest.raises(kind) as caught:
        Server(answer).transport().request("POST", "/v1/jobs")
    assert f"POST {URL}/v1/jobs" in caught.value.message


def test_reads_are_sent_again_with_growing_waits_until_they_are_answered() -> None:
    server = Server(
        httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow"), problem(503, "unavailable"), httpx2.Response(200)
    )
    assert server.transport().request("GET", "/v1/jobs").status_code == 200
    assert len(server.requests) == 4
    assert server.waits == sorted(server.waits)


def test_retry_after_is_honoured_and_capped() -> None:
    server = Server(
        httpx2.Response(429, headers={"retry-after": "7"}),
        httpx2.Response(429, headers={"retry-after": "86400"}),
        httpx2.Response(429, headers={"retry-after": "Sat, 01 Jan 2000 00:00:00 GMT"}),
        httpx2.Response(200),
    )
    server.transport().request("GET", "/v1/jobs")
    assert server.waits == [7, 30, 0]


def test_a_post_is_sent_again_only_with_an_idempotency_key_or_when_vouched_for() -> None:
    plain = Server(problem(503, "unavailable"))
    with pytest.raises(Unavailable):
        plain.transport().request("POST", "/v1/jobs", json={})
    assert len(plain.requests) == 1
    keyed = Server(problem(503, "unavailable"), httpx2.Response(202))
    assert keyed.transport().request("POST", "/v1/jobs", json={}, headers={"Idempotency-Key": "k"}).status_code == 202
    vouched = Server(problem(503, "unavailable"), httpx2.Response(200))
    assert vouched.transport().request("POST", "/v1/attempts/j1-1/logs", json={}, retry=1).status_code == 200


def test_a_refusal_is_never_sent_again() -> None:
    server = Server(problem(404, "not_found"))
    with pytest.raises(NotFound):
        server.transport().request("GET", "/v1/jobs/j1")
    assert len(server.requests) == 1


def test_chunks_are_never_sent_twice() -> None:
    server = Server(problem(503, "unavailable"))
    with pytest.raises(Unavailable):
        server.transport().request("PUT", "/a", content=iter([b"1", b"2"]))
    assert len(server.requests) == 1


def test_nobody_there_names_the_command_that_starts_a_server() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Unreachable) as caught:
        Transport(url).request("GET", "/healthz", retry=0)
    assert caught.value.message == f"no Railyard server answers at {url}"
    assert caught.value.mend == "railyard up"
    assert caught.value.exit_code == 5


def test_a_distant_server_that_is_away_does_not_ask_for_a_local_one() -> None:
    server = Server(httpx2.ConnectError("no route to host"))
    with pytest.raises(Unreachable) as caught:
        server.transport("https://railyard.example").request("GET", "/healthz", retry=0)
    assert "railyard login https://railyard.example" in caught.value.mend


def test_a_timeout_says_how_long_it_waited() -> None:
    with pytest.raises(Unreachable, match=r"did not answer within 2\.5 s"):
        Server(httpx2.ReadTimeout("")).transport().request("GET", "/x", timeout=2.5, retry=0)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8787", "ftp://host", "http://", "javascript:alert(1)"])
def test_an_address_that_is_none_is_refused_before_any_call(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is not the address of a server"):
        Transport(url)


def test_numbers_that_json_cannot_hold_are_refused() -> None:
    with pytest.raises(Invalid, match="the body is not JSON"):
        Server(httpx2.Response(200)).transport().request("POST", "/a", json={"x": float("nan")})


def test_the_token_does_not_show_in_the_repr() -> None:
    assert "secret" not in repr(Server(httpx2.Response(200)).transport())


def test_a_stream_is_read_in_pieces_and_its_refusal_is_an_error() -> None:
    with Server(httpx2.Response(200, content=b"abc")).transport().stream("GET", "/a") as response:
        assert b"".join(response.iter_bytes(1)) == b"abc"
    with pytest.raises(NotFound), Server(problem(404, "not_found")).transport().stream("GET", "/a"):
        pass


def test_one_transport_serves_many_threads() -> None:
    server = Server(httpx2.Response(200))
    transport = server.transport()
    threads = [threading.Thread(target=transport.request, args=("GET", "/a")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 8


def test_a_forked_child_opens_connections_of_its_own() -> None:
    transport = Server(httpx2.Response(200)).transport()
    transport.request("GET", "/a")
    parents = transport._pool()
    child = os.fork()
    if child == 0:
        os._exit(0 if transport._pool() is not parents else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert transport._pool() is parents
