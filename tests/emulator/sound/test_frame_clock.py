"""One beat for all: exact, spread, and silent when nobody listens."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import pytest

from switchhook.emulator.clock import VirtualLoop
from switchhook.emulator.sound.frame_clock import SLOTS, FrameClock


class WithTimers(Protocol):
    """A loop of asyncio's own: its timers are nowhere else."""

    _scheduled: list[asyncio.TimerHandle]


def run(main):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


def test_every_member_gets_each_beat_without_drift():
    async def hour():
        frame_clock = FrameClock(asyncio.get_running_loop())
        beats = {n: [] for n in range(3)}
        for n in beats:
            frame_clock.join(beats[n].append)
        await asyncio.sleep(600)
        return beats

    for times in run(hour).values():
        assert len(times) in (30_000, 30_001)
        assert times[-1] - times[0] == pytest.approx(0.02 * (len(times) - 1), abs=1e-6)


def test_members_are_spread_and_leave_in_the_middle_of_a_beat():
    async def main():
        loop = asyncio.get_running_loop()
        frame_clock = FrameClock(loop)
        seen, leaves = [], []

        def member(number):
            def beat(_):
                seen.append((loop.time(), number))
                if number % 2:
                    leaves[number]()

            return beat

        leaves.extend(frame_clock.join(member(number)) for number in range(2 * SLOTS))
        await asyncio.sleep(0.0205)
        first = len({round(at, 4) for at, _ in seen})
        await asyncio.sleep(0.02)
        for leave in leaves:
            leave()
            leave()
        await asyncio.sleep(0.05)
        return first, seen, len(cast(WithTimers, loop)._scheduled)

    first, seen, left = run(main)
    assert first >= SLOTS
    counts = [sum(number == n for _, number in seen) for n in range(2 * SLOTS)]
    assert all(count == 1 for count in counts[1::2])
    assert all(count >= 2 for count in counts[0::2])
    assert left == 0


def test_lateness_is_told():
    async def main():
        frame_clock = FrameClock(asyncio.get_running_loop())
        late = []
        frame_clock.on_late = late.append
        frame_clock.join(lambda _: None)
        await asyncio.sleep(0.1)
        return late

    late = run(main)
    assert len(late) in (4, 5)
    assert all(seconds == pytest.approx(0, abs=1e-6) for seconds in late)
