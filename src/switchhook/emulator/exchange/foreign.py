"""Streams of an account that come from elsewhere, and calls that come in bursts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine

    from switchhook.emulator.exchange.line import AccountLine
    from switchhook.emulator.plan.plan import Burst, Foreign

    Linger = Callable[[Coroutine[None, None, None]], None]


async def foreign_streams(
    foreign: Foreign, line: AccountLine, chance: random.Random, linger: Linger
) -> None:
    """Take and free the places of an account at random, as many as `foreign` says on average.

    It begins with that many. Where no place is free, theirs is refused as ours would be.
    """
    loop = asyncio.get_running_loop()
    await asyncio.sleep(foreign.after_s)
    ends = None if foreign.for_s is None else loop.time() + foreign.for_s
    for _ in range(round(foreign.streams)):
        linger(_hold(line, chance.expovariate(1 / foreign.lasts_s), ends))
    while ends is None or loop.time() < ends:
        await asyncio.sleep(chance.expovariate(foreign.streams / foreign.lasts_s))
        linger(_hold(line, chance.expovariate(1 / foreign.lasts_s), ends))


async def _hold(line: AccountLine, seconds: float, ends: float | None) -> None:
    """One of them, from its start to its end."""
    if not line.take():
        return
    line.foreign += 1
    try:
        left = seconds if ends is None else ends - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, min(seconds, left)))
    finally:
        line.foreign -= 1
        line.free()


async def bursts(burst: Burst, ring: Callable[[str | None], None]) -> None:
    """Let its calls come, all at once, as often as it says."""
    await asyncio.sleep(burst.after_s)
    while True:
        for _ in range(burst.calls):
            ring(burst.number)
        if burst.every_s is None:
            return
        await asyncio.sleep(burst.every_s)
