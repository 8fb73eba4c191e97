"""The virtual clock jumps over idle time, and keeps the world's pace while it waits for it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop


def run(main):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def test_a_day_passes_in_no_time():
    async def day():
        clock = Clock(asyncio.get_running_loop(), VIRTUAL_START)
        await asyncio.sleep(86_400)
        return clock.now(), clock.date()

    began = time.monotonic()
    now, date = run(day())
    assert now == 86_400
    assert date.isoformat() == "2026-01-06T10:00:00+05:30"
    assert time.monotonic() - began < 10


def test_timers_fire_in_the_order_of_their_times_however_they_were_set():
    async def three():
        fired = []
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        for at in (3.0, 1.0, 2.0, 1.0):
            loop.call_at(at, fired.append, at)
        loop.call_at(4.0, done.set)
        await done.wait()
        return fired, loop.time()

    assert run(three()) == ([1.0, 1.0, 2.0, 3.0], 4.0)


def test_a_timeout_fires_at_its_virtual_time():
    async def late():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run(late()) == 5.0


def test_time_goes_at_the_worlds_pace_while_it_is_waited_for():
    ours, theirs = socket.socketpair()

    async def wait():
        loop = asyncio.get_running_loop()
        clock = Clock(loop, VIRTUAL_START)
        ours.setblocking(False)
        hour = loop.create_task(asyncio.sleep(3600))
        with clock.outside():
            threading.Timer(0.05, theirs.send, [b"x"]).start()
            assert await loop.sock_recv(ours, 1) == b"x"
        measured = clock.now()
        assert not hour.done()
        await hour
        return measured, clock.now()

    with ours, theirs:
        measured, end = run(wait())
    assert 0.04 < measured < 60
    assert end == pytest.approx(3600, abs=1)


def test_a_thread_can_wake_an_idle_loop():
    async def woken():
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        threading.Timer(0.01, loop.call_soon_threadsafe, [done.set]).start()
        await done.wait()
        return loop.time()

    assert run(woken()) == 0.0


def test_streams_of_chance_are_their_own():
    one, two = Chance(7), Chance(7)
    first = one.stream("call", 1)
    first.random()
    assert one.stream("call", 2).random() == two.stream("call", 2).random()
    assert one.stream("call", 1).random() != two.stream("call", 2).random()
    assert Chance(7).stream("call", 1).random() != Chance(8).stream("call", 1).random()
    assert Chance().seed != Chance().seed


def test_a_wait_too_short_to_count_ends_all_the_same():
    async def wait():
        await asyncio.sleep(1e6)
        for _ in range(100):
            await asyncio.sleep(1e-12)
        return asyncio.get_running_loop().time()

    assert run(wait()) == pytest.approx(1e6)
