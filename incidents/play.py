"""Plays one incident, and notes when page and pager said what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from incidents.world import World
from switchhook.alerts.alert_rule import Severity
from switchhook.alerts.message import MessageKind
from switchhook.emulator.clock import VirtualLoop
from switchhook.troubles.trouble import Level

if TYPE_CHECKING:
    from incidents.incidents import Incident
    from incidents.world import Heard

WARM_S = {1: 3_600, 30: 600, 1_000: 120}
"""How long all goes well before, by calls a minute."""
LONGEST_S = {1: 5_400, 30: 1_200, 1_000: 300}
"""How long an incident lasts that nobody sees."""
STAY_S = 120
OVER_S = {1: 2_400, 30: 2_400, 1_000: 600}
WELL = {Level.GOOD, Level.UNKNOWN}


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How an incident went; times in seconds from its begin, `over_s` from its mend.

    None is never. `calls_to_red` is how many callers met it until the page was red, `good` how many
    calls came between mend and end.
    """

    incident: str
    per_minute: int
    amber_s: float | None
    red_s: float | None
    calls_to_red: int | None
    first_s: float | None
    critical_s: float | None
    messages: int
    over_s: float | None
    good: int
    pager: Heard | None


def play(incident: Incident, per_minute: int, seed: int = 1) -> Course:
    """Play it in a virtual loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_play(incident, per_minute, seed))


async def _play(incident: Incident, per_minute: int, seed: int) -> Course:
    async with World(
        per_minute=per_minute,
        bots=incident.bots,
        talk_s=incident.talk_s,
        talks=incident.talks,
        small_disk=incident.small_disk,
        seed=seed,
    ) as world:
        warm_s = max(WARM_S[per_minute], incident.warm_s)
        await asyncio.sleep(warm_s)
        if incident.day_before:
            await world.next_day(warm_s)
            await asyncio.sleep(warm_s / 2)
        heard_before = len(world.heard)
        began, calls = world.now(), world.calls
        mend = await incident.begin(world)
        longest = LONGEST_S[per_minute]
        amber = await _seen(world, {Level.WARN, Level.BAD}, longest)
        patience = longest - (world.now() - began) if incident.bad else STAY_S
        red = await _seen(world, {Level.BAD}, patience)
        met = world.calls - calls
        await asyncio.sleep(STAY_S)
        mend()
        mended, calls = world.now(), world.calls
        over = await _over(world, len(world.heard) > heard_before)
        heard = world.heard[heard_before:]
        critical = [each for each in heard if _is_critical(each)]
        return Course(
            incident=incident.name,
            per_minute=per_minute,
            amber_s=None if amber is None else amber - began,
            red_s=None if red is None else red - began,
            calls_to_red=None if red is None else met,
            first_s=_after(heard, began),
            critical_s=_after(critical, began),
            messages=max((_told(heard, to) for to in ("ops", "pager")), default=0),
            over_s=None if over is None else over - mended,
            good=world.calls - calls,
            pager=critical[0] if critical else (heard[0] if heard else None),
        )


async def _seen(world: World, levels: set[Level], within_s: float) -> float | None:
    found = await world.until(
        lambda: world.state is not None and world.state.level in levels, within_s
    )
    return world.now() if found else None


async def _over(world: World, told: bool) -> float | None:
    """When the page was well again, and everybody who was told had heard the end."""

    def ended() -> bool:
        assert world.state is not None
        return world.state.level in WELL and (not told or _all_resolved(world.heard))

    return world.now() if await world.until(ended, OVER_S[int(world.per_minute)]) else None


def _all_resolved(heard: list[Heard]) -> bool:
    last = {(each.destination, each.message.cause): each.message.say for each in heard}
    return all(say is MessageKind.RESOLVED for say in last.values())


def _is_critical(heard: Heard) -> bool:
    return heard.message.severity is Severity.CRITICAL and heard.message.say.asks


def _after(heard: list[Heard], began: float) -> float | None:
    return heard[0].at_s - began if heard else None


def _told(heard: list[Heard], to: str) -> int:
    return sum(each.destination == to for each in heard)
