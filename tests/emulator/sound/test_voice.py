"""What callers say: by espeak-ng where it is, as speech-like sound where it isn't."""

from __future__ import annotations

import asyncio
import base64
import stat
import sys

import msgspec
import pytest

from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.plan.flow import Flow, Hangup, Voicebot
from switchhook.emulator.plan.plan import Account, Act, Caller, Number, Plan
from switchhook.emulator.sound import voice
from switchhook.emulator.sound.speech import tone
from switchhook.emulator.sound.voice import (
    Utterance,
    frame_at,
    prepare,
    silent,
    sound,
    spoken,
    why_not,
)

HELLO = Act(at="bot", after_s=1, says="hello there")
NUMBER = "+918047112233"
PLAN = Plan(
    account={"acme": Account()},
    number={NUMBER: Number(account="acme", flow="f")},
    flow={
        "f": Flow(
            first="bot",
            applet={
                "bot": Voicebot(url="wss://bot.example/bot?after=4", record=True, next="end"),
                "end": Hangup(),
            },
        )
    },
    caller={"polite": Caller(does=(HELLO, msgspec.structs.replace(HELLO, after_s=3)))},
)

pytestmark = pytest.mark.process

PROGRAM = """#!{python}
import sys, wave
with open({log!r}, "a") as log:
    print(sys.argv[1:], file=log)
{body}
"""
SPEAKS = """
with wave.open(sys.stdout.buffer, "wb") as out:
    out.setnchannels(1), out.setsampwidth(2), out.setframerate(16000)
    out.writeframes(b"\\x00\\x40" * 16000)
"""


@pytest.fixture
def espeak(tmp_path, monkeypatch):
    """Installs an espeak-ng of our own, or none; gives what it was told."""
    log = tmp_path / "told"
    log.touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    voice._spoken.cache_clear()
    voice.sound.cache_clear()

    def install(body=SPEAKS):
        program = tmp_path / "espeak-ng"
        program.write_text(PROGRAM.format(python=sys.executable, log=str(log), body=body))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return lambda: [eval(line) for line in log.read_text().splitlines()]

    yield install
    voice._spoken.cache_clear()
    voice.sound.cache_clear()


def pcm_of(frames):
    return b"".join(map(base64.b64decode, frames))


def traces(plan, calls=1):
    """The entries of calls one after another."""

    async def main():
        apps = {"bot.example": make_bot()}
        exchange = Exchange(
            plan,
            clock=Clock(asyncio.get_running_loop(), VIRTUAL_START),
            chance=Chance(1),
            web=Web(AddressAllowList(), apps=apps),
            dial=dialler(AddressAllowList(), apps=apps),
        )
        found = []
        for _ in range(calls):
            call = exchange.ring(NUMBER, plan.caller["polite"])
            await exchange.drain()
            found.append(call.trace)
        return found

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


def test_a_text_is_spoken_once_and_resampled(espeak):
    told = espeak()
    utterance = Utterance(HELLO, "en-in")
    assert why_not(utterance) is None
    for rate in (8000, 24000):
        pcm = pcm_of(sound(utterance, rate, 20))
        assert len(pcm) == 2 * rate
        assert pcm[: 2 * rate - 4] == b"\x00\x40" * (rate - 2)
    assert told() == [["-v", "en-in", "--stdout", "--", "hello there"]]


def test_a_text_can_not_be_taken_for_an_option(espeak):
    told = espeak()
    assert why_not(Utterance(Act(says="--path=/etc -f x; $(id)"), "en")) is None
    assert told() == [["-v", "en", "--stdout", "--", "--path=/etc -f x; $(id)"]]


@pytest.mark.parametrize(
    ("body", "text", "said"),
    [
        (None, "hi", "espeak-ng is not installed"),
        ("sys.exit('no such voice')", "hi", "espeak-ng does not speak: no such voice"),
        ("sys.exit(3)", "hi", "espeak-ng does not speak: exit code 3"),
        ("print('RIFF')", "hi", "espeak-ng does not speak: not a WAV file"),
        (SPEAKS, "hi\0", "espeak-ng does not speak: embedded null byte"),
        (SPEAKS, "x" * 2001, "a text of more than 2000 characters is not spoken"),
    ],
)
def test_where_it_can_not_be_spoken_it_is_speech_like(espeak, body, text, said):
    if body is not None:
        espeak(body)
    utterance = Utterance(Act(says=text), "en-in")
    assert why_not(utterance).startswith(said)
    assert sound(utterance, 8000, 20) == sound(Utterance(Act(says=text)), 8000, 20)
    assert any(pcm_of(sound(utterance, 8000, 20)))


def test_only_texts_are_spoken(espeak):
    told = espeak()
    for act in (
        Act(tone_hz=440, says="x"),
        Act(plays="x.wav", says="x"),
        Act(presses="1"),
    ):
        assert why_not(Utterance(act, "en-in")) is None
    assert why_not(Utterance(HELLO, "")) is None
    assert told() == []


def test_what_a_plan_says_is_spoken_beforehand(espeak):
    told = espeak()
    prepare(PLAN)
    assert len(told()) == 1
    (trace,) = traces(PLAN)
    assert len(told()) == 1
    assert len(trace.find("said")) == 2
    prepare(msgspec.structs.replace(PLAN, voice=""))
    assert len(told()) == 1


def test_that_nobody_speaks_is_said_once(espeak):
    first, second = traces(PLAN, calls=2)
    ((hint,), none) = first.find("speech_like"), second.find("speech_like")
    assert hint["text"] == "espeak-ng is not installed: what callers say is speech-like sound"
    assert not none
    (quiet,) = traces(msgspec.structs.replace(PLAN, voice=""))
    assert not quiet.find("speech_like")


def test_whoever_says_something_new_stops_what_they_were_saying():
    long, short = (
        Utterance(Act(tone_hz=500, seconds=2)),
        Utterance(Act(tone_hz=800, seconds=0.1)),
    )
    heard = [(10.0, long), (11.0, short)]
    assert frame_at(heard, 9.9, 8000, 20) == silent(8000, 20)
    assert frame_at(heard, 10.5, 8000, 20) == sound(long, 8000, 20)[25]
    assert frame_at(heard, 11.02, 8000, 20) == sound(short, 8000, 20)[1]
    assert frame_at(heard, 11.5, 8000, 20) == silent(8000, 20)
    pieces = spoken(heard, 9.0, 8000)
    assert sorted((at, len(pcm)) for at, pcm in pieces) == [(1.0, 16000), (2.0, 1600)]
    assert pieces[1][1] == tone(500, 1.0, 8000)
