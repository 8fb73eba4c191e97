"""What goes wrong, and how it is mended again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from incidents.world import PATIENT_S, RULES, SECRET, TALK_S, World

if TYPE_CHECKING:
    from collections.abc import Sequence

Mend = Callable[[], None]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident: `begin` lets it go wrong and gives what mends it.

    `bad` is whether page and pager should come to know it as critical; where they should not, amber
    is enough. `bots` is how many bots there are, `talk_s` how long they talk, `talks` whether they
    say something; `warm_s` is for how long all goes well before, at least, `day_before` whether it
    did so a day ago, too; `small_disk` is whether the
    data folder has a disk of its own; `most` is at how many calls a minute it is played at most.
    """

    name: str
    begin: Callable[[World], Awaitable[Mend]]
    bad: bool = True
    bots: int = 1
    talk_s: float = TALK_S
    talks: bool = False
    warm_s: float = 0.0
    day_before: bool = False
    small_disk: bool = False
    most: int = 1_000


def _fault(what: str, **more: object) -> Callable[[World], Awaitable[Mend]]:
    async def begin(world: World) -> Mend:
        number = world.fault(what, **more)
        return lambda: _remove(world, number)

    return begin


def _remove(world: World, *numbers: int) -> None:
    for number in numbers:
        world.faults.remove(number)


async def _flaps(world: World) -> Mend:
    """Two minutes down, three up, for ever; mended it stays up."""
    numbers: list[int] = []

    async def flap() -> None:
        while True:
            numbers.append(world.fault("bot-refused"))
            await asyncio.sleep(120)
            _remove(world, *numbers)
            await asyncio.sleep(180)

    task = asyncio.create_task(flap())

    def mend() -> None:
        task.cancel()
        _remove(world, *numbers)

    return mend


async def _broken_rules(world: World) -> Mend:
    world.rules_file.write_text(RULES.replace('stream.status == "failed"', "stream.statu =="))
    return lambda: _write(world, RULES)


async def _all_to_b(world: World) -> Mend:
    world.rules_file.write_text(RULES.replace('option = "A"', 'option = "B"'))
    return lambda: _write(world, RULES)


def _write(world: World, rules: str) -> None:
    world.rules_file.write_text(rules)


async def _wrong_secret(world: World) -> Mend:
    world.aim("x" * 32)
    return lambda: world.aim(SECRET)


async def _nobody_calls(world: World) -> Mend:
    world.calling = False

    def mend() -> None:
        world.calling = True

    return mend


async def _disk_full(world: World) -> Mend:
    world.fill_disk()
    return world.free_disk


async def _silent(world: World) -> Mend:
    """Nobody who hears nothing stays."""
    number, patient = world.fault("bot-silent"), _impatient(world, 4.0)

    def mend() -> None:
        patient()
        _remove(world, number)

    return mend


async def _deaf(world: World) -> Mend:
    """It greets callers and understands none: they give up."""
    return _impatient(world, 5.0)


def _impatient(world: World, seconds: float) -> Mend:
    world.patience_s = seconds

    def mend() -> None:
        world.patience_s = PATIENT_S

    return mend


INCIDENTS: Sequence[Incident] = (
    Incident(name="bot dead", begin=_fault("bot-refused")),
    Incident(name="bot slow to accept", begin=_fault("bot-slow-handshake", seconds=15)),
    Incident(
        name="half the calls fail", begin=_fault("bot-refused", probability=0.71)
    ),  # tried twice
    Incident(name="bot drops talks", begin=_fault("bot-crash", seconds=1)),
    Incident(name="bot hangs up at once", begin=_fault("bot-closes", seconds=0.5, code=1000)),
    Incident(name="limit full", begin=_fault("throttled")),
    Incident(name="bot that flaps", begin=_flaps),
    Incident(name="network down for 40 bots", begin=_fault("bot-dns"), bots=40),
    Incident(name="wrong secret", begin=_wrong_secret),
    Incident(name="disk full", begin=_disk_full, small_disk=True),
    Incident(name="broken rules file", begin=_broken_rules, bad=False),
    Incident(name="all to option B", begin=_all_to_b, bad=False),
    Incident(name="API answers 401", begin=_fault("rest", code=401), bad=False),
    Incident(name="API answers 429", begin=_fault("rest", code=429), bad=False),
    Incident(
        name="no traffic", begin=_nobody_calls, bad=False, warm_s=480, day_before=True, most=30
    ),
    Incident(name="passthrus stop", begin=_fault("passthru-lost")),
    Incident(name="silent bot", begin=_silent),
    Incident(
        name="bot understands nobody", begin=_deaf, talk_s=30, talks=True, warm_s=720, most=30
    ),
)
"""In the order of the table."""
