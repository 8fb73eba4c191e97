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

from switchhook.emulator import flow as applets
from switchhook.emulator.faults import Place
from switchhook.emulator.flow import Applet, kind_of
from switchhook.emulator.net import NetError, Reply
from switchhook.emulator.parameters import (
    CallTold,
    Dialled,
    Leg,
    StreamTold,
    dynamic_url_pairs,
    encode,
    passthru_pairs,
)
from switchhook.emulator.plan import Agent
from switchhook.emulator.urls import shown, with_secret
from switchhook.emulator.voice import Utterance, sound, voice_of, why_not
from switchhook.errors import SwitchhookError

if TYPE_CHECKING:
    import random
    from collections.abc import Coroutine, Iterator
    from datetime import datetime

    from switchhook.emulator.behaviour import Behaviour
    from switchhook.emulator.exchange import Exchange, Line
    from switchhook.emulator.flow import Flow
    from switchhook.emulator.plan import Act, Caller, FaultKind
    from switchhook.emulator.streams import StreamSession
    from switchhook.emulator.trace import Trace
    from switchhook.emulator.voice import Heard
    from switchhook.wire.calls import ConnectRequest

Ending = Literal["caller", "flow", "limit", "busy", "no-answer", "failed"]

_SHOWN_BODY = 2000
_CAUSES = {
    "yes": ("16", "NORMAL_CLEARING"),
    "busy": ("17", "USER_BUSY"),
    "no-answer": ("1003", "RING_TIMEOUT"),
    "failed": ("38", "NETWORK_OUT_OF_ORDER"),
}


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
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        self._passthru_url: str | None = None
        self._select: str | None = None
        self._passthrus_since_gone = 0
        self._beside: set[asyncio.Future[Reply | None]] = set()
        self._held: list[Coroutine[None, None, None]] = []
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
            passthru_url=self._passthru_url,
        )

    async def _ring_caller(self) -> bool:
        self.trace.note("ringing", number=self.facts.from_)
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
                self._spawn(self._passthru(name, applet))
                return applet.next
            case applets.Passthru():
                return await self._passthru_sync(name, applet)
            case applets.SwitchCase():
                return self._switch(applet)
            case applets.Connect():
                return await self._connect(applet)
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
        reply = await self._passthru(name, applet)
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

    async def _passthru(self, name: str, applet: applets.Passthru) -> Reply | None:
        behaviour, place = self.behaviour(name), self.place(name)
        strike = self.exchange.faults.strike
        query = encode(passthru_pairs(self.described(), behaviour), self.told, behaviour)
        url = applet.url if behaviour.secret is None else with_secret(applet.url, behaviour.secret)
        self._passthru_url = url
        if strike("passthru-lost", place, self.chance):
            self.trace.note("fault", fault="passthru-lost", applet=name, query=query.decode())
            if applet.mode == "sync":
                await asyncio.sleep(behaviour.passthru_limit_s)
            return None
        if late := strike("passthru-late", place, self.chance):
            self.trace.note("fault", fault="passthru-late", applet=name, seconds=late.seconds)
            await asyncio.sleep(late.seconds)
        if strike("passthru-out-of-order", place, self.chance):
            # The next passthru of this call, or its end, lets go what is held.
            self.trace.note("fault", fault="passthru-out-of-order", applet=name)
            self._held.append(self._ask_quietly(name, url, query, behaviour))
            return None
        reply = await self._ask(name, applet.mode, url, query, behaviour)
        if strike("passthru-twice", place, self.chance):
            self.trace.note("fault", fault="passthru-twice", applet=name)
            await self._ask(name, applet.mode, url, query, behaviour)
        await self._release_held()
        return reply

    async def _release_held(self) -> None:
        held, self._held = self._held, []
        for one in held:
            await one

    async def _ask_quietly(self, name: str, url: str, query: bytes, behaviour: Behaviour) -> None:
        await self._ask(name, "async", url, query, behaviour)

    async def _ask(
        self, name: str, mode: str, url: str, query: bytes, behaviour: Behaviour
    ) -> Reply | None:
        """One request, and its answer; None where none came in time."""
        self.trace.note("passthru", applet=name, mode=mode, url=shown(url), query=query.decode())
        began = self.clock.now()
        try:
            reply = await self.exchange.web.send(
                "GET",
                url,
                query=query,
                headers=[*_HEADERS, *behaviour.request_headers.items()],
                limit_s=behaviour.passthru_limit_s,
            )
        except NetError as error:
            self.trace.note(
                "no_answer",
                applet=name,
                kind=error.failure.kind.value,
                text=str(error),
                detail=error.failure.detail or None,
                seconds=self._since(began),
            )
            return None
        except SwitchhookError as error:
            self.trace.note("refused_to_dial", applet=name, text=str(error))
            return None
        self.trace.note(
            "answer",
            applet=name,
            status=reply.status,
            headers=[list(header) for header in reply.headers],
            body=reply.body[:_SHOWN_BODY].decode(errors="replace"),
            seconds=self._since(began),
        )
        for text in _warnings(reply, mode):
            self.trace.note("warning", applet=name, text=text)
        return reply

    def _since(self, began: float) -> float:
        return round(self.clock.now() - began, 6)

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

    async def dynamic_url(self, name: str, url: str, behaviour: Behaviour) -> Reply:
        """Ask for a stream's URL. Raises what the web raises."""
        query = encode(dynamic_url_pairs(self.described(), behaviour), None, behaviour)
        self.trace.note("dynamic_url", applet=name, url=shown(url), query=query.decode())
        reply = await self.exchange.web.send(
            "GET", url, query=query, headers=_HEADERS, limit_s=behaviour.dynamic_url_limit_s
        )
        self.trace.note(
            "dynamic_url_answer",
            applet=name,
            status=reply.status,
            body=reply.body[:_SHOWN_BODY].decode(errors="replace"),
        )
        return reply

    # People.

    async def _connect(self, applet: applets.Connect) -> str | None:
        began = self.clock.now()
        agents = [(number, self.exchange.agent(number)) for number in applet.numbers]
        parallel = applet.order == "parallel"
        legs: list[Leg] = []
        reached: Agent | None = None
        if parallel:
            reached, legs = await self._ring_together(agents, applet.ring_s)
        else:
            for number, agent in agents:
                self.trace.note("ring", number=number)
                there = await self.spend(min(agent.rings_s, applet.ring_s))
                late = agent.answers == "yes" and agent.rings_s > applet.ring_s
                met = "no-answer" if late else agent.answers
                if there and met == "yes":
                    reached = agent
                    legs.append(_leg(number, parallel=False, met="yes"))
                    break
                legs.append(_leg(number, parallel=False, met=met if there else "no-answer"))
                if not there:
                    break
        if reached is not None:
            self.trace.note("connected", number=legs[-1].number)
            talking = self.clock.now()
            await self.spend(reached.talks_s)
            talk_s = int(self.clock.now() - talking)
            legs[-1] = msgspec.structs.replace(legs[-1], talk_s=talk_s)
        self.dialled = self._dialled(applet, legs, began, answered=reached is not None)
        self.trace.note("dialled", status=self.dialled.status, legs=len(legs))
        return applet.answered if reached is not None else applet.no_answer

    async def _ring_together(
        self, agents: list[tuple[str, Agent]], ring_s: float
    ) -> tuple[Agent | None, list[Leg]]:
        for number, _ in agents:
            self.trace.note("ring", number=number)
        willing = [
            (agent.rings_s, at)
            for at, (_, agent) in enumerate(agents)
            if agent.answers == "yes" and agent.rings_s <= ring_s
        ]
        soonest = min(willing, default=None)
        there = await self.spend(soonest[0] if soonest else ring_s)
        winner = soonest[1] if soonest and there else None
        legs = [
            _leg(
                number, parallel=True, met="no-answer" if agent.answers == "yes" else agent.answers
            )
            for at, (number, agent) in enumerate(agents)
            if at != winner
        ]
        if winner is None:
            return None, legs
        return agents[winner][1], [*legs, _leg(agents[winner][0], parallel=True, met="yes")]

    def _dialled(
        self, applet: applets.Connect, legs: list[Leg], began: float, *, answered: bool
    ) -> Dialled:
        last = legs[-1].cause_code if legs else ""
        status = {"USER_BUSY": "busy", "NETWORK_OUT_OF_ORDER": "failed"}.get(last, "no-answer")
        call_type = "incomplete"
        if answered:
            status, call_type = "completed", "completed"
        elif self.gone.is_set():
            status, call_type = "canceled", "client-hangup"
        return Dialled(
            status=status,
            seconds=int(self.clock.now() - began),
            legs=tuple(legs),
            call_type=call_type,
            recording_url=self._recording_url() if applet.record and answered else None,
        )

    async def _voicemail(self, applet: applets.Voicemail) -> None:
        self.trace.note("voicemail")
        await self.spend(applet.seconds)
        self.voicemail_url = self._recording_url()

    def _recording_url(self) -> str:
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
        await self._release_held()

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


_HEADERS = [("Accept", "*/*"), ("User-Agent", "switchhook-emulator")]


def _leg(number: str, *, parallel: bool, met: str) -> Leg:
    cause, code = _CAUSES[met]
    return Leg(number=number, parallel=parallel, talk_s=0, cause=cause, cause_code=code)


def _warnings(reply: Reply, mode: str) -> list[str]:
    """What an expert would say of an answer, though Exotel takes it in silence."""
    found = []
    if mode == "sync" and reply.status not in (200, 302):
        found.append(
            f"the server answered {reply.status}; anything but 200 is Option B, and only 302 says"
            " so on purpose"
        )
    if reply.cut:
        found.append("the server's body was endless or over 64 KB; the rest was not read")
    start = reply.body.lstrip()[:64].lower()
    if start.startswith((b"<?xml", b"<response")):
        found.append("the body looks like TwiML or ExoML; Exotel does not execute it")
    return found
