"""Bad days with somebody's own bot in the place of the built-in one."""

from __future__ import annotations

import asyncio

import pytest

from switchhook.emulator.bot import make_bot
from switchhook.emulator.clock import VirtualLoop
from switchhook.emulator.net.urls import NO_PASSTHRU
from switchhook.emulator.plan.flow import Stream, Voicebot
from switchhook.emulator.runs.own_bot import suits, with_own_bot
from switchhook.emulator.runs.scenario import by_kind, perform
from switchhook.emulator.runs.scenarios import SCENARIOS
from switchhook.emulator.runs.scenarios.definition import Aim
from switchhook.errors import ConfigError

OWN = "wss://own.example/bot"


def aimed(name):
    return with_own_bot(SCENARIOS[name].plan(Aim(passthru=NO_PASSTHRU)), OWN)


def play(name, bot=None, passthru=None, app=None):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        peers = {"own.example": bot or make_bot()} | ({"server.example": app} if app else {})
        return runner.run(perform(SCENARIOS[name], passthru, bot=OWN, peers=peers, seed=1))


@pytest.mark.parametrize(
    "name, faults",
    [
        ("bot-done", []),
        ("caller-hangs-up-mid-talk", []),
        ("sixty-minute-cap", []),
        ("bot-crash", [("bot-crash", 12.0)]),
        ("bot-close-1011", [("bot-closes", 12.0)]),
        ("bot-401", [("bot-401", 3.0)]),
        ("slow-handshake", [("bot-slow-handshake", 12.0)]),
        ("cancelled-late", [("bot-slow-handshake", 8.0)]),
        ("retry-then-success", [("bot-refused-once", 3.0)]),
    ],
)
def test_what_the_built_in_bot_does_wrong_befalls_the_other(name, faults):
    plan = aimed(name)
    (flow,) = plan.flow.values()
    assert {a.url for a in flow.applet.values() if isinstance(a, Voicebot)} == {OWN}
    assert [(fault.what, fault.seconds) for fault in plan.fault] == faults


def test_every_stream_of_a_day_is_aimed():
    (flow,) = aimed("stream-start-stop").flow.values()
    assert [a.url for a in flow.applet.values() if isinstance(a, Stream) and a.url] == [OWN]
    (flow,) = aimed("dynamic-url-good").flow.values()
    assert "url=wss%3A%2F%2Fown.example%2Fbot" in flow.applet["bot"].url


def test_a_day_about_what_a_bad_bot_says_is_refused():
    with pytest.raises(ConfigError, match="what a bad bot says"):
        aimed("oversize-chunk")
    assert [name for name in SCENARIOS if not suits(SCENARIOS[name])] == ["oversize-chunk"]


def test_a_good_bot_passes_and_a_passthru_is_not_needed():
    result = play("bot-done")
    assert result.passed, result.failures
    (call,) = result.calls
    assert call.trace.find("dialled_bot")
    assert call.trace.find("answer")[0]["status"] == 200


@pytest.mark.parametrize("name", ["bot-crash", "retry-then-success", "bot-401", "throttled"])
def test_what_the_day_does_is_not_held_against_the_bot(name):
    result = play(name)
    assert result.passed, result.failures
    never = name in ("bot-401", "throttled")
    assert any("is not connected on this day" in note for note in result.notes) == never


def refusing(status):
    async def bot(scope, receive, send):
        await receive()
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await send({"type": "websocket.http.response.body"})

    return bot


async def mute(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


@pytest.mark.parametrize(
    "bot, words", [(refusing(404), "HTTP 404 Not Found"), (mute, "was not heard in 20 s")]
)
def test_a_bot_that_is_not_reached_or_not_heard_fails(bot, words):
    result = play("bot-done", bot)
    assert not result.passed
    assert any(words in failure for failure in result.failures)


async def leaving(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    await receive()
    await send({"type": "websocket.close", "code": 1000})


@pytest.mark.parametrize("name", ["bot-crash", "bot-close-1011"])
def test_a_day_that_did_not_happen_does_not_pass(name):
    """The bot was gone before it could befall it."""
    result = play(name, leaving)
    assert not result.passed
    assert "did not strike: the stream was over after" in result.failures[0]


def breaking_off(code):
    async def bot(scope, receive, send):
        await send({"type": "websocket.accept"})
        await receive()
        await receive()
        if code is None:
            raise RuntimeError("a bot's own fault")
        reason = "no key" if code == 1011 else ""
        await send({"type": "websocket.close", "code": code, "reason": reason})

    return bot


@pytest.mark.parametrize(
    "code, words",
    [
        (None, "close code 1006: the app raised RuntimeError: a bot's own fault"),
        (1011, "close code 1011: no key"),
        (1008, "close code 1008"),
        (1000, None),
    ],
)
def test_a_bot_that_breaks_off_by_itself_fails(code, words):
    result = play("caller-hangs-up-mid-talk", breaking_off(code))
    assert result.passed == (words is None)
    assert words is None or f"the bot broke off its stream ({words})" in result.failures[0]


def answering(status):
    async def server(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return server


@pytest.mark.parametrize(
    "status, words",
    [
        (200, None),
        (302, "Option B; 200 was due"),
        (404, "answered 404: there is nothing at this URL"),
        (405, "answered 405: it does not take GET"),
        (403, "is the secret in the URL the right one?"),
    ],
)
def test_a_passthru_that_is_named_is_judged_too(status, words):
    result = play("bot-done", passthru="https://server.example/p", app=answering(status))
    assert result.passed == (words is None)
    assert words is None or words in result.failures[0]


@pytest.mark.parametrize("status", [404, 405])
def test_a_wrong_url_is_wrong_even_where_option_b_is_due(status):
    result = play("throttled", passthru="https://server.example/p", app=answering(status))
    assert result.calls[0].trace.find("option")[0]["option"] == "B"
    assert not result.passed


def test_dozens_of_failures_are_summed_up_by_kind():
    results = [
        play(name, passthru="https://server.example/p", app=answering(404))
        for name in ("throttled", "bot-done")
    ]
    (failed, line), *notes = by_kind(results)
    assert failed
    assert line.startswith("in 2 of them: the server answered 404")
    assert line.endswith("(throttled, bot-done)")
    assert all(not bad for bad, _ in notes)
