"""A stream of a trace played back: what the caller said, pressed and did, to another bot.

What the bot of the trace said is not played: the new one says its own, and the two are compared.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import Clock
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.net.urls import HIDDEN
from switchhook.emulator.plan.flow import Applet, Flow, Hangup, Voicebot
from switchhook.emulator.plan.plan import Account, Act, Caller, Number, Plan
from switchhook.emulator.sound import recording
from switchhook.exotel.times import IST
from switchhook.exotel.wire import media

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.call.trace import Entry
    from switchhook.emulator.net.asgi import ASGIApp

_ACCOUNT, _EXOPHONE, _FLOW, _BOT = "exotelt", "+918047112233", "again", "bot"
_LONGER_S = 10.0
"""How much longer than before the bot may take to end the stream, until the caller hangs up."""


class ReplayedStream(msgspec.Struct, kw_only=True):
    """One stream from its caller's side, with seconds since its start."""

    start: media.Start
    said: bytearray = msgspec.field(default_factory=bytearray)
    """16-bit PCM of the stream's rate, silence included."""
    keys: list[tuple[float, str]] = msgspec.field(default_factory=list)
    seconds: float = 0.0
    outcome: ReplayOutcome


class ReplayOutcome(msgspec.Struct, kw_only=True):
    """How a stream ended, and when the bot first spoke."""

    status: str = "in-progress"
    disconnected_by: str = ""
    error: str = ""
    first_audio_s: float | None = None

    def __str__(self) -> str:
        by = f" by {self.disconnected_by}" if self.disconnected_by else ""
        error = f" ({self.error})" if self.error else ""
        spoke = "the bot never spoke"
        if self.first_audio_s is not None:
            spoke = f"the bot spoke after {self.first_audio_s:.2f} s"
        return f"{self.status}{by}{error}, {spoke}"


class Replayed(msgspec.Struct, frozen=True):
    """A stream then and now."""

    stream_sid: str
    then: ReplayOutcome
    now: ReplayOutcome
    breaches: dict[str, int]
    advice: str = ""
    """What to do where the new bot could not be connected."""

    @property
    def differs(self) -> bool:
        """Whether it ended another way, or one of the two bots never spoke, or was not reached."""
        return bool(self.advice) or (
            self.then.status,
            self.then.disconnected_by,
            self.then.first_audio_s is None,
        ) != (
            self.now.status,
            self.now.disconnected_by,
            self.now.first_audio_s is None,
        )

    def __str__(self) -> str:
        word = "differs" if self.differs else "same"
        rules = ", ".join(f"{rule} ({count})" for rule, count in self.breaches.items())
        broke = f"; breaches now: {rules}" if rules else ""
        todo = f": {self.advice}" if self.advice else ""
        return f"{word}  {self.stream_sid[:12]}…: {self.then} then; {self.now} now{broke}{todo}"


def talks_in(entries: Iterable[Entry]) -> list[ReplayedStream]:
    """The streams of a trace that were open, in order. One kept without its media has no sound."""
    talks: dict[str, ReplayedStream] = {}
    began: dict[str, float] = {}
    newest = ""
    for entry in entries:
        at = float(entry.get("t", 0.0))
        match entry.get("what"):
            case "sent":
                message = media.read_exotel(str(entry.get("text")).encode())
                if isinstance(message, media.Start):
                    newest = message.stream_sid
                    talks[newest] = ReplayedStream(start=message, outcome=ReplayOutcome())
                    began[newest] = at
                else:
                    _add(talks, message, at, began)
            case "first_audio" if newest in talks:
                talks[newest].outcome.first_audio_s = float(entry["seconds"])
            case "stream" if (sid := entry.get("StreamSID")) in talks:
                talk = talks[sid]
                talk.seconds = max(talk.seconds, at - began[sid])
                talk.outcome.status = str(entry.get("Status", ""))
                talk.outcome.disconnected_by = str(entry.get("DisconnectedBy", ""))
                talk.outcome.error = str(entry.get("Error", ""))
    return list(talks.values())


def _add(
    talks: dict[str, ReplayedStream], message: media.FromExotel, at: float, began: dict[str, float]
) -> None:
    sid = getattr(message, "stream_sid", "")
    talk = talks.get(sid)
    if talk is None:
        return
    match message:
        case media.Media():
            talk.said += message.payload
        case media.Dtmf():
            talk.keys.append((at - began[sid], message.digit))
        case media.Stop():
            talk.seconds = at - began[sid]


async def replay_stream(
    talk: ReplayedStream,
    bot: str,
    *,
    allow: Iterable[str] = (),
    peers: Mapping[str, ASGIApp] | None = None,
) -> Replayed:
    """Have the caller of a talk say the same to the bot at a WebSocket URL, in this loop.

    A URL without a query gets the custom parameters and the sample rate of the talk.
    """
    clock = Clock(asyncio.get_running_loop(), datetime.now(IST))
    allow_list, apps = AddressAllowList(allow), dict(peers or {})
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        web = Web(allow_list, apps=apps, outside=clock.outside)
        stack.push_async_callback(web.close)
        exchange = Exchange(
            _plan(talk, _with_parameters(bot, talk.start), folder / "said.wav"),
            clock=clock,
            chance=Chance(None),
            web=web,
            dial=dialler(allow_list, apps=apps, outside=clock.outside),
            keep_media=False,
        )
        stack.push_async_callback(exchange.stop)
        call = exchange.ring(_EXOPHONE)
        await exchange.drain()
    fields = call.stream_outcome.fields() if call.stream_outcome is not None else {}
    spoke = call.trace.find("first_audio")
    ended = call.trace.find("media")
    now = ReplayOutcome(
        status=fields.get("Status", ""),
        disconnected_by=fields.get("DisconnectedBy", ""),
        error=fields.get("Error", ""),
        first_audio_s=spoke[0]["seconds"] if spoke else None,
    )
    breaches: dict[str, Any] = (ended[0].get("breaches") if ended else None) or {}
    return Replayed(talk.start.stream_sid, talk.outcome, now, breaches, _advice(call))


def _advice(call: Call) -> str:
    """What to do where the bot was never connected."""
    failed = call.trace.find("dial_failed") if not call.trace.find("dialled_bot") else []
    return str(failed[-1]["advice"]) if failed else ""


def _plan(talk: ReplayedStream, bot: str, said: Path) -> Plan:
    """One caller who does what the talk's did."""
    said.write_bytes(recording.wav(bytes(talk.said), talk.start.sample_rate))
    left = talk.outcome.disconnected_by == "user"
    does = [
        *([Act(at=_BOT, plays=str(said))] if talk.said else []),
        *(Act(at=_BOT, after_s=at, presses=key) for at, key in talk.keys),
        Act(at=_BOT, after_s=talk.seconds + (0 if left else _LONGER_S), hangs_up=True),
    ]
    applets: dict[str, Applet] = {_BOT: Voicebot(url=bot, next="end"), "end": Hangup()}
    return Plan(
        account={_ACCOUNT: Account()},
        number={_EXOPHONE: Number(account=_ACCOUNT, flow=_FLOW)},
        flow={_FLOW: Flow(first=_BOT, applet=applets)},
        caller={"same": Caller(does=tuple(does), patience_s=4 * 3600)},
    )


def _with_parameters(bot: str, start: media.Start) -> str:
    if "?" in bot:
        return bot
    # What was a secret is in no trace: a bot that wants it is given a URL with a query.
    parameters = {key: text for key, text in start.custom_parameters.items() if text != HIDDEN}
    if start.sample_rate != 8000:
        parameters["sample-rate"] = str(start.sample_rate)
    return f"{bot}?{urlencode(parameters)}" if parameters else bot
