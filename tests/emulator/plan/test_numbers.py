"""A plan's numbers match one another in any spelling."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange.exchange import Exchange, UnknownNumberError
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.plan.file import read_plan
from switchhook.emulator.plan.numbers import number_of, same_number
from switchhook.errors import ConfigError

AGENT, EXOPHONE = "+919111100001", "+918047112233"
SPELLINGS = [
    "09111100001",
    "9111100001",
    "919111100001",
    "+919111100001",
    "00919111100001",
    "+91-91111-00001",
    "91111 00001",
    "(0)91111-00001",
    "+91 (0) 91111 00001",
    "tel:+919111100001",
]
PLAN = """
[account.acme]
[number."{exophone}"]
account = "acme"
flow = "f"
[flow.f]
first = "people"
[flow.f.applet.people]
applet = "connect"
numbers = ["{rung}"]
answered = "end"
no_answer = "end"
[flow.f.applet.end]
applet = "hangup"
[caller.mine]
number = "{rung}"
[agent."{agent}"]
answers = "busy"
"""


def plan_with(*, exophone=EXOPHONE, rung=AGENT, agent=AGENT):
    return PLAN.format(exophone=exophone, rung=rung, agent=agent)


def called(plan, number=EXOPHONE):
    async def main():
        clock = Clock(asyncio.get_running_loop(), VIRTUAL_START)
        web, dial = Web(AddressAllowList()), dialler(AddressAllowList())
        exchange = Exchange(plan, clock=clock, chance=Chance(1), web=web, dial=dial)
        call = exchange.ring(number)
        await exchange.drain()
        await web.close()
        return call

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_number_is_one_in_any_spelling(spelling):
    assert number_of(spelling) == same_number(spelling) == AGENT


@pytest.mark.parametrize("text", ["", "12", "sales", "sip:agent@example.com", "•••01"])
def test_what_is_no_number_is_none(text):
    assert number_of(text) is None
    assert same_number(text) == text


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_agent_is_met_however_the_plan_spells_them(spelling):
    for words in ({"agent": spelling}, {"rung": spelling}):
        call = called(read_plan(plan_with(**words)))
        assert call.dialled.status == "busy"
        assert [leg.number for leg in call.dialled.legs] == [AGENT]
        assert call.facts.from_ == AGENT


@pytest.mark.parametrize("spelling", ["08047112233", "+91 80 4711 2233", "918047112233"])
def test_an_exophone_is_rung_in_any_spelling(spelling):
    plan = read_plan(plan_with(exophone="080-4711-2233"))
    assert called(plan, spelling).facts.exophone == EXOPHONE
    with pytest.raises(UnknownNumberError, match="08047112299 is no ExoPhone"):
        called(plan, "08047112299")


def test_a_plan_of_values_needs_no_spelling_either():
    plan = read_plan(plan_with())
    (agent,) = plan.agent.values()
    plan = msgspec.structs.replace(plan, agent={"09111100001": agent})
    assert called(plan).dialled.status == "busy"


def test_the_same_number_twice_is_refused():
    twice = plan_with(agent="09111100001") + '[agent."+919111100001"]\nanswers = "yes"\n'
    with pytest.raises(ConfigError, match="this is 09111100001 again"):
        read_plan(twice)


def test_a_number_that_is_rung_has_to_be_one():
    with pytest.raises(ConfigError) as caught:
        read_plan(plan_with(rung="sales"))
    assert caught.value.key == "flow.f.applet.people.numbers"
