"""Exotel's API as its clients see it: active streams, calls, refusals, recordings, callbacks."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from urllib.parse import urlencode

import httpx2
import msgspec
import pytest

from emulator.api.asking import FLOW_URL, FORM, NUMBER, PLAN, YOURS, api, to_flow
from switchhook.emulator.api.exotel_api import make_rest
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.net.results import NetError
from switchhook.emulator.net.serving import serving
from switchhook.emulator.plan.flow import Flow, Hangup, Voicemail
from switchhook.emulator.plan.plan import Act, Agent, Caller, Fault
from switchhook.exotel.wire.active_streams import ActiveStreams
from switchhook.exotel.wire.active_streams import parse as parse_streams
from switchhook.exotel.wire.request import Request
from switchhook.exotel.wire.rest_error import RestError, parse_error
from switchhook.exotel.wire.status_callback import parse as parse_callback


def test_active_streams_are_true_to_the_calls_in_progress():
    async def steps(ask, exchange, hooks):
        for _ in range(3):
            exchange.ring(NUMBER)
        await asyncio.sleep(1)
        reply = await ask("/ActiveStreams")
        assert json.loads(reply.body) == {
            "status": "success",
            "active_streams": 3,
            "max_allowed_streams": 5,
            "account_sid": "acme",
        }
        await exchange.drain()
        assert parse_streams((await ask("/ActiveStreams.json")).body) == ActiveStreams(0, 5, "acme")
        assert (await ask("/activestreams")).status == 404

    api(steps)


def test_the_older_form_is_xml():
    async def steps(ask, exchange, hooks):
        reply = await ask("/ActiveStreams")
        assert dict(reply.headers)["content-type"] == "application/xml"
        assert b"<TwilioResponse><Stream><ActiveStreamCount>0<" in reply.body
        assert parse_streams(reply.body) == ActiveStreams(0, 5, None)

    api(steps, xml_streams=True)


@pytest.mark.parametrize(
    "who, host, sid, status",
    [
        ("k:t", "127.0.0.1", "acme", 200),
        ("acme:t", "127.0.0.1", "acme", 200),
        ("k:wrong", "127.0.0.1", "acme", 401),
        (":", "127.0.0.1", "acme", 401),
        ("k:t", "127.0.0.1", "other", 401),
        ("k:t", "127.0.0.1", "nobody", 401),
        ("k:t", "api.in.exotel.com", "acme", 200),
        ("k:t", "api.exotel.com", "acme", 404),
        ("k2:t2", "sg.localhost:8090", "other", 200),
    ],
)
def test_who_gets_in_and_in_which_region(who, host, sid, status):
    async def steps(ask, exchange, hooks):
        reply = await ask("/ActiveStreams.json", who=who, host=host, sid=sid)
        assert reply.status == status
        if status != 200:
            assert parse_error(reply.body).status == status

    api(steps)


def test_the_201st_request_of_a_minute_is_refused():
    async def steps(ask, exchange, hooks):
        for _ in range(200):
            assert (await ask("/ActiveStreams")).status == 200
        refused = await ask("/ActiveStreams")
        told = dict(refused.headers)
        assert (refused.status, told["retry-after"], told["x-ratelimit-remaining"]) == (
            429, "60", "0"
        )  # fmt: skip
        await asyncio.sleep(61)
        allowed = await ask("/ActiveStreams")
        assert (allowed.status, dict(allowed.headers)["x-ratelimit-remaining"]) == (200, "199")

    api(steps)


def test_what_is_left_is_not_told_where_the_account_behaves_so():
    async def steps(ask, exchange, hooks):
        replies = [await ask("/ActiveStreams") for _ in range(201)]
        assert (replies[0].status, replies[200].status) == (200, 429)
        names = {name for each in replies for name, _ in each.headers}
        assert not {name for name in names if name.startswith(("x-ratelimit", "retry"))}

    api(steps, rate_headers=False)


def test_a_call_to_a_flow_tells_its_custom_field_and_fills_in_late():
    async def steps(ask, exchange, hooks):
        reply = await ask("/Calls/connect.json", to_flow(CustomField="order-7"))
        call = json.loads(reply.body)["Call"]
        assert reply.status == 200
        assert call["Direction"] == "outbound-api"
        assert call["To"] is None
        assert call["EndTime"] is None
        await exchange.drain()
        assert "CustomField=order-7" in hooks.got[0][3]
        assert "Direction=outbound-dial" in hooks.got[0][3]
        soon = json.loads((await ask(f"/Calls/{call['Sid']}.json")).body)["Call"]
        assert (soon["Status"], soon["EndTime"], soon["Duration"]) == ("completed", None, None)
        await asyncio.sleep(120)
        late = json.loads((await ask(f"/Calls/{call['Sid']}.json?details=true")).body)["Call"]
        assert late["EndTime"].startswith("2026-01-05 10:00:")
        assert late["Duration"] == 9
        assert late["Details"]["Leg1Status"] == "completed"
        assert (await ask("/Calls/unknown.json")).status == 404

    api(steps)


def test_xml_is_the_default_of_the_calls_api():
    async def steps(ask, exchange, hooks):
        reply = await ask("/Calls/connect", to_flow())
        assert reply.body.startswith(
            b'<?xml version="1.0" encoding="UTF-8"?>\n<TwilioResponse><Call>'
        )
        refused = await ask("/Calls/connect", {"From": "1"})
        assert b"<TwilioResponse><RestException><Status>400</Status>" in refused.body

    api(steps)


@pytest.mark.parametrize(
    "form, words",
    [
        ({"CallerId": "08047112233"}, "From: got nothing"),
        ({"From": "09811100001"}, "CallerId: got nothing"),
        (to_flow(Url=""), "Url: got nothing, expected Url, To or StreamUrl"),
        (to_flow(Url="https://example.com/flow"), "Url: got 'https://example.com/flow'"),
        (to_flow(Url=FLOW_URL.replace("support", "nothing")), "Url names no app: 'nothing'"),
        (to_flow(From="12"), "From: got '12', expected a phone number"),
        (to_flow(CallerId="08047119999"), "not a valid ExoPhone"),
        (to_flow(TimeLimit="0"), "TimeLimit: got '0', expected seconds from 1 to 14400"),
        (to_flow(CustomField="x" * 129), "CustomField"),
        (to_flow(StatusCallback="ftp://x"), "StatusCallback"),
        (to_flow(Record="yes"), "Record: got 'yes'"),
        (to_flow(CallType="promo"), "CallType"),
        (to_flow(Url="", StreamUrl="http://x"), "StreamUrl"),
        (to_flow(Url="", StreamUrl="wss://x"), "StreamType: got None, expected bidirectional"),
        (to_flow(Url="", StreamUrl="wss://" + "x" * 600), "StreamUrl: got 606 characters"),
        (to_flow(**{"StatusCallbackEvents[0]": "sometimes"}), "StatusCallbackEvents"),
    ],
)
def test_a_wrong_request_is_refused_with_the_parameter_and_the_remedy(form, words):
    async def steps(ask, exchange, hooks):
        reply = await ask("/Calls/connect.json", form)
        assert reply.status == 400
        assert words in parse_error(reply.body).message
        assert not exchange.calls

    api(steps)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", FORM])
@pytest.mark.parametrize("suffix", [".json", ""])
def test_a_json_body_is_refused_as_the_form_that_it_is_not(kind, suffix):
    async def steps(ask, exchange, hooks):
        body = json.dumps(to_flow()).encode()
        reply = await ask(f"/Calls/connect{suffix}", body, kind=kind)
        assert reply.status == 400
        error = parse_error(reply.body)
        assert error.message.startswith("Invalid parameter From: got nothing")
        assert "send a form" in error.message
        assert reply.body.startswith(b"{") == bool(suffix)
        assert not exchange.calls

    api(steps)


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_later_versions_speak_json_whatever_is_wrong(version, method):
    async def steps(ask, exchange, hooks):
        reply = await ask(f"/{version}/accounts/acme/campaigns", method=method)
        assert reply.status == 404
        assert dict(reply.headers)["content-type"] == "application/json"
        said = json.loads(reply.body)
        assert (said["http_code"], said["method"]) == (404, method)
        assert said["response"]["error_data"]["description"] == parse_error(reply.body).message
        assert parse_error(reply.body).message == (
            f"{method} /{version}/accounts/acme/campaigns does not exist"
        )

    api(steps)


def test_encoded_brackets_can_be_refused_as_exotel_was_seen_to():
    raw = urlencode(to_flow()).encode() + b"&StatusCallbackEvents"

    async def steps(ask, exchange, hooks):
        assert (await ask("/Calls/connect.json", raw + b"%5B0%5D=terminal")).status == 400
        assert (await ask("/Calls/connect.json", raw + b"[0]=terminal")).status == 200

    api(steps, refuse_encoded_brackets=True)


def test_a_bot_is_called_without_a_flow():
    async def steps(ask, exchange, hooks):
        form = to_flow(
            Url="", StreamUrl="wss://bot.example/bot?after=3", StreamType="bidirectional"
        )
        assert (await ask("/Calls/connect.json", form)).status == 200
        (call,) = exchange.calls.values()
        await exchange.drain()
        assert call.stream_outcome.status == "completed"
        assert not hooks.got

    api(steps)


def test_two_numbers_are_connected_and_told_of():
    async def steps(ask, exchange, hooks):
        form = to_flow(
            Url="",
            To="09811100002",
            StatusCallback="https://hooks.example/status",
            StatusCallbackContentType="application/json",
            **{"StatusCallbackEvents[0]": "answered", "StatusCallbackEvents[1]": "terminal"},
        )
        await ask("/Calls/connect.json", form)
        await exchange.drain()
        (answered, terminal) = [json.loads(body) for _, body in hooks.at("/status")]
        assert (answered["EventType"], answered["Status"]) == ("answered", "in-progress")
        assert (terminal["EventType"], terminal["Status"]) == ("terminal", "completed")
        assert terminal["Legs"][0]["Status"] == "completed"

    api(steps, plan=msgspec.structs.replace(PLAN, agent={YOURS: Agent(talks_s=7)}))


def test_the_talk_of_two_numbers_is_streamed_and_recorded():
    """The stream is a listener: it has a slot, hears the caller, and ends with the call."""

    async def steps(ask, exchange, hooks):
        form = to_flow(
            Url="",
            To="09811100002",
            Record="true",
            StreamUrl="wss://bot.example/bot/silent",
            StreamBegin="answer",
            StatusCallback="https://hooks.example/status",
            StatusCallbackContentType="application/json",
            **{"StatusCallbackEvents[0]": "terminal"},
        )
        reply = await ask("/Calls/connect.json", form)
        sid = json.loads(reply.body)["Call"]["Sid"]
        await asyncio.sleep(6)
        assert parse_streams((await ask("/ActiveStreams")).body).active == 1
        await exchange.drain()
        assert parse_streams((await ask("/ActiveStreams")).body).active == 0
        call = exchange.calls[sid]
        assert "StreamBegin" in call.trace.find("warning")[0]["text"]
        assert call.trace.find("media")[0]["frames_sent"] == pytest.approx(12 * 50, abs=2)
        ((_, body),) = hooks.at("/status")
        said = json.loads(body)
        assert said["RecordingUrl"].endswith(f"/exotelrecordings/acme/{sid}.mp3")
        assert [leg["OnCallDuration"] for leg in said["Legs"]] == ["12", "7"]
        assert said["ConversationDuration"] == "7"
        path = f"/exotelrecordings/acme/{sid}"
        assert (await ask(path + ".mp3")).status == 404
        await asyncio.sleep(120)
        assert (await ask(path + ".mp3", who="")).status == 401
        with wave.open(io.BytesIO((await ask(path + ".wav")).body)) as file:
            assert file.getnframes() == pytest.approx(12 * 8000, rel=0.01)
        late = json.loads((await ask(f"/Calls/{sid}.json?details=true")).body)["Call"]
        assert late["RecordingUrl"] == said["RecordingUrl"]
        assert late["Details"]["ConversationDuration"] == 7
        assert late["Details"]["Leg2Status"] == "completed"

    agents = {YOURS: Agent(rings_s=5, talks_s=7)}
    api(steps, plan=msgspec.structs.replace(PLAN, agent=agents))


def test_a_voicemail_can_be_listened_to():
    flow = Flow(first="v", applet={"v": Voicemail(seconds=5, next="e"), "e": Hangup()})
    act = Act(at="v", after_s=1, tone_hz=440)
    plan = msgspec.structs.replace(PLAN, flow={"support": flow})

    async def steps(ask, exchange, hooks):
        call = exchange.ring(NUMBER, Caller(does=(act,)))
        await exchange.drain()
        assert call.voicemail_url.endswith(f"/exotelrecordings/acme/{call.facts.sid}.mp3")
        path = f"/exotelrecordings/acme/{call.facts.sid}.wav"
        assert (await ask(path)).status == 404
        await asyncio.sleep(60)
        with wave.open(io.BytesIO((await ask(path)).body)) as file:
            assert file.getnframes() == 5 * 8000
            assert not any(file.readframes(7900))
            assert any(file.readframes(8000))
        assert (await ask(path.replace("acme", "other"), who="k2:t2", sid="other")).status == 404

    api(steps, plan=plan)


def test_the_callback_of_a_flow_has_three_fields_in_multipart():
    async def steps(ask, exchange, hooks):
        await ask("/Calls/connect.json", to_flow(StatusCallback="https://hooks.example/status"))
        await exchange.drain()
        ((kind, body),) = hooks.at("/status")
        assert kind.startswith("multipart/form-data; boundary=")
        said = parse_callback(Request(b"", "POST", kind, body))
        assert (said.status, said.recording_url, said.event_type) == ("completed", None, None)
        assert body.count(b"Content-Disposition") == 3

    api(steps)


@pytest.mark.parametrize(
    "code, own", [(401, None), (402, None), (403, 340030), (429, None), (500, None), (503, 35008)]
)
def test_refusals_are_injected(code, own):
    async def steps(ask, exchange, hooks):
        exchange.faults.add(Fault(what="rest", code=code, count=1))
        reply = await ask("/Calls/connect.json", to_flow())
        error = parse_error(reply.body)
        assert (reply.status, error.status, error.code) == (code, code, own)
        assert isinstance(error, RestError)
        assert (await ask("/Calls/connect.json", to_flow())).status == 200

    api(steps)


def test_a_client_that_gives_up_has_started_the_call_all_the_same():
    async def steps(ask, exchange, hooks):
        exchange.faults.add(Fault(what="rest-drop", count=1))
        with pytest.raises(NetError, match="eof"):
            await ask("/Calls/connect.json", to_flow(CustomField="once"))
        await exchange.drain()
        listed = json.loads((await ask("/Calls.json")).body)["Calls"]
        assert [call["From"] for call in listed] == ["09811100001"]
        exchange.faults.add(Fault(what="rest-slow", count=1, seconds=31))
        began = exchange.clock.now()
        await ask("/Calls/connect.json", to_flow())
        assert exchange.clock.now() - began == pytest.approx(31.7)

    api(steps)


@pytest.mark.parametrize("path", ["/ActiveStreams", "/ActiveStreams.json", "/Calls.json", "/Calls"])
def test_what_is_only_looked_up_is_dropped_slow_or_refused_too(path):
    async def steps(ask, exchange, hooks):
        exchange.faults.add(Fault(what="rest-drop", count=1))
        with pytest.raises(NetError, match="eof"):
            await ask(path)
        assert (await ask(path)).status == 200
        exchange.faults.add(Fault(what="rest-slow", count=1, seconds=31))
        began = exchange.clock.now()
        assert (await ask(path)).status == 200
        assert exchange.clock.now() - began == pytest.approx(31)
        exchange.faults.add(Fault(what="rest", code=503, count=1))
        assert (await ask(path)).status == 503

    api(steps)


def test_the_list_has_pages_and_filters():
    async def steps(ask, exchange, hooks):
        for _ in range(5):
            exchange.ring(NUMBER, Caller(patience_s=3))
            await asyncio.sleep(10)
        await exchange.drain()
        seen, path = [], "/Calls.json?PageSize=2"
        while path:
            said = json.loads((await ask(path)).body)
            seen += [call["Sid"] for call in said["Calls"]]
            uri = said["Metadata"]["NextPageUri"]
            path = uri and uri.removeprefix("/v1/Accounts/acme")
        assert seen == list(reversed(exchange.calls))
        late = await ask("/Calls.json?DateCreated=gte%3A2026-01-05+10%3A00%3A25")
        assert len(json.loads(late.body)["Calls"]) == 2
        assert json.loads((await ask("/Calls.json?Status=busy")).body)["Calls"] == []
        for wrong in ("PageSize=101", "DateCreated=yesterday"):
            assert (await ask(f"/Calls.json?{wrong}")).status == 400

    api(steps)


def test_a_recording_is_there_after_a_while_and_holds_both_voices():
    async def steps(ask, exchange, hooks):
        call = exchange.ring(NUMBER, PLAN.caller["mine"])
        await exchange.drain()
        path = f"/exotelrecordings/acme/{call.stream_outcome.sid}"
        assert call.stream_outcome.recording_url.endswith(f"{path}.mp3")
        assert (await ask(path + ".mp3")).status == 404
        await asyncio.sleep(60)
        assert (await ask(path + ".mp3", who="k:x")).status == 401
        mp3 = await ask(path + ".mp3")
        assert (mp3.status, dict(mp3.headers)["content-type"]) == (200, "audio/mpeg")
        assert mp3.body[:2] == b"\xff\xe3" or mp3.body[:3] == b"ID3" or mp3.body[0] == 0xFF
        with wave.open(io.BytesIO((await ask(path + ".wav")).body)) as file:
            assert file.getframerate() == 8000
            assert file.getnframes() == pytest.approx(9 * 8000, rel=0.02)
            assert any(file.readframes(8000))

    api(steps)


def test_over_a_real_socket_as_a_client_library_would():
    async def main():
        exchange = Exchange(
            PLAN,
            clock=Clock(asyncio.get_running_loop(), VIRTUAL_START),
            chance=Chance(1),
            web=Web(AddressAllowList()),
            dial=dialler(AddressAllowList()),
        )
        async with (
            serving(make_rest(exchange)) as served,
            httpx2.AsyncClient(auth=("k", "t"), trust_env=False) as client,
        ):
            reply = await client.get(f"{served.url}/v1/Accounts/acme/ActiveStreams")
            return reply.status_code, reply.json()["max_allowed_streams"]

    assert asyncio.run(main()) == (200, 5)


def test_a_body_that_is_too_long_is_refused_unread():
    async def steps(ask, exchange, hooks):
        reply = await ask("/Calls/connect.json", b"From=" + b"0" * 65_536)
        assert (reply.status, "64 KB" in parse_error(reply.body).message) == (400, True)

    api(steps)
