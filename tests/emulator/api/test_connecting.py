"""`Calls/connect` at its worst: answers that come late, twice or never, and who is refused."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import timedelta

import msgspec
import pytest

from emulator.api.asking import MINE, NUMBER, PLAN, api, to_flow
from switchhook.emulator.api.exotel_api import make_rest
from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.net.results import NetError
from switchhook.emulator.net.serving import serving
from switchhook.emulator.plan.plan import Caller, Fault
from switchhook.exotel.wire.request import Request
from switchhook.exotel.wire.rest_error import parse_error
from switchhook.exotel.wire.status_callback import parse as parse_callback

STATUS = {"StatusCallback": "https://hooks.example/status", "CustomField": "promise:1"}


def callee(**said):
    """The plan with somebody at the number that `to_flow` calls."""
    return msgspec.structs.replace(PLAN, caller={"mine": Caller(number=MINE, **said)})


def standing(name, **more):
    account = msgspec.structs.replace(PLAN.account["acme"], standing=name, **more)
    return msgspec.structs.replace(PLAN, account=PLAN.account | {"acme": account})


@pytest.mark.parametrize(
    ("what", "placed"), [("connect-before", 0), ("connect-after", 1)], ids=["before", "after"]
)
def test_no_answer_comes_and_only_one_of_the_two_has_called(what, placed):
    async def steps(ask, exchange, hooks):
        exchange.faults.add(Fault(what=what, count=1, seconds=40))
        began = exchange.clock.now()
        with pytest.raises(NetError, match="eof"):
            await ask("/Calls/connect.json", to_flow())
        assert exchange.clock.now() - began >= 40
        assert len(exchange.calls) == placed
        assert (await ask("/Calls/connect.json", to_flow())).status == 200

    api(steps)


def test_a_late_answer_tells_of_a_call_that_began_at_once():
    async def steps(ask, exchange, hooks):
        exchange.faults.add(Fault(what="connect-late", seconds=31))
        began = exchange.clock.now()
        call = json.loads((await ask("/Calls/connect.json", to_flow())).body)["Call"]
        assert exchange.clock.now() - began == pytest.approx(31.7)
        assert [each.facts.sid for each in exchange.calls.values()] == [call["Sid"]]
        assert exchange.calls[call["Sid"]].answered is not None

    api(steps)


@pytest.mark.parametrize(
    ("what", "code", "placed"),
    [
        ("connect-5xx-after", 504, 1),
        ("connect-refused", 504, 0),
        ("connect-refused", 503, 0),
        ("connect-refused", 429, 0),
    ],
)
def test_a_refusal_does_not_say_whether_it_calls(what, code, placed):
    async def steps(ask, exchange, hooks):
        exchange.faults.add(Fault(what=what, code=code, seconds=7))
        reply = await ask("/Calls/connect.json", to_flow())
        assert (reply.status, parse_error(reply.body).status) == (code, code)
        assert len(exchange.calls) == placed
        again = dict(reply.headers).get("retry-after")
        assert again == ("7" if code in (429, 503) else None)
        assert (await ask("/ActiveStreams")).status == 200

    api(steps)


def test_a_fault_can_be_aimed_at_one_exophone():
    numbers = PLAN.number | {"+918047112244": PLAN.number[NUMBER]}

    async def steps(ask, exchange, hooks):
        exchange.faults.add(Fault(what="connect-refused", code=500, number="+918047112244"))
        assert (await ask("/Calls/connect.json", to_flow())).status == 200
        reply = await ask("/Calls/connect.json", to_flow(CallerId="08047112244"))
        assert reply.status == 500

    api(steps, msgspec.structs.replace(PLAN, number=numbers))


def test_an_answer_comes_twice_on_its_connection():
    async def main():
        web = Web(AddressAllowList(), apps={})
        dial = dialler(AddressAllowList(), apps={"bot.example": make_bot()})
        clock = Clock(asyncio.get_running_loop(), VIRTUAL_START)
        plan = msgspec.structs.replace(PLAN, behaviour={"originate_s": 0.0})
        exchange = Exchange(plan, clock=clock, chance=Chance(1), web=web, dial=dial)
        exchange.faults.add(Fault(what="connect-twice"))
        body = b"From=09811100001&CallerId=08047112233&Url="
        body += b"http://my.exotel.com/acme/exoml/start_voice/support"
        async with serving(make_rest(exchange), ws=False) as served:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(
                b"POST /v1/Accounts/acme/Calls/connect.json HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\nAuthorization: Basic "
                + base64.b64encode(b"k:t")
                + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
                + body
            )
            answers = []
            for _ in range(2):
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(x for x in head.lower().split(b"\r\n") if b"content-length" in x)
                answers.append(json.loads(await reader.readexactly(int(length.split(b":")[1]))))
            writer.close()
        await exchange.stop()
        return exchange, answers

    exchange, answers = asyncio.run(main())
    assert answers[0] == answers[1]
    assert [each.facts.sid for each in exchange.calls.values()] == [answers[0]["Call"]["Sid"]]


# Who may be called.


@pytest.mark.parametrize(
    ("name", "status", "code", "words"),
    [
        ("no-kyc", 403, 340030, "KYC"),
        ("trial", 403, None, "verified"),
        ("suspended", 403, None, "suspended"),
        ("no-balance", 402, None, "balance"),
    ],
)
def test_an_account_calls_nobody_as_long_as_it_stands_like_that(name, status, code, words):
    async def steps(ask, exchange, hooks):
        reply = await ask("/Calls/connect.json", to_flow())
        error = parse_error(reply.body)
        assert (reply.status, error.code) == (status, code)
        assert words in error.message
        line = exchange.lines["acme"]
        line.account = msgspec.structs.replace(line.account, standing="good")
        assert (await ask("/Calls/connect.json", to_flow())).status == 200

    api(steps, standing(name))


def test_an_account_on_trial_calls_the_numbers_that_it_verified():
    async def steps(ask, exchange, hooks):
        assert (await ask("/Calls/connect.json", to_flow())).status == 200
        other = to_flow(From="09811100002")
        assert (await ask("/Calls/connect.json", other)).status == 403

    api(steps, standing("trial", verified=("098111 00001",)))


def test_whoever_wants_no_calls_is_called_for_six_months_after_calling():
    async def steps(ask, exchange, hooks):
        reply = await ask("/Calls/connect.json", to_flow())
        assert (reply.status, "NDNC" in parse_error(reply.body).message) == (403, True)
        exchange.ring(NUMBER, exchange.plan.caller["mine"])
        await exchange.drain()
        assert (await ask("/Calls/connect.json", to_flow())).status == 200
        await exchange.drain()
        await asyncio.sleep(181 * 86_400)
        assert (await ask("/Calls/connect.json", to_flow())).status == 403

    api(steps, callee(dnd=True))


def test_whoever_unsubscribed_is_not_called_though_they_called():
    async def steps(ask, exchange, hooks):
        exchange.ring(NUMBER, exchange.plan.caller["mine"])
        await exchange.drain()
        assert (await ask("/Calls/connect.json", to_flow())).status == 403

    api(steps, callee(unsubscribed=True))


# Whom it meets.


async def told(ask, exchange, hooks):
    """Call, and give the call's record, its callback and its details at the end."""
    sid = json.loads((await ask("/Calls/connect.json", to_flow(**STATUS))).body)["Call"]["Sid"]
    await exchange.drain()
    await asyncio.sleep(121)
    details = json.loads((await ask(f"/Calls/{sid}.json?details=true")).body)["Call"]
    ((kind, body),) = hooks.at("/status")
    return exchange.calls[sid], parse_callback(Request(b"", "POST", kind, body)), details


def test_a_call_that_was_pressed_away_is_busy_and_its_leg_cancelled():
    async def steps(ask, exchange, hooks):
        call, callback, details = await told(ask, exchange, hooks)
        assert (call.ending, call.talked) == ("declined", False)
        assert (callback.status, callback.custom_field) == ("busy", "promise:1")
        assert callback.legs == ({"OnCallDuration": "0", "Status": "canceled", "AnsweredBy": "NA"},)
        assert (details["Status"], details["Details"]["Leg1Status"]) == ("busy", "canceled")
        assert details["AnsweredBy"] is None

    api(steps, callee(answers="declined"), status_callback="full")


def test_a_voicemail_answers_says_nothing_and_ends_by_itself():
    async def steps(ask, exchange, hooks):
        call, callback, details = await told(ask, exchange, hooks)
        assert (callback.status, callback.legs[0]["AnsweredBy"]) == ("completed", "Machine")
        assert details["AnsweredBy"] == "machine"
        assert not call.trace.find("said")
        assert call.stream_outcome.status == "completed"
        assert call.ended - call.answered <= timedelta(seconds=31)

    does = PLAN.caller["mine"].does
    api(steps, callee(answers="voicemail", does=does), status_callback="full")


def test_somebody_who_is_on_the_phone_is_busy():
    async def steps(ask, exchange, hooks):
        exchange.ring(NUMBER, exchange.plan.caller["mine"])
        call, callback, _ = await told(ask, exchange, hooks)
        assert (callback.status, callback.legs[0]["Status"]) == ("busy", "busy")
        assert call.ending == "busy"

    api(steps, callee(), status_callback="full")


def test_the_person_who_called_is_met_who_is_called_back():
    async def steps(ask, exchange, hooks):
        exchange.ring(NUMBER, Caller(number=MINE, answers="no-answer"))
        await exchange.drain()
        call, callback, _ = await told(ask, exchange, hooks)
        assert (call.ending, callback.status) == ("no-answer", "no-answer")

    api(steps, msgspec.structs.replace(PLAN, caller={}), status_callback="full")
