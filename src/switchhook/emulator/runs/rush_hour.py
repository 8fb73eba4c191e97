"""Rush hour: more callers than streams, a bot host that dies midway, and an API at its worst.

Everybody wants to talk for some seconds. Whom the line or the bot failed is owed a call, which only
the server under test can make: so it is watched from here, and what it says is held against it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.plan.flow import Flow, Greeting, Hangup, Passthru, Voicebot
from switchhook.emulator.plan.plan import Account, Bot, Caller, Fault, Number, Plan

if TYPE_CHECKING:
    import random

    from switchhook.emulator.exchange.exchange import Exchange

ACCOUNT = "exotelt"
EXOPHONE = "+918047112233"
FLOW_IN, FLOW_BACK = "7001", "7002"
"""The ids of the flows of those who call, and of those who are called back."""
HOST = "host"
"""The bot's host by its name in the plan."""

RUSH_HOUR = "rush-hour"
SUMMARY = "200 callers where 20 streams are allowed, a bot host that dies: all are called back"


class RushHour(msgspec.Struct, frozen=True, kw_only=True):
    """How big it is; times in seconds."""

    callers: int = 200
    over_s: float = 120.0
    streams: int = 20
    talks_s: float = 15.0
    dies_after_s: float = 50.0
    dead_for_s: float = 30.0
    reserve: int = 3
    """Streams that callbacks leave free for those who call in."""
    within_s: int = 360
    """How long a promise may take to be kept."""
    counts_after_s: float = 475.0
    """From the first call: whatever is open then is counted as it stands."""
    bad_api: bool = True
    """Whether Exotel's API is at its worst."""

    @property
    def enough(self) -> float:
        """How many have to be served or called back: nine of ten."""
        return 0.9 * self.callers


def rush_plan(rush: RushHour, bot: str, passthru: str) -> Plan:
    """The account, its number, and the flows; `bot` is where the built-in bot is dialled."""
    talk = f"{bot}?after={rush.talks_s:g}"
    return Plan(
        account={ACCOUNT: Account(streams=rush.streams)},
        number={EXOPHONE: Number(account=ACCOUNT, flow="in")},
        flow={
            "in": _flow(FLOW_IN, talk, passthru),
            "back": _flow(FLOW_BACK, talk, passthru),
        },
        bot={HOST: Bot(url=talk)},
        # As bad as its page says: what goes on is in no list, and what is over comes late.
        behaviour={"lists_ongoing": False, "lists_lag_s": 15.0, "status_callback": "full"},
    )


def _flow(flow_id: str, bot: str, passthru: str) -> Flow:
    """A greeting, a bot, and a passthru that says how it went."""
    return Flow(
        id=flow_id,
        first="hello",
        applet={
            "hello": Greeting(seconds=1, next="bot"),
            "bot": Voicebot(url=bot, next="told"),
            "told": Passthru(url=passthru, a="end", b="sorry"),
            "sorry": Greeting(seconds=2, next="end"),
            "end": Hangup(),
        },
    )


_PEOPLE = (
    (0.03, Caller(answers="no-answer", rings_s=60)),
    (0.02, Caller(answers="declined")),
    (0.02, Caller(answers="voicemail")),
    (0.08, Caller(redials_s=25)),
    (0.05, Caller(dnd=True)),
    (0.08, Caller(rings_s=12)),
)
"""Shares of those who are no easy callees; the others pick up soon."""


def people(rush: RushHour, chance: random.Random) -> list[Caller]:
    """Everybody who calls, each with a number of their own, in the order in which they call."""
    kinds = [who for share, who in _PEOPLE for _ in range(round(share * rush.callers))]
    kinds += [Caller(rings_s=3)] * (rush.callers - len(kinds))
    chance.shuffle(kinds)
    last = chance.sample(range(10**8), len(kinds))
    return [
        msgspec.structs.replace(who, number=f"+9198{digits:08d}")
        for who, digits in zip(kinds, last, strict=True)
    ]


def troubles(rush: RushHour) -> list[Fault]:
    """What goes wrong, counted from the first call on."""
    host = Fault(what="bot-dies", bot=HOST, after_s=rush.dies_after_s, for_s=rush.dead_for_s)
    return [host, *(_BAD_API if rush.bad_api else ())]


_BAD_API = (
    Fault(what="connect-refused", code=503, seconds=5, probability=0.1, count=2),
    Fault(what="connect-before", seconds=2, probability=0.1, count=2),
    Fault(what="connect-5xx-after", code=504, probability=0.1, count=2),
    Fault(what="connect-after", seconds=2, probability=0.1, count=3),
    Fault(what="connect-late", seconds=8, probability=0.1, count=2),
    Fault(what="connect-twice", probability=0.1, count=2),
    Fault(what="callback-lost", probability=0.05),
    Fault(what="callback-twice", probability=0.1),
    Fault(what="lists-omit", probability=0.2),
    Fault(what="lists-repeat", probability=0.2),
)


class Crowd:
    """The callers of one rush hour at an exchange."""

    def __init__(self, exchange: Exchange, rush: RushHour) -> None:
        self._exchange, self._rush = exchange, rush
        self._chance = exchange.chance.stream("rush hour")
        self.people = people(rush, self._chance)
        self.called = 0
        """How many have called so far."""

    async def call(self) -> None:
        """Let everybody call, at random moments, and wait until their own calls are over."""
        for fault in troubles(self._rush):
            self._exchange.faults.add(fault)
        for who in self.people:
            await asyncio.sleep(self._chance.expovariate(self._rush.callers / self._rush.over_s))
            self._exchange.ring(EXOPHONE, who)
            self.called += 1
        await self._exchange.drain()
