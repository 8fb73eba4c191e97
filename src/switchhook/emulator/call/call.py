"""One call: it walks its flow, applet by applet, as Exotel would walk it.

The caller does things meanwhile (hangs up, presses keys, speaks); once gone, what is left of the
flow passes at once, and only its passthrus still happen (seed, tests 1 and 3).
"""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import msgspec

from switchhook.emulator.call.faults import Place
from switchhook.emulator.call.parameters import CallTold, Dialled, StreamTold
from switchhook.emulator.exchange.agents import connect
from switchhook.emulator.exchange.requests import Requests
from switchhook.emulator.net.results import Reply
from switchhook.emulator.plan import flow as applets
from switchhook.emulator.plan.flow import Applet, kind_of
from switchhook.emulator.sound.voice import Utterance, sound, voice_of, why_not
from switchhook.errors import SwitchhookError

if TYPE_CHECKING:
    import random
    from collections.abc import Coroutine, Iterator
    from datetime import datetime

    from switchhook.emulator.call.trace import Trace
    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.exchange.line import Line
    from switchhook.emulator.plan.behaviour import Behaviour
    from switchhook.emulator.plan.flow import Flow
    from switchhook.emulator.plan.plan import Act, Caller, FaultKind
    from switchhook.emulator.sound.voice import Heard
    from switchhook.emulator.stream.session import StreamSession
    from switchhook.exotel.wire.calls import ConnectRequest

Ending = Literal["caller", "flow", "limit", "busy", "no-answer", "failed"]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is fixed about a call when it begins. Numbers in E.164."""

    sid: str
    from_: str
    exophone: str
    outbound: bool = False
    custom_field: str | None = None
    time_limit_s: float | None = None
    flow_name: str = ""


class Call:
    """A call in progress, and after its end what became of it."""

    def __init__(
        self,
        exchange: Exchange,
        line: Line,
        facts: Facts,
        flow: Flow,
        caller: Caller,
        chance: random.Random,
        wanted: ConnectRequest | None = None,
    ) -> None:
        self.wanted = wanted
        self.exchange, self.line, self.facts, self.flow = exchange, line, facts, flow
        self.caller, self.chance = caller, chance
        self.clock = exchange.clock
        self.created: datetime = self.clock.date()
        self.answered: datetime | None = None
        self.ended: datetime | None = None
        self.ending: Ending | None = None
        self.trace: Trace = exchange.open_trace(
            {
                "call": facts.sid,
                "account": line.sid,
                "from": facts.from_,
                "exophone": facts.exophone,
                "direction": "outbound" if facts.outbound else "inbound",
                "flow": facts.flow_name,
                "created": self.created.isoformat(),
                "custom_field": facts.custom_field,
            }
        )
        self.gone = asyncio.Event()
        """Set once nobody is on the line any more."""
        self.over = asyncio.Event()
        """Set once the call has ended."""
        self.heard: Heard = []
        self.streams: list[StreamSession] = []
        """The open ones."""
        self.told: StreamTold | None = None
        """What a passthru would say of the newest stream (G-10)."""
        self.dialled: Dialled | None = None
        self.digits: str | None = None
        self.voicemail_url: str | None = None
        self.requests = Requests(self)
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        self._select: str | None = None
        self._passthrus_since_gone = 0
        self._beside: set[asyncio.Future[Reply | None]] = set()
        self._timers: list[asyncio.TimerHandle] = []

    # Life.

    async def run(self) -> None:
        """From the first ring to the end, whatever happens on the way."""
        try:
            if self.facts.outbound and not await self._ring_caller():
                return
            self.answered = self.clock.date()
            self.trace.note("answered")
            self.exchange.call_answered(self)
            limit = self.facts.time_limit_s or self.behaviour().call_limit_s
            self._later(limit, lambda: self.leave("limit"))
            self._later(self.caller.patience_s, lambda: self.leave("caller"))
            with self._acting(None):
                await self._walk()
            await self._finish_beside()
        finally:
            for timer in self._timers:
                timer.cancel()
            self.leave("flow", quietly=True)
            self.ended = self.clock.date()
            self.trace.note("ended", by=self.ending)
            self.exchange.call_ended(self)
            self.over.set()

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
            self._keys.put_nowait(digit)
            for stream in self.streams:
                stream.dtmf(digit)

    def hear(self, act: Act) -> None:
        """Say something."""
        self.trace.note("said", what_was=act.says or act.plays or f"{act.tone_hz:g} Hz")
        utterance = Utterance(act, voice_of(self.exchange.plan))
        problem = why_not(utterance)
        if problem is not None and self.exchange.says_for_the_first_time(problem):
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
        for fault in self.exchange.faults.strike_all("behave", self.place(applet), self.chance):
            behaviour = behaviour.changed(fault.behaviour)
        return behaviour

    def place(self, applet: str | None = None) -> Place:
        """Where faults look for this call."""
        return Place(
            account=self.line.sid,
            number=self.facts.exophone,
            flow=self.facts.flow_name,
            applet=applet,
        )

    def described(self) -> CallTold:
        """The facts that a request of Exotel tells now."""
        return CallTold(
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
            stream=self.told,
            passthru_url=self.requests.passthru_url,
        )

    async def _ring_caller(self) -> bool:
        self.trace.note("ringing", number=self.facts.from_)
        self.exchange.call_rings(self)
        await self.spend(self.caller.rings_s)
        if self.caller.answers == "yes" and not self.gone.is_set():
            return True
        if self.caller.answers != "yes":
            self.leave(self.caller.answers)
        return False

    # Walking.

    async def _walk(self) -> None:
        name: str | None = self.flow.first
        while name is not None:
            applet = self.flow.applet[name]
            self.trace.note("applet", name=name, kind=kind_of(applet))
            if isinstance(applet, applets.Hangup):
                return
            if self._is_pointless(applet):
                self.trace.note("stopped", why="nobody is on the line any more")
                return
            with self._acting(name):
                name = await self._do(name, applet)
        if not self.gone.is_set():
            self.trace.note(
                "warning",
                text="nothing follows this output: the caller hears silence until they hang up",
            )
            await self.gone.wait()

    def _is_pointless(self, applet: Applet) -> bool:
        """Without a caller, a flow is walked as far as its passthrus reach, and no stream again."""
        after_passthru = self._passthrus_since_gone > 0
        streams = isinstance(applet, applets.Voicebot | applets.Stream)
        people = isinstance(applet, applets.Connect | applets.Voicemail)
        return self.gone.is_set() and (people or (after_passthru and streams))

    async def _do(self, name: str, applet: Applet) -> str | None:
        match applet:
            case applets.Greeting():
                await self.spend(applet.seconds)
                return applet.next
            case applets.Gather():
                await self._gather(applet)
                return applet.next
            case applets.Menu():
                return await self._choose(applet)
            case applets.Voicebot():
                await self.exchange.converse(self, name, applet)
                return applet.next
            case applets.Stream():
                await self.exchange.fork(self, name, applet)
                return applet.next
            case applets.Passthru(mode="async"):
                self._spawn(self.requests.passthru(name, applet))
                return applet.next
            case applets.Passthru():
                return await self._passthru_sync(name, applet)
            case applets.SwitchCase():
                return self._switch(applet)
            case applets.Connect():
                self.dialled = await connect(self, applet)
                return applet.answered if self.dialled.status == "completed" else applet.no_answer
            case applets.Voicemail():
                await self._voicemail(applet)
                return applet.next
            case applets.Hangup():
                raise AssertionError(applet)

    async def _key(self, wait_s: float) -> str | None:
        """The next key, or None when it doesn't come in time or at all."""
        if self.gone.is_set():
            return None
        pressed = asyncio.ensure_future(self._keys.get())
        gone = asyncio.ensure_future(self.gone.wait())
        try:
            await asyncio.wait((pressed, gone), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            return pressed.result() if pressed.done() else None
        finally:
            pressed.cancel()
            gone.cancel()

    async def _gather(self, applet: applets.Gather) -> None:
        digits = ""
        wait_s = applet.prompt_s + applet.wait_s  # one may type into the prompt
        while len(digits) < applet.most_digits:
            key = await self._key(wait_s)
            if key is None or key == applet.finish_on:
                break
            digits, wait_s = digits + key, applet.wait_s
        if digits:
            self.digits = digits
        self.trace.note("gathered", digits=digits)

    async def _choose(self, applet: applets.Menu) -> str | None:
        key = await self._key(applet.prompt_s + applet.wait_s)
        if key is not None:
            self.digits = key
        chosen = applet.keys.get(key or "", applet.otherwise)
        self.trace.note("chosen", key=key, next=chosen)
        return chosen

    # Passthru.

    async def _passthru_sync(self, name: str, applet: applets.Passthru) -> str | None:
        reply = await self.requests.passthru(name, applet)
        option = "a" if reply is not None and reply.status == 200 else "b"
        chosen = applet.a if option == "a" else applet.b
        self.trace.note(
            "option", applet=name, option=option.upper(), next=chosen, unheard=self.gone.is_set()
        )
        if self.gone.is_set():
            self._passthrus_since_gone += 1
        follows = self.flow.applet.get(chosen or "")
        self._select = None
        if isinstance(follows, applets.SwitchCase) and reply is not None:
            self._select = self._read_select(reply)
        return chosen

    def _read_select(self, reply: Reply) -> str | None:
        try:
            said = json.loads(reply.body)
        except ValueError:
            said = None
        if isinstance(said, dict) and isinstance(said.get("select"), str):
            return str(said["select"])
        self.trace.note(
            "warning",
            text='SwitchCase follows, but the body of the answer is no JSON object with "select":'
            f" {reply.body[:80].decode(errors='replace')!r}",
        )
        return None

    def _switch(self, applet: applets.SwitchCase) -> str | None:
        chosen = applet.cases.get(self._select or "", applet.otherwise)
        self.trace.note("switched", select=self._select, next=chosen)
        return chosen

    # People.

    async def _voicemail(self, applet: applets.Voicemail) -> None:
        self.trace.note("voicemail")
        await self.spend(applet.seconds)
        self.voicemail_url = self.recording_url()

    def recording_url(self) -> str:
        """Where the recording of its talk, or of its voicemail, will be."""
        return self.exchange.recording_url(self.line, self.facts.sid)

    # Beside the walk.

    def _later(self, seconds: float, act: object) -> None:
        self._timers.append(self.clock.loop.call_later(seconds, act))  # type: ignore[arg-type]

    def _spawn(self, work: Coroutine[None, None, Reply | None]) -> None:
        task = asyncio.ensure_future(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _finish_beside(self) -> None:
        """Let async passthrus end, close forked streams, send what was held back."""
        for stream in list(self.streams):
            await stream.end("caller" if self.ending == "caller" else "flow")
        while self._beside:
            await asyncio.wait(self._beside)
        await self.requests.release_held()

    @contextmanager
    def _acting(self, applet: str | None) -> Iterator[None]:
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

    def fault(self, what: FaultKind, applet: str) -> bool:
        """Whether a fault strikes this applet now; it is noted."""
        struck = self.exchange.faults.strike(what, self.place(applet), self.chance)
        if struck is not None:
            self.trace.note("fault", fault=what, applet=applet)
        return struck is not None
