"""An open stream: what a bot says on it, what of that is heard, and what breaks the rules."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import struct

import pytest

from switchhook.emulator import Flow, Greeting, Hangup, Stream
from switchhook.emulator.sound.speech import babble
from switchhook.emulator.testing import Exotel

from ..sound.test_mu_law import encoded

TONE = b"".join(struct.pack("<h", int(9000 * math.sin(at / 4))) for at in range(1600))
"""200 ms at 8 kHz."""
SILENCE = bytes(3200)


class Bot:
    """An ASGI bot that does what it is told: waits, messages, at last a close code or None."""

    def __init__(self, *steps, code=1000):
        self.steps, self.code, self.got = steps, code, []

    async def __call__(self, scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        sid = None
        while sid is None:
            said = json.loads((await receive())["text"])
            sid = said.get("stream_sid")
        listening = asyncio.ensure_future(self._listen(receive))
        for step in self.steps:
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                text = json.dumps(step).replace('"$SID"', json.dumps(sid))
                await send({"type": "websocket.send", "text": text})
        if self.code is not None:
            await send({"type": "websocket.close", "code": self.code})
        await listening

    async def _listen(self, receive):
        while (message := await receive())["type"] != "websocket.disconnect":
            self.got.append(json.loads(message["text"]))


def media(pcm=TONE, **more):
    payload = base64.b64encode(pcm).decode()
    return {"event": "media", "stream_sid": "$SID", "media": {"payload": payload}} | more


MARK = {"event": "mark", "stream_sid": "$SID", "mark": {"name": "m"}}
CLEAR = {"event": "clear", "stream_sid": "$SID"}


def without_sid(message):
    return {key: value for key, value in message.items() if key != "stream_sid"}


async def yes(scope, receive, send):
    """A passthru that answers 200."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def played(bot, **call):
    with Exotel() as exotel:
        exotel.passthru(yes)
        exotel.bot(bot)
        placed = exotel.call(**({"hangs_up_after": 30.0} | call))
        placed.wait()
        return placed.trace


def find(trace, what):
    return [entry for entry in trace if entry["what"] == what]


def ended(trace):
    (entry,) = find(trace, "media")
    return entry


@pytest.mark.parametrize(
    "message, rule",
    [
        (without_sid(media()), "missing-stream-sid"),
        (without_sid(MARK), "missing-stream-sid"),
        (without_sid(CLEAR), "missing-stream-sid"),
        (media(stream_sid="another"), "unknown-stream-sid"),
        (MARK | {"stream_sid": "another"}, "unknown-stream-sid"),
        (CLEAR | {"stream_sid": "another"}, "unknown-stream-sid"),
    ],
)
def test_a_missing_or_wrong_stream_id_is_a_breach(message, rule):
    trace = played(Bot(media(), message, message, 1.0))
    assert ended(trace)["breaches"] == {rule: 2}
    (breach,) = find(trace, "breach")
    assert breach["said"].startswith(message["event"])


def test_no_secret_of_a_url_is_in_a_trace_and_each_is_where_it_belongs():
    """In StreamUrl of the passthru, in `start`, in the URL that an earlier passthru had."""
    bot, asked = Bot(media(), 1.0), []

    async def server(scope, receive, send):
        asked.append(scope["query_string"].decode())
        await yes(scope, receive, send)

    with Exotel() as exotel:
        exotel.passthru(server, "/p?secret=s3cr3t")
        exotel.bot(bot, "/?token=t0ken&tier=gold")
        call = exotel.call().wait()
        trace, story = json.dumps(call.trace), call.story()
    assert "tier" in trace
    assert "t0ken" not in trace + story
    assert "s3cr3t" not in trace + story
    assert "token%3Dt0ken" in asked[0]
    assert "secret=s3cr3t" in asked[0]


@pytest.mark.parametrize("message", [media(), MARK, CLEAR])
def test_twilios_spelling_of_the_stream_id_is_said_and_taken(message):
    camel = without_sid(message) | {"streamSid": "$SID"}
    trace = played(Bot(media(), camel, camel, 1.0))
    assert ended(trace)["breaches"] == {"stream-sid-spelling": 2}
    (breach,) = find(trace, "breach")
    assert breach["said"] == f"{message['event']} with streamSid, as Twilio spells it"
    assert "stream_sid" in breach["consequence"]
    unread = without_sid(message) | {"streamSid": None}
    assert ended(played(Bot(media(), unread, 1.0)))["breaches"] == {"missing-stream-sid": 1}


@pytest.mark.parametrize("size", [160, 640, 4000, 16_000])
def test_mu_law_in_place_of_pcm_is_said_once_whatever_the_chunks(size):
    sound = encoded(babble(7, 2.0, 8000))
    chunks = [media(sound[at : at + size]) for at in range(0, len(sound), size)]
    trace = played(Bot(*chunks, 1.0))
    assert ended(trace)["breaches"]["mu-law"] == 1
    (breach,) = (each for each in find(trace, "breach") if each["rule"] == "mu-law")
    assert "16-bit PCM" in breach["consequence"]
    pcm = babble(7, 2.0, 8000)
    trace = played(Bot(*(media(pcm[at : at + 3200]) for at in range(0, len(pcm), 3200)), 1.0))
    assert "mu-law" not in ended(trace).get("breaches", {})


def test_whatever_a_bot_says_on_a_one_way_stream_is_a_breach_and_not_heard():
    bot = Bot(media(), MARK, CLEAR, media(), code=None)
    flow = Flow(
        first="fork",
        applet={
            "fork": Stream(url="wss://bot.example.com/", next="music"),
            "music": Greeting(seconds=3, next="stop"),
            "stop": Stream(action="stop", next="end"),
            "end": Hangup(),
        },
    )
    with Exotel() as exotel:
        exotel.bot(bot, "/")
        exotel.flow(flow)
        call = exotel.call()
        call.wait()
        trace = call.trace
    assert ended(trace)["breaches"] == {"one-way-stream": 4}
    assert ended(trace)["heard_s"] == 0
    assert not [said for said in bot.got if said["event"] == "mark"]


def test_what_was_heard_is_what_had_played():
    """Two seconds were sent at once, and the caller left after one; a chunk is 200 ms."""
    trace = played(Bot(*[media()] * 10, code=None), hangs_up_after=1.0)
    assert ended(trace)["heard_s"] == pytest.approx(1.0, abs=0.05)
    assert ended(trace)["unheard_s"] == pytest.approx(1.0, abs=0.05)
    assert "breaches" not in ended(trace)


def test_a_bot_that_closes_over_its_own_word_is_told():
    trace = played(Bot(*[media()] * 10, 0.5))
    assert "breaches" not in ended(trace)  # no rule forbids it
    assert find(trace, "cut_off")[0]["seconds"] == pytest.approx(1.5, abs=0.05)
    assert ended(trace)["heard_s"] == pytest.approx(0.5, abs=0.05)


def test_what_was_cleared_is_not_heard():
    trace = played(Bot(*[media()] * 10, 0.5, CLEAR, 3.0))
    assert ended(trace)["heard_s"] == pytest.approx(0.6, abs=0.01)  # the third chunk played on
    assert "unheard_s" not in ended(trace)


@pytest.mark.parametrize(
    "said, rule",
    [([], "no-audio"), ([media(SILENCE)] * 3, "silence-only"), ([media(b"\1\0" * 1600)], None)],
)
def test_a_bot_that_says_nothing_is_told(said, rule):
    trace = played(Bot(*said, 20.0))
    breaches = ended(trace).get("breaches", {})
    assert set(breaches) == {rule or "silence-only"}
    assert not find(trace, "first_sound")


def test_the_first_sound_comes_after_silence_that_was_sent():
    trace = played(Bot(media(SILENCE), media(SILENCE), media(), 1.0))
    assert find(trace, "first_audio")[0]["seconds"] == 0.0
    assert find(trace, "first_sound")[0]["seconds"] == pytest.approx(0.4)
    assert "breaches" not in ended(trace)
