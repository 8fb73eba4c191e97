"""Streams that are not of our calls, and calls that come at once."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import Clock, VirtualLoop
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.plan.file import read_plan
from switchhook.errors import ConfigError
from switchhook.exotel.times import IST

PLAN = """
[account.acme]
streams = 50
[number.08047112233]
account = "acme"
flow = "f"
[number.08047112244]
account = "acme"
flow = "f"
[flow.f]
first = "wait"
[flow.f.applet.wait]
applet = "greeting"
seconds = 5
next = "end"
[flow.f.applet.end]
applet = "hangup"
"""


def played(more, watch):
    """What `watch` gives of an exchange of the plan with more in it."""

    async def main():
        clock = Clock(asyncio.get_running_loop(), datetime.now(IST))
        allow = AddressAllowList(())
        exchange = Exchange(
            read_plan(PLAN + more),
            clock=clock,
            chance=Chance(5),
            web=Web(allow),
            dial=dialler(allow),
        )
        exchange.start_beside()
        try:
            return await watch(exchange)
        finally:
            await exchange.stop()
            await exchange.web.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


def test_foreign_streams_take_places_as_many_as_are_said_on_average():
    async def watch(exchange):
        line, seen = exchange.lines["acme"], []
        for _ in range(2000):
            await asyncio.sleep(7)
            assert line.active == line.foreign
            seen.append(line.foreign)
        return seen

    seen = played("[[foreign]]\naccount = 'acme'\nstreams = 10\nlasts_s = 30\n", watch)
    assert 8.5 < sum(seen) / len(seen) < 11.5
    assert min(seen) < 6
    assert max(seen) > 14


def test_they_take_no_more_than_there_are_and_end_when_they_are_to():
    async def watch(exchange):
        line = exchange.lines["acme"]
        await asyncio.sleep(9)
        before = line.foreign
        await asyncio.sleep(11)
        during = line.foreign
        await asyncio.sleep(31)
        return before, during, line.most_active, line.foreign, line.active

    more = "[[foreign]]\naccount = 'acme'\nstreams = 500\nafter_s = 10\nfor_s = 40\n"
    assert played(more, watch) == (0, 50, 50, 0, 0)


def test_a_burst_comes_at_once_and_again():
    async def watch(exchange):
        counts = []
        for _ in range(3):
            await asyncio.sleep(10)
            counts.append(len(exchange.calls))
        return counts, {call.facts.exophone for call in exchange.calls.values()}

    more = "[[burst]]\ncalls = 12\nafter_s = 9\nevery_s = 15\nnumber = '080 4711 2244'\n"
    assert played(more, watch) == ([12, 12, 24], {"+918047112244"})
    counts, numbers = played("[[burst]]\ncalls = 12\n", watch)
    assert counts == [12, 12, 12]
    assert len(numbers) == 2


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("[[foreign]]\naccount = 'other'\nstreams = 1\n", "foreign 1.account"),
        ("[[foreign]]\naccount = 'acme'\nstreams = 0\n", "foreign 1.streams"),
        ("[[burst]]\ncalls = 0\n", "burst 1.calls"),
        ("[[burst]]\ncalls = 1\nnumber = '09000000000'\n", "burst 1.number"),
    ],
)
def test_what_can_t_be_is_refused_where_it_stands(more, key):
    with pytest.raises(ConfigError) as caught:
        read_plan(PLAN + more)
    assert caught.value.key == key
