"""The exchange: accounts with their limits, the numbers that ring here, and every call.

Everything lives in one event loop. Nothing here knows whether time is real, or whether peers are
across the world or in this process.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.emulator.call.call import Call, CallFacts
from switchhook.emulator.call.faults import Faults
from switchhook.emulator.call.trace import Entry, Trace
from switchhook.emulator.exchange.flow_walk import FlowWalk
from switchhook.emulator.exchange.foreign import bursts, foreign_streams
from switchhook.emulator.exchange.heartbeats import Heartbeats
from switchhook.emulator.exchange.line import AccountLine
from switchhook.emulator.exchange.people import People
from switchhook.emulator.exchange.watcher import Watchers
from switchhook.emulator.plan.behaviour import Behaviour
from switchhook.emulator.plan.numbers import same_number, with_e164
from switchhook.emulator.plan.plan import Agent, Caller
from switchhook.emulator.stream.setup import Streaming
from switchhook.errors import SwitchhookError
from switchhook.exotel.wire.sid import mint

if TYPE_CHECKING:
    import random
    from collections.abc import Coroutine

    from switchhook.emulator.chance import Chance
    from switchhook.emulator.clock import Clock
    from switchhook.emulator.net.http_client import Web
    from switchhook.emulator.net.media_link import Dial
    from switchhook.emulator.plan.flow import Flow
    from switchhook.emulator.plan.plan import Plan
    from switchhook.exotel.wire.connect import ConnectRequest

KEPT_CALLS = 10_000
"""Ended calls that are remembered, with their traces; the oldest go first."""

_PREFIXES = ("7", "8", "9")


class UnknownNumberError(SwitchhookError):
    """Somebody dialled a number that no account has."""

    def __init__(self, number: str, known: list[str]) -> None:
        self.number = number
        listed = ", ".join(known[:5]) or "none"
        super().__init__(f"{number} is no ExoPhone of this emulator (there are: {listed})")


class Exchange:
    """Accounts, numbers and calls of one plan."""

    def __init__(
        self,
        plan: Plan,
        *,
        clock: Clock,
        chance: Chance,
        web: Web,
        dial: Dial,
        recordings: str = "https://recordings.exotel.com/exotelrecordings",
        keep_media: bool = True,
    ) -> None:
        self.plan = plan = with_e164(plan)
        self.clock, self.chance, self.web = clock, chance, web
        self.faults = Faults(plan.fault, clock.now)
        base = Behaviour().changed(plan.behaviour)
        self.lines = {
            sid: AccountLine(sid, account, base.changed(account.behaviour))
            for sid, account in plan.account.items()
        }
        self.streaming = Streaming(clock, dial)
        self.watchers = Watchers()
        tell = self.watchers.on_heartbeat
        self.heartbeats = Heartbeats(plan, self.lines, clock, web, self.linger, tell)
        self.calls: OrderedDict[str, Call] = OrderedDict()
        self.people = People(plan.caller.values())
        self._recordings = recordings
        self._keep_media = keep_media
        self._running: set[asyncio.Task[None]] = set()
        self._lingering: set[asyncio.Task[None]] = set()
        self._placed = 0
        self._said: set[str] = set()

    # Placing calls.

    def ring(self, number: str, caller: Caller | None = None) -> Call:
        """Somebody dials an ExoPhone, in any spelling. Raises UnknownNumberError for others."""
        whole = same_number(number)
        at = self.plan.number.get(whole)
        if at is None:
            raise UnknownNumberError(number, list(self.plan.number))
        return self._start(at.account, whole, at.flow, caller)

    def originate(
        self,
        account: str,
        to: str,
        exophone: str,
        flow: str,
        *,
        caller: Caller | None = None,
        custom_field: str | None = None,
        time_limit_s: float | None = None,
        ad_hoc: Flow | None = None,
        wanted: ConnectRequest | None = None,
    ) -> Call:
        """Exotel calls somebody, on behalf of an account, and connects them to a flow.

        `ad_hoc` is a flow that is not the plan's, `wanted` the API request that asked for the call.
        """
        caller = self.people.when_called(caller or self.caller_of(to), to)
        return self._start(
            account,
            exophone,
            flow,
            caller,
            ad_hoc=ad_hoc,
            wanted=wanted,
            outbound=True,
            custom_field=custom_field,
            time_limit_s=time_limit_s,
        )

    def caller_of(self, number: str) -> Caller:
        """The plan's caller with that number, else who called with it, else one who picks up."""
        return self.people.at(same_number(number))

    def agent(self, number: str) -> Agent:
        """The plan's agent at that number, else one who picks up."""
        return self.plan.agent.get(same_number(number), Agent())

    def any_caller(self) -> Caller:
        """One of the plan's mix, by their shares."""
        mix = list(self.plan.caller.values())
        if not mix:
            return Caller()
        chance = self.chance.stream("mix", self._placed)
        return chance.choices(mix, [caller.share for caller in mix])[0]

    def _start(
        self,
        account: str,
        exophone: str,
        flow: str,
        caller: Caller | None,
        ad_hoc: Flow | None = None,
        wanted: ConnectRequest | None = None,
        **more: Any,
    ) -> Call:
        self._placed += 1
        chance = self.chance.stream("call", self._placed)
        caller = caller if caller is not None else self.any_caller()
        number = (
            same_number(caller.number or "")
            or f"+91{chance.choice(_PREFIXES)}{chance.randrange(10**9):09d}"
        )
        facts = CallFacts(
            sid=self.mint(chance), from_=number, exophone=exophone, flow_name=flow, **more
        )
        if not facts.outbound:
            self.people.called_in(number, caller)
            self.lines[account].called_by(number, self.clock.date())
        self.people.begins(number)
        whole = ad_hoc if ad_hoc is not None else self.plan.flow[flow]
        call = Call(self, self.lines[account], facts, whole, caller, chance, wanted)
        self.calls[facts.sid] = call
        self.spawn(self._walk(call))
        return call

    async def _walk(self, call: Call) -> None:
        """A call from its first ring to its end; the oldest ended ones are forgotten then."""
        try:
            await FlowWalk(call, self.streaming, self.watchers).run()
        finally:
            self.people.ends(call.facts.from_)
            if call.talked:
                self.people.was_talked_to(call.facts.from_)
            self._perhaps_again(call)
            while len(self.calls) > KEPT_CALLS:
                oldest = next(iter(self.calls.values()))
                if oldest.ended is None:
                    break
                self.calls.popitem(last=False)

    def _perhaps_again(self, call: Call) -> None:
        """Whoever nobody talked to calls again, where that is their way."""
        caller, facts = call.caller, call.facts
        if facts.outbound or caller.redials_s is None or not caller.redials or call.talked:
            return
        again = msgspec.structs.replace(caller, number=facts.from_, redials=caller.redials - 1)
        self.linger(self._ring_again(facts.exophone, again, caller.redials_s))

    async def _ring_again(self, number: str, caller: Caller, after_s: float) -> None:
        who = caller.number or ""
        self.people.will_call_again(who)
        await asyncio.sleep(after_s)
        if self.people.calls_again(who):  # not called back meanwhile
            self.ring(number, caller)

    def start_beside(self) -> None:
        """Let come what the plan has beside its calls: heartbeats, foreign streams, bursts."""
        self.heartbeats.start()
        for at, foreign in enumerate(self.plan.foreign):
            chance = self.chance.stream("foreign", at)
            line = self.lines[foreign.account]
            self.linger(foreign_streams(foreign, line, chance, self.linger))
        for at, burst in enumerate(self.plan.burst):
            chance = self.chance.stream("burst", at)
            ring = partial(self._ring_one, chance)
            self.linger(bursts(burst, ring))

    def _ring_one(self, chance: random.Random, number: str | None) -> None:
        self.ring(number or chance.choice(list(self.plan.number)))

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Do something beside the calls in progress, which `drain` waits for as for them."""
        task = self.clock.loop.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def linger(self, work: Coroutine[None, None, None]) -> None:
        """Do something that may outlast every call; `stop` ends it."""
        task = self.clock.loop.create_task(work)
        self._lingering.add(task)
        task.add_done_callback(self._lingering.discard)

    def mint(self, chance: Any) -> str:
        """A new SID of today (exotel-platform 0.3)."""
        return mint(chance.randbytes(14), self.clock.date().date())

    async def drain(self) -> None:
        """Wait until every call has ended. Raises what a call raised that it should not have."""
        while self._running:
            done, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def stop(self) -> None:
        """End every call now."""
        while tasks := self._running | self._lingering:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    # What calls ask of it.

    def says_for_the_first_time(self, text: str) -> bool:
        """Whether something that concerns every call has not been said yet; it counts as said."""
        first = text not in self._said
        self._said.add(text)
        return first

    def open_trace(self, head: Entry) -> Trace:
        """The trace of a new call."""
        return Trace(self.clock, head, media=self._keep_media, watch=self.watchers.on_entry)

    def recording_url(self, line: AccountLine, sid: str) -> str:
        """Where Exotel keeps a recording (exotel-platform B.1)."""
        return f"{self._recordings}/{line.sid}/{sid}.mp3"
