"""A trace again: its passthrus at another server, its caller's side of the talk at another bot."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.asgi import ASGIApp
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.plan.flow import Flow, Hangup, Passthru, Voicebot
from switchhook.emulator.plan.plan import Account, Act, Caller, Number, Plan
from switchhook.emulator.runs.replay_passthrus import replay_passthrus
from switchhook.emulator.runs.replay_stream import replay_stream, talks_in
from switchhook.emulator.sound.speech import tone

NUMBER = "+918047112233"


def plan(bot, caller, **behaviour):
    return Plan(
        account={"acme": Account()},
        number={NUMBER: Number(account="acme", flow="f")},
        flow={
            "f": Flow(
                first="bot",
                applet={
                    "bot": Voicebot(url=bot, next="told"),
                    "told": Passthru(url="https://server.example/p", a="end", b="end"),
                    "end": Hangup(),
                },
            )
        },
        caller={"one": caller},
        behaviour=behaviour,
    )


def virtual(work):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


class Server:
    """Answers passthrus with these statuses, one after the other, and keeps what they said."""

    def __init__(self, *statuses):
        self.queries, self._left = [], list(statuses)

    async def __call__(self, scope, receive, send):
        self.queries.append(scope["query_string"].decode())
        await send({"type": "http.response.start", "status": self._left.pop(0), "headers": []})
        await send({"type": "http.response.body", "body": b""})


def trace_of(plan, *, keep_media=True):
    """What a call's trace has, as it comes back from its file."""

    async def main():
        apps: dict[str, ASGIApp] = {"bot.example": make_bot(), "server.example": Server(200)}
        exchange = Exchange(
            plan,
            clock=Clock(asyncio.get_running_loop(), VIRTUAL_START),
            chance=Chance(1),
            web=Web(AddressAllowList(), apps=apps),
            dial=dialler(AddressAllowList(), apps=apps),
            keep_media=keep_media,
        )
        call = exchange.ring(NUMBER, plan.caller["one"])
        await exchange.drain()
        return [msgspec.json.decode(line) for line in call.trace.lines().splitlines()]

    return virtual(main())


TALKER = Caller(
    patience_s=6,
    does=(
        Act(at="bot", after_s=1, tone_hz=440, seconds=1),
        Act(at="bot", after_s=3, presses="42"),
    ),
)


@pytest.mark.parametrize("camel", [False, True])
def test_the_callers_side_is_taken_out_of_a_trace(camel):
    url = "wss://bot.example/bot?after=9&sample-rate=16000"
    (talk,) = talks_in(trace_of(plan(url, TALKER, camel_keys=camel)))
    assert (talk.start.sample_rate, talk.start.custom_parameters["after"]) == (16000, "9")
    assert talk.said[: 2 * 16000] == bytes(2 * 16000)
    assert talk.said[2 * 16000 : 4 * 16000] == tone(440, 1, 16000)
    assert [(round(at, 3), key) for at, key in talk.keys] == [(3, "4"), (3, "2")]
    assert talk.seconds == pytest.approx(6, abs=0.01)
    assert (talk.outcome.status, talk.outcome.disconnected_by) == ("completed", "user")
    assert talk.outcome.first_audio_s == 0.0


def test_a_bot_hears_the_same_again():
    """Same frames, same keys, same end; another bot is told apart."""
    url = "wss://bot.example/bot/talk"
    (talk,) = talks_in(trace_of(plan(url, TALKER)))
    heard = []

    async def bot(scope, receive, send):
        async def watched():
            message = await receive()
            heard.append(message.get("text") or "")
            return message

        await make_bot()(scope, watched, send)

    peers = {"bot.example": bot}
    again = virtual(replay_stream(talk, url, peers=peers))
    assert not again.differs
    assert str(again).startswith(f"same  {talk.start.stream_sid[:12]}…: completed by user, the bot")
    digits = [text for text in heard if '"dtmf"' in text]
    assert ['"digit":"4"' in digits[0], '"digit":"2"' in digits[1]] == [True, True]
    assert sum('"media"' in text for text in heard) == pytest.approx(300, abs=2)

    silent = virtual(replay_stream(talk, "wss://bot.example/bot/silent", peers=peers))
    assert silent.differs
    assert "cancelled by user, the bot never spoke now" in str(silent)
    gone = virtual(replay_stream(talk, "wss://bot.example/bot/refuse", peers=peers))
    assert gone.differs
    assert "bad handshake" in gone.now.error
    crash = virtual(replay_stream(talk, "wss://bot.example/bot/crash", peers=peers))
    assert (crash.differs, crash.now.disconnected_by) == (True, "bot")


def test_a_bot_that_does_not_end_is_hung_up_on():
    (talk,) = talks_in(trace_of(plan("wss://bot.example/bot?after=5", Caller())))
    assert talk.outcome.disconnected_by == "bot"

    async def main():
        loop = asyncio.get_running_loop()
        peers = {"bot.example": make_bot()}
        again = await replay_stream(talk, "wss://bot.example/bot/talk", peers=peers)
        return again, loop.time()

    again, took = virtual(main())
    assert (again.differs, again.now.disconnected_by) == (True, "user")
    assert took == pytest.approx(15, abs=0.5)


def test_the_bot_gets_the_parameters_of_the_trace_unless_it_has_its_own():
    url = "wss://bot.example/bot?after=2&sample-rate=24000"
    (talk,) = talks_in(trace_of(plan(url, Caller())))
    asked = []

    async def bot(scope, receive, send):
        asked.append(scope["query_string"].decode())
        await make_bot()(scope, receive, send)

    for there in ("wss://bot.example/bot", "wss://bot.example/bot?after=1"):
        virtual(replay_stream(talk, there, peers={"bot.example": bot}))
    assert asked == ["after=2&sample-rate=24000", "after=1"]


def test_a_trace_without_media_has_nothing_to_say():
    (talk,) = talks_in(trace_of(plan("wss://bot.example/bot?after=2", TALKER), keep_media=False))
    assert not talk.said
    refused = trace_of(plan("wss://bot.example/bot/refuse", TALKER))
    assert talks_in(refused) == []
    assert talks_in([{"what": "sent", "text": "{"}, {"what": "sent"}, {"t": 1}]) == []


def test_passthrus_are_compared():
    entries = trace_of(plan("wss://bot.example/bot?after=2", Caller()))

    async def main(app):
        web = Web(AddressAllowList(), apps={"there.example": app})
        url = "https://there.example/p"
        return [again async for again in replay_passthrus(web, url, entries, limit_s=5)]

    app = Server(200)
    (again,) = virtual(main(app))
    assert str(again) == "same  told: 200 then, 200 now"
    assert app.queries == [next(e["query"] for e in entries if e.get("what") == "passthru")]
    (again,) = virtual(main(Server(302)))
    assert (again.differs, str(again)) == (True, "differs  told: 200 then, 302 now")
