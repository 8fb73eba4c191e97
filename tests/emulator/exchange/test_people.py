"""Who is at a number, whether they are engaged, and who calls again by themselves."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import pytest

from emulator.api.asking import MINE, NUMBER, PLAN, YOURS, api, to_flow
from switchhook.emulator.exchange.people import People
from switchhook.emulator.plan.plan import Caller, Fault


def test_the_plan_says_who_is_at_a_number_then_who_called():
    planned, other = Caller(number=MINE, rings_s=1), Caller(rings_s=2)
    people = People([planned, Caller(number=MINE, rings_s=9), Caller(rings_s=8)])
    assert people.at(MINE) is planned
    assert people.at(YOURS) == Caller()
    people.called_in(YOURS, other)
    people.called_in(MINE, other)
    assert (people.at(YOURS), people.at(MINE)) == (other, planned)


def test_somebody_is_engaged_until_their_last_call_is_over():
    people = People([])
    people.begins(MINE)
    people.begins(MINE)
    people.ends(MINE)
    assert people.when_called(Caller(), MINE).answers == "busy"
    assert people.when_called(Caller(), YOURS).answers == "yes"
    people.ends(MINE)
    assert people.when_called(Caller(), MINE) == Caller(number=MINE)


REFUSED = (Fault(what="bot-refused", count=2),)
"""The first call: the bot is dialled twice."""


@pytest.mark.parametrize(
    ("caller", "faults", "calls"),
    [
        (Caller(number=MINE, redials_s=30), REFUSED, 2),
        (Caller(number=MINE, redials_s=30), (), 1),
        (Caller(number=MINE), REFUSED, 1),
        (Caller(number=MINE, redials_s=30, redials=2), (Fault(what="bot-refused"),), 3),
    ],
    ids=["not served", "served", "not their way", "as often as said"],
)
def test_whom_nobody_talked_to_calls_again(caller, faults, calls):
    async def steps(ask, exchange, hooks):
        exchange.ring(NUMBER, caller)
        for _ in range(4):
            await exchange.drain()
            await asyncio.sleep(31)
        made = list(exchange.calls.values())
        assert [each.facts.from_ for each in made] == [MINE] * calls
        gaps = [
            (later.created - earlier.ended).total_seconds() for earlier, later in pairwise(made)
        ]
        assert gaps == [30.0] * (calls - 1)

    api(steps, msgspec.structs.replace(PLAN, fault=faults))


def test_who_was_called_back_meanwhile_does_not_call_again():
    async def steps(ask, exchange, hooks):
        exchange.ring(NUMBER, Caller(number=MINE, redials_s=60))
        await exchange.drain()
        await ask("/Calls/connect.json", to_flow())
        await exchange.drain()
        await asyncio.sleep(100)
        first, back = exchange.calls.values()
        assert (first.talked, back.talked, back.facts.outbound) == (False, True, True)

    api(steps, msgspec.structs.replace(PLAN, fault=REFUSED))
