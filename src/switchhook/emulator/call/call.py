"""One call: what is known of it, and what its caller does: hangs up, presses keys, speaks."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from switchhook.emulator.call.faults import FaultSite
from switchhook.emulator.call.parameters import CallParameters, Dialled, StreamParameters
from switchhook.emulator.plan.bots import bots_at
from switchhook.emulator.sound.voice import Utterance, sound, voice_of, why_not
from switchhook.errors import SwitchhookError

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from datetime import datetime

    from switchhook.emulator.call.faults import Faults
    from switchhook.emulator.call.trace import Entry, Trace
    from switchhook.emulator.clock import Clock
    from switchhook.emulator.exchange.line import AccountLine
    from switchhook.emulator.net.http_client import Web
    from switchhook.emulator.plan.behaviour import Behaviour
    from switchhook.emulator.plan.flow import Flow
    from switchhook.emulator.plan.plan import Act, Agent, Caller, FaultKind, Plan
    from switchhook.emulator.sound.voice import Heard
    from switchhook.exotel.wire.connect import ConnectRequest

Ending = Literal["caller", "flow", "limit", "busy", "no-answer", "failed", "declined"]


class CallFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is fixed about a call when it begins. Numbers in E.164."""

    sid: str
    from_: str
    exophone: str
    outbound: bool = False
    custom_field: str | None = None
    time_limit_s: float | None = None
    flow_name: str = ""


class Network(Protocol):
    """What a call asks of the exchange that it goes through."""

    plan: Plan
    clock: Clock
    faults: Faults
    web: Web

    def agent(self, number: str) -> Agent:
        """Who is at a number that Connect rings."""

    def mint(self, chance: random.Random) -> str:
        """A new SID."""

    def open_trace(self, head: Entry) -> Trace:
        """The trace of a new call."""

    def recording_url(self, line: AccountLine, sid: str) -> str:
        """Where the recording of a call or stream will be."""

    def says_for_the_first_time(self, text: str) -> bool:
        """Whether what concerns every call has not been said yet; it counts as said."""


class OpenStream(Protocol):
    """A stream of a call, as the call knows it."""

    stream_outcome: StreamParameters | None

    def dtmf(self, digit: str) -> None:
        """The caller pressed a key."""

    async def end(self, by: Literal["caller", "flow", "limit", "stop", "bot"]) -> None:
        """End it from our side."""


class Call:
    """A call in progress, and after its end what became of it."""

    def __init__(
        self,
        network: Network,
        line: AccountLine,
        facts: CallFacts,
        flow: Flow,
        caller: Caller,
        chance: random.Random,
        wanted: ConnectRequest | None = None,
    ) -> None:
        self.wanted = wanted
        self.network, self.line, self.facts, self.flow = network, line, facts, flow
        self.caller, self.chance = caller, chance
        self.clock = network.clock
        self.created: datetime = self.clock.date()
        self.answered: datetime | None = None
        self.ended: datetime | None = None
        self.ending: Ending | None = None
        self.trace: Trace = network.open_trace(_head(facts, line, self.created))
        self.gone = asyncio.Event()
        """Set once nobody is on the line any more."""
        self.over = asyncio.Event()
        """Set once the call has ended."""
        self.heard: Heard = []
        self.streams: list[OpenStream] = []
        """The open ones."""
        self.stream_outcome: StreamParameters | None = None
        """What a passthru would say of the newest stream (exotel-platform G-10)."""
        self.dialled: Dialled | None = None
        self.digits: str | None = None
        self.voicemail_url: str | None = None
        self.passthru_url: str | None = None
        """The newest passthru's URL, which Exotel leaks to dynamic URLs (exotel-platform A.4)."""
        self.keys: asyncio.Queue[str] = asyncio.Queue()
        """What was pressed and not asked for yet."""

    # Its caller.

    @property
    def answered_by(self) -> Literal["human", "machine"] | None:
        """Who picked up; None as long as nobody has."""
        if self.answered is None:
            return None
        machine = self.facts.outbound and self.caller.answers == "voicemail"
        return "machine" if machine else "human"

    @property
    def talked(self) -> bool:
        """Whether a bot's stream was open, or a person whom Connect rang talked, for some time."""
        people = self.dialled is not None and any(leg.talk_s for leg in self.dialled.legs)
        return people or any(entry["seconds"] > 0 for entry in self.trace.find("media"))

    def leave(self, ending: Ending, *, quietly: bool = False) -> None:
        """Take the caller off the line; the first reason counts."""
        if self.ending is None:
            self.ending = ending
            if not quietly:
                self.trace.note("gone", by=ending)
            self.gone.set()

    def press(self, digits: str) -> None:
        """Press keys: for Gather and menus, and as `dtmf` for open streams."""
        self.trace.note("pressed", digits=digits)
        for digit in digits:
            self.keys.put_nowait(digit)
            for stream in self.streams:
                stream.dtmf(digit)

    def hear(self, act: Act) -> None:
        """Say something."""
        self.trace.note("said", what_was=act.says or act.plays or f"{act.tone_hz:g} Hz")
        utterance = Utterance(act, voice_of(self.network.plan))
        problem = why_not(utterance)
        if problem is not None and self.network.says_for_the_first_time(problem):
            self.trace.note("speech_like", text=f"{problem}: what callers say is speech-like sound")
        try:
            sound(utterance, 8000, 20)
        except (SwitchhookError, OSError) as error:
            self.trace.note("warning", text=f"{act.plays} can't be played: {error}")
            return
        self.heard.append((self.clock.now(), utterance))

    async def spend(self, seconds: float) -> bool:
        """Let time pass while the caller is there; False once they are gone."""
        if self.gone.is_set():
            return False
        try:
            async with asyncio.timeout(seconds):
                await self.gone.wait()
        except TimeoutError:
            return True
        return False

    def behaviour(self, applet: str | None = None) -> Behaviour:
        """The account's behaviour, with the faults that change it here and now."""
        behaviour = self.line.behaviour
        for fault in self.network.faults.strike_all("behave", self.place(applet), self.chance):
            behaviour = behaviour.changed(fault.behaviour)
        return behaviour

    def place(self, applet: str | None = None, bot_url: str | None = None) -> FaultSite:
        """Where faults look for this call; `bot_url` is the address that it dials there."""
        bots = frozenset[str]() if bot_url is None else bots_at(bot_url, self.network.plan.bot)
        return FaultSite(
            account=self.line.sid,
            number=self.facts.exophone,
            flow=self.facts.flow_name,
            applet=applet,
            bots=bots,
        )

    def described(self) -> CallParameters:
        """The facts that a request of Exotel tells now."""
        return CallParameters(
            call_sid=self.facts.sid,
            from_=self.facts.from_,
            exophone=self.facts.exophone,
            outbound=self.facts.outbound,
            created=self.created,
            started=self.answered or self.created,
            now=self.clock.date(),
            flow_id=self.flow.id,
            tenant_id=self.line.account.tenant_id,
            digits=self.digits,
            custom_field=self.facts.custom_field,
            voicemail_url=self.voicemail_url,
            dialled=self.dialled,
            stream=self.stream_outcome,
            passthru_url=self.passthru_url,
        )

    def recording_url(self) -> str:
        """Where the recording of its talk, or of its voicemail, will be."""
        return self.network.recording_url(self.line, self.facts.sid)

    @contextmanager
    def acting(self, applet: str | None) -> Iterator[None]:
        """While entered, the caller does what they do in this applet."""
        acts = [act for act in self.caller.does if act.at == applet]
        timers = [self.clock.loop.call_later(act.after_s, self._act, act) for act in acts]
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()

    def _act(self, act: Act) -> None:
        if self.gone.is_set():
            return
        if act.presses:
            self.press(act.presses)
        if act.says or act.plays or act.tone_hz:
            self.hear(act)
        if act.hangs_up:
            self.leave("caller")

    def fault(self, what: FaultKind, applet: str, bot_url: str | None = None) -> bool:
        """Whether a fault strikes this applet now; it is noted."""
        place = self.place(applet, bot_url)
        struck = self.network.faults.strike(what, place, self.chance)
        if struck is not None:
            self.trace.note("fault", fault=what, applet=applet)
        return struck is not None


def _head(facts: CallFacts, line: AccountLine, created: datetime) -> Entry:
    """The first line of a trace: which call it is."""
    return {
        "call": facts.sid,
        "account": line.sid,
        "from": facts.from_,
        "exophone": facts.exophone,
        "direction": "outbound" if facts.outbound else "inbound",
        "flow": facts.flow_name,
        "created": created.isoformat(),
        "custom_field": facts.custom_field,
    }
