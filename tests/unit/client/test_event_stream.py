"""Following a stream: each event once, across dropped connections."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from railyard.client.events import follow
from railyard.client.transport import Transport
from railyard.errors import NotFound, Unreachable


class Dropping(httpx2.SyncByteStream):
    """Sends its text and then breaks off, or ends well."""

    def __init__(self, text: str, *, breaks: bool) -> None:
        self.text, self.breaks = text, breaks

    def __iter__(self) -> Iterator[bytes]:
        yield self.text.encode()
        if self.breaks:
            raise httpx2.RemoteProtocolError("incomplete chunked read")


def sse(*events: str, breaks: bool = False) -> httpx2.Response:
    text = "".join(f"{event}\n\n" for event in events)
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Dropping(text, breaks=breaks))


def transport(answers: list[httpx2.Response | Exception], asked: list[str]) -> Transport:
    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers.get("last-event-id", ""))
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    return Transport("http://127.0.0.1:1", http=httpx2.MockTransport(answer))


def test_a_dropped_stream_goes_on_after_the_last_event_it_brought() -> None:
    asked: list[str] = []
    answers: list[httpx2.Response | Exception] = [
        sse('id: 1\nevent: line\ndata: {"n": 1}', ": ping", 'id: 2\ndata: {"n": 2}', breaks=True),
        httpx2.ConnectError("refused"),
        sse('id: 3\ndata: {"n": 3}', "event: end\ndata: {}"),
    ]
    found = list(follow(transport(answers, asked), "/s", sleep=lambda _: None))
    assert [(event.kind, event.data["n"], event.cursor) for event in found] == [
        ("line", 1, "1"),
        ("message", 2, "2"),
        ("message", 3, "3"),
    ]
    assert asked == ["", "2", "2"]


def test_a_stream_that_ends_without_the_last_word_is_asked_again_and_204_ends_it() -> None:
    asked: list[str] = []
    answers: list[httpx2.Response | Exception] = [sse('id: 7\ndata: {"n": 7}'), httpx2.Response(204)]
    assert len(list(follow(transport(answers, asked), "/s", after=6, sleep=lambda _: None))) == 1
    assert asked == ["6", "7"]


def test_a_server_that_stays_away_is_reported_after_patience_is_spent() -> None:
    asked: list[str] = []
    with pytest.raises(Unreachable):
        list(follow(transport([httpx2.ConnectError("refused")], asked), "/s", patience=3, sleep=lambda _: None))
    assert len(asked) == 4


def test_a_refusal_is_raised_at_once() -> None:
    asked: list[str] = []
    body = {"error": {"code": "not_found", "message": "no job j1"}}
    with pytest.raises(NotFound, match="no job j1"):
        list(follow(transport([httpx2.Response(404, json=body)], asked), "/s", sleep=lambda _: None))
    assert len(asked) == 1
