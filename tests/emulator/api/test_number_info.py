"""The customer whitelist and what is known of a number, by the plan's people."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from emulator.api.asking import MINE, NUMBER, PLAN, YOURS, api
from switchhook.emulator.plan.plan import Caller
from switchhook.exotel.wire.number_metadata import Dnd, parse_metadata
from switchhook.exotel.wire.rest_error import parse_error
from switchhook.exotel.wire.whitelist import WhitelistEntry, WhitelistStatus, parse_whitelist

SIX_MONTHS_S = 180 * 86_400


@pytest.mark.parametrize("suffix", ["", ".json"])
def test_whoever_calls_in_is_on_the_whitelist_for_six_months(suffix):
    async def steps(ask, exchange, hooks):
        async def entry(number=MINE):
            return parse_whitelist((await ask(f"/CustomerWhitelist/{number}{suffix}")).body)

        assert await entry() == WhitelistEntry(WhitelistStatus.NEUTRAL)
        exchange.ring(NUMBER, Caller(number=MINE))
        await asyncio.sleep(100)
        assert await entry() == WhitelistEntry(
            WhitelistStatus.WHITELIST, "Customer", SIX_MONTHS_S - 100
        )
        assert await entry("09811100001") == await entry()
        assert (await entry(YOURS)).status is WhitelistStatus.NEUTRAL
        await asyncio.sleep(SIX_MONTHS_S)
        assert (await entry()).status is WhitelistStatus.NEUTRAL

    api(steps)


def test_whoever_unsubscribed_is_blacklisted_though_they_called():
    async def steps(ask, exchange, hooks):
        exchange.ring(NUMBER, Caller(number=MINE, unsubscribed=True))
        found = parse_whitelist((await ask(f"/CustomerWhitelist/{MINE}")).body)
        assert found == WhitelistEntry(WhitelistStatus.BLACKLIST, "Customer")

    api(steps, msgspec.structs.replace(PLAN, caller={}))


@pytest.mark.parametrize(
    ("number", "dnd"), [(MINE, Dnd.YES), (YOURS, Dnd.NO), ("+6591234567", Dnd.UNAVAILABLE)]
)
def test_a_number_is_told_with_whether_it_wants_calls(number, dnd):
    async def steps(ask, exchange, hooks):
        found = parse_metadata((await ask(f"/Numbers/{number}.json")).body)
        assert (found.dnd, found.kind) == (dnd, "Mobile")
        assert bool(found.circle_name) == (dnd is not Dnd.UNAVAILABLE)

    people = {"mine": Caller(number=MINE, dnd=True)}
    api(steps, msgspec.structs.replace(PLAN, caller=people))


@pytest.mark.parametrize("path", ["/CustomerWhitelist/me", "/Numbers/12.json"])
def test_what_is_no_number_is_refused(path):
    async def steps(ask, exchange, hooks):
        reply = await ask(path)
        assert (reply.status, parse_error(reply.body).status) == (400, 400)

    api(steps)
