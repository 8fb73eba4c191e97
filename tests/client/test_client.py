"""The client against a real console, and against one that does not answer as it should."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from asgi_client import Client as InProcess
from browser.world import OPERATOR, VIEWER, World
from patience import PATIENCE_S
from switchhook import client as client_module
from switchhook.client import (
    ApiError,
    Client,
    ForbiddenError,
    NotFoundError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
    UnreadableError,
)
from switchhook.streams.api import StreamsApi, StreamsApiParts
from switchhook.streams.counts_api import StoreApi
from switchhook.streams.names import Names
from switchhook.web.app import create_app

PAGE = Path(__file__).parents[2] / "docs/library.md"
NUMBER = "09876512345"


def now_ms():
    return time.time_ns() // 1_000_000


class Told(World):
    """A console that was told of some calls, by their CallSids."""

    calls: list[str] = []  # noqa: RUF012 - one world has them


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = Told(tmp_path_factory.mktemp("client"))
    causes = ("bot", "refused", "throttled", "early")
    world.calls = [world.tell(cause, number=NUMBER) for cause in causes]
    assert world.writer.flush(PATIENCE_S)
    assert world.folder.reach(world.reader.last_seq(), 10)
    yield world
    world.close()


@pytest.fixture
def transport(world):
    """The console's pages and API, as a viewer sees them."""
    world.viewer = VIEWER
    asked = StreamsApiParts(
        journal=world.reader,
        store=world.store,
        folder=world.folder,
        now_ms=now_ms,
    )
    parts = [
        world.pages,
        StoreApi(world.store, Names, now_ms),
        StreamsApi(asked, dict),
    ]
    inner = create_app(parts)

    async def app(scope, receive, send):
        await inner(scope | {"viewer": world.viewer}, receive, send)

    yield InProcess(app)._transport
    world.viewer = None


@pytest.fixture
def console(transport):
    with Client("http://127.0.0.1:8081", "shk_x", transport=transport) as made:
        yield made


def test_streams_are_read_page_by_page(console, world):
    found = list(console.all_streams(limit=1))
    assert [each.call_sid for each in found] == world.calls[::-1]
    refused = found[2]
    assert (refused.cause, refused.option) == ("connect_failed", "B")
    assert refused.error_detail.kind == "refused"
    assert NUMBER[-8:-2] not in str(found)
    assert [each.call_sid for each in console.all_streams("cause:throttled")] == [world.calls[2]]
    assert console.streams(cause="throttled").next is None


def test_one_stream_and_one_call(console, world):
    call = console.call(world.calls[1])
    (stream,) = call.streams
    assert call.from_ == stream.from_
    assert "•" in call.from_
    assert call.passthrus[0]["decision"]["option"] == "B"
    assert console.stream(stream.sid).receipts == [call.passthrus[0]["id"]]


def test_now_issues_capacity_and_endpoints(console):
    now = console.now()
    assert now.failed.failed == 2
    assert {each.cause for each in console.issues()} == {"connect_failed", "throttled"}
    (endpoint, *_) = console.endpoints().endpoints
    assert endpoint.rules[0].name
    assert now.accounts[0].active == 78


def test_an_export_comes_in_pieces(console, world):
    with pytest.raises(ForbiddenError):
        b"".join(console.export())
    world.viewer = OPERATOR
    assert b"".join(console.export("is:failed", columns="call")).count(b"\n") == 3


def test_what_is_asked_wrongly_is_said(console):
    with pytest.raises(RefusedError, match="limit") as refused:
        console.streams(limit=5_000)
    assert (refused.value.status, refused.value.parameter) == (400, "limit")
    assert refused.value.hint
    with pytest.raises(NotFoundError):
        console.call("nobody")
    for nothing in ("", ".", ".."):
        with pytest.raises(NotFoundError):
            console.stream(nothing)


class Answers:
    """A console that answers what it is told, one after the other."""

    def __init__(self, *answers):
        self.answers, self.asked, self.slept = list(answers), [], []

    def __call__(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **more):
        transport = httpx2.MockTransport(self)
        return Client("http://c/", "t", transport=transport, sleep=self.slept.append, **more)


GOOD = msgspec.json.encode(
    {"level": "good", "what": "All well.", "since": None}
    | dict.fromkeys(("callers", "went", "fault", "todo", "tell", "streams", "issue", "page"), "")
    | {"stale": [], "more": [], "of a later release": 1}
)


def good():
    return httpx2.Response(200, content=GOOD)


def test_what_can_be_tried_again_is():
    busy = httpx2.Response(429, headers={"Retry-After": "7"})
    console = Answers(busy, httpx2.ConnectError("x"), good())
    assert console.client().verdict().what == "All well."
    assert console.slept == [7, 1.0]
    assert [each.headers["authorization"] for each in console.asked] == ["Bearer t"] * 3


@pytest.mark.parametrize(
    ("answers", "asked", "wait_s"),
    [
        ([httpx2.Response(503)] * 3, 3, None),
        ([httpx2.Response(503, headers={"Retry-After": "3600"})], 1, 3600),
        ([httpx2.Response(500)], 1, None),
        ([httpx2.ReadTimeout("x")] * 3, 3, None),
    ],
)
def test_in_the_end_it_is_said(answers, asked, wait_s):
    console = Answers(*answers)
    with pytest.raises(UnavailableError) as error:
        console.client().verdict()
    assert len(console.asked) == asked
    assert error.value.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx2.Response(401), UnauthorizedError),
        (httpx2.Response(403, json={"error": {"problem": "no", "hint": "h"}}), ForbiddenError),
        (httpx2.Response(302, headers={"Location": "http://evil.example"}), UnreadableError),
        (httpx2.Response(200, text="<html>"), UnreadableError),
        (httpx2.Response(200, json={"level": 1}), UnreadableError),
        (httpx2.Response(409, json=["x"]), RefusedError),
    ],
)
def test_what_trying_again_does_not_mend_is_raised_at_once(answer, kind):
    console = Answers(answer)
    with pytest.raises(kind) as error:
        console.client().verdict()
    assert len(console.asked) == 1
    assert isinstance(error.value, ApiError)
    assert str(error.value)


def test_everything_that_is_given_is_offered():
    assert sorted(client_module.__all__) == client_module.__all__
    assert all(hasattr(client_module, name) for name in client_module.__all__)


def test_the_example_of_the_page_runs(transport, world, monkeypatch):
    (text,) = re.findall(
        r"```python\n(from switchhook\.client .*?)```", PAGE.read_text(), re.DOTALL
    )
    named: dict[str, Any] = {}
    exec(text, named)
    monkeypatch.setitem(named, "Client", lambda url, token: Client(url, token, transport=transport))
    said = named["failures"]("http://127.0.0.1:8081", "shk_x")
    assert [each.partition(":")[0] for each in said] == [world.calls[2], world.calls[1]]
