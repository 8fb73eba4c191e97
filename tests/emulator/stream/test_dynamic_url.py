"""Where a dynamic URL says that a stream goes, and what is said of the answer."""

from __future__ import annotations

import json

import pytest

from switchhook.emulator import Flow, Hangup, Passthru, Voicebot
from switchhook.emulator.bot import make_bot
from switchhook.emulator.bot.script import BotScript
from switchhook.emulator.call.narration import tell_all
from switchhook.emulator.call.story import story
from switchhook.emulator.net.results import Reply
from switchhook.emulator.plan.flow import Applet
from switchhook.emulator.plan.plan import Plan
from switchhook.emulator.stream.dynamic_url import read_answer
from switchhook.emulator.testing import Exotel

URL = "https://route.example/voicebot/sales/s3cret"


class Router:
    """Answers as it is told to; keeps what it was asked."""

    def __init__(self, status, body, headers=()):
        self.status, self.body, self.headers, self.asked = status, body, list(headers), []

    async def __call__(self, scope, receive, send):
        self.asked.append(scope["query_string"].decode())
        start = {"type": "http.response.start", "status": self.status, "headers": self.headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.body})


async def yes(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def called(router, **behaviour):
    """A call whose Voicebot applet asks the router; its bot takes any path and parameter."""
    applets: dict[str, Applet] = {
        "bot": Voicebot(url=URL, next="told"),
        "told": Passthru(url="https://passthru.example/p", a="end", b="end"),
        "end": Hangup(),
    }
    with Exotel() as exotel:
        exotel._apps["route.example"] = router
        exotel._apps["passthru.example"] = yes
        exotel._apps["a.example"] = make_bot(only=SAYS_ONE)
        exotel.flow(Plan(flow={"f": Flow(first="bot", applet=applets)}, behaviour=behaviour))
        placed = exotel.call()
        placed.wait()
        return placed.trace


SAYS_ONE = BotScript(say=1, length=0.4)
TOLD = "wss://bot:pa55@a.example/media?lang=hi&token=t0ken&sample-rate=16000"


def find(trace, what):
    return [entry for entry in trace if entry["what"] == what]


def test_the_stream_goes_where_the_answer_says_with_its_parameters_and_rate():
    router = Router(200, json.dumps({"url": TOLD}).encode())
    trace = called(router)
    (told,) = find(trace, "stream_url")
    assert told["url"] == "wss://a.example/media?lang=hi&token=…&sample-rate=16000"
    assert (told["sample_rate"], told["credentials"]) == ("16000", True)
    assert told["parameters"] == {"lang": "hi", "token": "…"}
    assert find(trace, "stream")[0]["Status"] == "completed"
    assert "CallSid=" in router.asked[0]
    assert "CallFrom=" in router.asked[0]


@pytest.mark.parametrize("escaped", [False, True])
def test_neither_credentials_nor_secrets_of_the_address_are_in_the_trace(escaped):
    body = json.dumps({"url": TOLD})
    trace = called(Router(200, (body.replace("/", "\\/") if escaped else body).encode()))
    text = json.dumps(trace)
    assert "pa55" not in text
    assert "t0ken" not in text
    assert find(trace, "dynamic_url_answer")[0]["status"] == 200


def test_the_story_says_what_came_and_what_it_did():
    trace = called(Router(200, json.dumps({"url": TOLD}).encode()))
    lines = [(line.label, line.text) for line in story({"call": "c"}, trace)]
    assert ("address", "“bot”: answered 200 after 0 ms") in lines
    went = (
        "the stream goes to wss://a.example/media?lang=hi&token=…&sample-rate=16000, at 16000 Hz,"
        " with lang=hi, token=…, with credentials"
    )
    assert ("address", went) in lines
    assert any(went in line for line in tell_all(trace))


@pytest.mark.parametrize(
    ("status", "body", "error", "warning"),
    [
        (404, b"", "unexpected status 404", "no address for this call"),
        (302, b"", "unexpected status 302", "not documented; here it does not"),
        (503, b"", "unexpected status 503", "answered 503, not 200"),
        (200, b"wss://a.example/media", "invalid character 'w'", "has to answer JSON"),
        (200, b"<Response/>", "invalid character '<'", "TwiML"),
        (200, b'{"url": "https://a.example/"}', "no url in answer", "has to answer JSON"),
        (200, b'["wss://a.example/"]', "no url in answer", "has to answer JSON"),
    ],
)
def test_a_bad_answer_fails_the_stream_and_the_flow_goes_on(status, body, error, warning):
    trace = called(Router(status, body))
    (stream,) = find(trace, "stream")
    assert stream["Status"] == "failed"
    assert f"3009 failed to fetch stream url {error}" in stream["Error"]
    assert "StreamUrl" not in stream
    assert any(warning in entry["text"] for entry in find(trace, "warning"))
    assert find(trace, "answer")[0]["applet"] == "told"


def test_parameters_over_the_limit_are_left_out_or_fail_the_stream():
    body = json.dumps({"url": "wss://a.example/media?a=1&b=2&c=3&d=4"}).encode()
    trace = called(Router(200, body))
    assert any("'d' is left out" in entry["text"] for entry in find(trace, "warning"))
    assert find(trace, "stream")[0]["Status"] == "completed"
    refused = called(Router(200, body), parameters_over_limit="reject")
    assert "invalid stream url" in find(refused, "stream")[0]["Error"]


def test_an_address_that_is_too_long_is_told():
    found, error, warning = read_answer(
        Reply(200, "OK", (), json.dumps({"url": "wss://a.example/" + "x" * 600}).encode())
    )
    assert (found is not None, error) == (True, "")
    assert "616 characters" in warning
