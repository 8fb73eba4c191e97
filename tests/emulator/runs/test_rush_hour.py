"""A rush hour without a server that calls back: who calls, whom the line fails, what goes wrong."""

from __future__ import annotations

import asyncio
import random

import pytest

from switchhook.emulator.clock import VirtualLoop
from switchhook.emulator.plan.aims import lint_plan
from switchhook.emulator.runs.doubles import Doubles
from switchhook.emulator.runs.rush_hour import Crowd, RushHour, people, rush_plan, troubles
from switchhook.emulator.runs.rush_tally import fates_of, tally_of
from switchhook.emulator.runs.server import running_emulator

PASSTHRU = "http://127.0.0.1:9/passthru/default/none"
SMALL = RushHour(callers=30, over_s=20, streams=4, talks_s=4, dies_after_s=8, dead_for_s=5)


def test_everybody_has_a_number_of_their_own_and_most_pick_up():
    rush = RushHour()
    crowd = people(rush, random.Random(1))
    assert len({who.number for who in crowd}) == len(crowd) == rush.callers
    easy = [who for who in crowd if who.answers == "yes"]
    assert len(easy) >= rush.enough
    assert {who.answers for who in crowd} == {"yes", "no-answer", "declined", "voicemail"}
    assert any(who.redials_s for who in crowd)
    assert people(rush, random.Random(1)) == crowd


@pytest.mark.parametrize("fault", troubles(RushHour()), ids=lambda fault: fault.what)
def test_each_trouble_can_strike(fault):
    assert list(fault.problems()) == []


def test_the_plan_says_nothing_in_vain():
    assert lint_plan(rush_plan(SMALL, "ws://127.0.0.1:9000/bot", PASSTHRU)) == []


def test_whom_the_line_or_the_dead_bot_fails_is_missing_where_no_server_lists_them():
    async def main():
        make = lambda bot: rush_plan(SMALL, bot, PASSTHRU)  # noqa: E731
        async with running_emulator(make=make, seed=1) as running:
            crowd = Crowd(running.exchange, SMALL)
            await crowd.call()
            calls = list(running.exchange.calls.values())
        numbers = [who.number for who in crowd.people]
        return crowd, calls, tally_of(fates_of(calls, numbers), (), Doubles(), SMALL.enough)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        crowd, calls, tally = runner.run(main())
    assert crowd.called == tally.callers == 30
    assert tally.served + len(tally.missing) == 30
    assert (tally.called_back, tally.listed, tally.passed) == (0, {}, False)
    details = {each.stream_outcome.detailed_status for each in calls}
    assert "Streaming_call_throttled" in details
    assert any(each.trace.find("fault") for each in calls)
