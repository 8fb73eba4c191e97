"""The list of calls, which is as bad as the real one: it lags, omits, repeats and is refused."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import pytest

from emulator.api.asking import NUMBER, api, to_flow
from switchhook.emulator.plan.plan import Caller, Fault
from switchhook.exotel.wire.rest_error import parse_error


async def rows(ask, query=""):
    return [each["Sid"] for each in json.loads((await ask(f"/Calls.json{query}")).body)["Calls"]]


def test_a_call_is_listed_late_and_can_be_asked_for_at_once():
    async def steps(ask, exchange, hooks):
        call = exchange.ring(NUMBER)
        await asyncio.sleep(44)
        assert await rows(ask) == []
        assert (await ask(f"/Calls/{call.facts.sid}.json")).status == 200
        await asyncio.sleep(2)
        assert await rows(ask) == [call.facts.sid]

    api(steps, lists_lag_s=45)


def test_a_call_that_goes_on_is_in_no_list_where_that_is_said():
    async def steps(ask, exchange, hooks):
        call = exchange.ring(NUMBER)
        await asyncio.sleep(1)
        assert call.ended is None
        assert await rows(ask) == []
        await exchange.drain()
        assert await rows(ask) == [call.facts.sid]

    api(steps, lists_ongoing=False)


@pytest.mark.parametrize(("what", "seen"), [("lists-omit", 0), ("lists-repeat", 2)])
def test_a_row_is_missing_or_there_twice_as_often_as_it_is_said(what, seen):
    async def steps(ask, exchange, hooks):
        call = exchange.ring(NUMBER)
        exchange.faults.add(Fault(what=what, count=2))
        # What doesn't match the filter is no row, and uses nothing up.
        assert await rows(ask, "?Direction=outbound-api") == []
        for _ in range(2):
            assert await rows(ask) == [call.facts.sid] * seen
        assert await rows(ask) == [call.facts.sid]

    api(steps)


@pytest.mark.parametrize(
    ("what", "path", "other"),
    [
        ("lists-refused", "/Calls.json", "/ActiveStreams"),
        ("details-refused", "/Calls/{sid}.json", "/Calls.json"),
    ],
)
def test_lists_and_details_are_refused_by_themselves(what, path, other):
    async def steps(ask, exchange, hooks):
        path_of_it = path.format(sid=exchange.ring(NUMBER).facts.sid)
        exchange.faults.add(Fault(what=what, code=503, count=1, seconds=9))
        assert (await ask(other)).status == 200
        refused = await ask(path_of_it)
        assert (refused.status, dict(refused.headers)["retry-after"]) == (503, "9")
        assert (await ask(path_of_it)).status == 200

    api(steps)


def test_rows_of_the_list_have_no_custom_field_as_one_call_has():
    async def steps(ask, exchange, hooks):
        call = exchange.originate("acme", "+919811100002", NUMBER, "support", custom_field="mine")
        (row,) = json.loads((await ask("/Calls.json")).body)["Calls"]
        one = json.loads((await ask(f"/Calls/{call.facts.sid}.json")).body)["Call"]
        assert ("CustomField" in row, one["CustomField"]) == (False, "mine")
        assert b"mine" not in (await ask("/Calls")).body

    api(steps)


ONE, OTHER = "+919811100001", "+919811100002"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["back", "two", "in"]),
        (f"?From={quote(ONE)}", ["back"]),
        (f"?From={quote(f'{ONE},{OTHER}')}", ["back", "two", "in"]),
        (f"?From={quote(ONE)}&PhoneNumber={quote(NUMBER)}&Direction=outbound-api", ["back"]),
        (f"?From={quote(ONE)}&Direction=inbound", []),
        (f"?PhoneNumber={quote(ONE)}", []),
        (f"?To={quote(NUMBER)}", ["in"]),
        (f"?To={quote(ONE)}", ["two"]),
        (f"?From={quote(ONE)}&DateCreated={quote('gte:2026-01-05 10:00:00')}", ["back"]),
        (f"?From={quote(ONE)}&DateCreated={quote('gte:2026-01-05 11:00:00')}", []),
    ],
)
def test_a_list_is_asked_for_by_numbers_direction_and_time(query, found):
    async def steps(ask, exchange, hooks):
        sids = {exchange.ring(NUMBER, Caller(number=OTHER)).facts.sid: "in"}
        two = {"From": OTHER, "To": ONE, "CallerId": NUMBER}
        for name, form in (("two", two), ("back", to_flow())):
            called = json.loads((await ask("/Calls/connect.json", form)).body)["Call"]
            sids[called["Sid"]] = name
        assert [sids[sid] for sid in await rows(ask, query)] == found

    api(steps)


@pytest.mark.parametrize(
    "query",
    ["?From=09811100001", "?From=+919811100001", "?PhoneNumber=08047112233", "?To=%2B91,x"],
    ids=["not E.164", "a plus that is a blank", "the ExoPhone", "the second"],
)
def test_a_number_that_is_no_e164_is_refused_in_words(query):
    async def steps(ask, exchange, hooks):
        reply = await ask(f"/Calls.json{query}")
        error = parse_error(reply.body)
        assert (reply.status, "E.164" in error.message) == (400, True)

    api(steps)
