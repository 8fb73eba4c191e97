"""One call walking its flow: applets, outputs, faults, and what passthrus say on the way."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

import pytest

from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange.exchange import Exchange, UnknownNumberError
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.plan.flow import (
    Connect,
    Flow,
    Gather,
    Greeting,
    Hangup,
    Menu,
    Passthru,
    SwitchCase,
    Voicebot,
    Voicemail,
)
from switchhook.emulator.plan.plan import Account, Act, Agent, Caller, Fault, Number, Plan

NUMBER = "+918047112233"
ONE, TWO = "+919111100001", "+919111100002"
SERVER = "https://server.example"
END = Hangup()


class Server:
    """A passthru server in this process: what it was sent, and what it answers by path."""

    def __init__(self, **answers):
        self.answers = answers
        self.got = []

    async def __call__(self, scope, receive, send):
        path = scope["path"].strip("/")
        self.got.append((path, dict(parse_qsl(scope["query_string"].decode(), True))))
        status, body = self.answers.get(path, (200, b""))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    def queries(self, path):
        return [query for at, query in self.got if at == path]


def told(path, **outputs):
    return Passthru(url=f"{SERVER}/{path}", **outputs)


def play(applets, *, first, server=None, caller=None, calls=1, then=None, **plan):
    """Place calls on a flow, and give them when they have ended."""
    server = server or Server()

    async def main():
        clock = Clock(asyncio.get_running_loop(), VIRTUAL_START)
        apps = {"server.example": server, "bot.example": make_bot()}
        web = Web(AddressAllowList(), apps=apps)
        exchange = Exchange(
            Plan(
                account={"acme": Account(**plan.pop("account", {}))},
                number={NUMBER: Number(account="acme", flow="f")},
                flow={"f": Flow(first=first, applet=applets)},
                **plan,
            ),
            clock=clock,
            chance=Chance(1),
            web=web,
            dial=dialler(AddressAllowList(), apps=apps),
        )
        placed = [exchange.ring(NUMBER, caller or Caller(patience_s=600)) for _ in range(calls)]
        if then is not None:
            await then(exchange, placed)
        await exchange.drain()
        await web.close()
        return placed

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


def route(call):
    return [entry["name"] for entry in call.trace.find("applet")]


def acts(*does, **more):
    return Caller(patience_s=600, does=does, **more)


@pytest.mark.parametrize(
    "status, way",
    [(200, "a"), (302, "b"), (201, "b"), (204, "b"), (301, "b"), (404, "b"), (500, "b")],
)
def test_only_200_is_option_a(status, way):
    (call,) = play(
        {"p": told("x", a="a", b="b"), "a": END, "b": END},
        first="p",
        server=Server(x=(status, b"")),
    )
    assert route(call) == ["p", way]
    warned = any("anything but 200" in entry["text"] for entry in call.trace.find("warning"))
    assert warned == (status not in (200, 302))


def test_an_answer_that_takes_too_long_is_option_b():
    class Slow(Server):
        async def __call__(self, scope, receive, send):
            await asyncio.sleep(30)

    (call,) = play({"p": told("x", a="a", b="b"), "a": END, "b": END}, first="p", server=Slow())
    assert route(call) == ["p", "b"]
    assert call.trace.find("no_answer")[0]["kind"] == "timeout"
    assert call.trace.find("ended")[0]["t"] == 5.0


def test_an_async_passthru_does_not_hold_the_flow():
    class Slow(Server):
        async def __call__(self, scope, receive, send):
            await asyncio.sleep(2)
            await super().__call__(scope, receive, send)

    (call,) = play(
        {"p": told("x", mode="async", next="g"), "g": Greeting(seconds=1, next="e"), "e": END},
        first="p",
        server=Slow(),
    )
    entered = {entry["name"]: entry["t"] for entry in call.trace.find("applet")}
    assert entered == {"p": 0.0, "g": 0.0, "e": 1.0}
    assert call.trace.find("answer")[0]["t"] == 2.0


@pytest.mark.parametrize(
    "pressed, digits",
    [("123#", "123"), ("12", "12"), ("", None), ("12345678", "1234")],
)
def test_gathered_digits_are_told_in_quotes(pressed, digits):
    server = Server()
    does = [Act(at="g", after_s=1, presses=pressed)] if pressed else []
    play(
        {"g": Gather(most_digits=4, next="p"), "p": told("x", a="e", b="e"), "e": END},
        first="g",
        server=server,
        caller=acts(*does),
    )
    (query,) = server.queries("x")
    assert query.get("digits") == (None if digits is None else f'"{digits}"')


@pytest.mark.parametrize("pressed, way", [("1", "one"), ("7", "none"), ("", "none")])
def test_a_menu_goes_where_the_key_leads(pressed, way):
    does = [Act(at="m", after_s=0.5, presses=pressed)] if pressed else []
    (call,) = play(
        {"m": Menu(keys={"1": "one"}, otherwise="none"), "one": END, "none": END},
        first="m",
        caller=acts(*does),
    )
    assert route(call) == ["m", way]


@pytest.mark.parametrize(
    "body, way, warns",
    [
        (b'{"select":"gold"}', "gold", False),
        (b'{"select":"tin"}', "else", False),
        (b"gold", "else", True),
        (b'{"Select":"gold"}', "else", True),
    ],
)
def test_switchcase_reads_the_body(body, way, warns):
    (call,) = play(
        {
            "p": told("x", a="s", b="else"),
            "s": SwitchCase(cases={"gold": "gold"}, otherwise="else"),
            "gold": END,
            "else": END,
        },
        first="p",
        server=Server(x=(200, body)),
    )
    assert route(call)[-1] == way
    assert bool(call.trace.find("warning")) == warns


CONNECTED = {
    "c": Connect(numbers=(ONE, TWO), ring_s=10, record=True, answered="p", no_answer="p"),
    "p": told("x", a="e", b="e"),
    "e": END,
}


@pytest.mark.parametrize(
    "agents, status, legs, call_type",
    [
        ({}, "completed", [(ONE, "20", "16", "NORMAL_CLEARING")], "completed"),
        (
            {ONE: Agent(answers="busy")},
            "completed",
            [(ONE, "0", "17", "USER_BUSY"), (TWO, "20", "16", "NORMAL_CLEARING")],
            "completed",
        ),
        (
            {ONE: Agent(rings_s=60), TWO: Agent(answers="no-answer")},
            "no-answer",
            [(ONE, "0", "1003", "RING_TIMEOUT"), (TWO, "0", "1003", "RING_TIMEOUT")],
            "incomplete",
        ),
    ],
)
def test_connect_tries_one_after_another_and_tells_its_legs(agents, status, legs, call_type):
    server = Server()
    play(CONNECTED, first="c", server=server, agent=agents)
    (query,) = server.queries("x")
    assert query["DialCallStatus"] == status
    assert query["CallType"] == call_type
    found = [
        tuple(
            query[f"Legs[{at}][{key}]"]
            for key in ("Number", "OnCallDuration", "Cause", "CauseCode")
        )
        for at in range(len(legs))
    ]
    assert found == [(f"0{number[3:]}", *rest) for number, *rest in legs]
    assert ("RecordingUrl" in query) == (status == "completed")


def test_parallel_ringing_connects_whoever_picks_up_first():
    server = Server()
    applets = CONNECTED | {
        "c": Connect(numbers=(ONE, TWO), order="parallel", answered="p", no_answer="p")
    }
    play(applets, first="c", server=server, agent={ONE: Agent(rings_s=9), TWO: Agent(rings_s=3)})
    (query,) = server.queries("x")
    assert query["DialWhomNumber"] == "09111100002"
    assert query["Legs[0][Type]"] == "parallel"
    assert query["DialCallDuration"] == "23"


def test_a_caller_who_hangs_up_while_agents_ring():
    server = Server()
    (call,) = play(
        CONNECTED,
        first="c",
        server=server,
        caller=acts(Act(at="c", after_s=2, hangs_up=True)),
    )
    (query,) = server.queries("x")
    assert (query["DialCallStatus"], query["CallType"]) == ("canceled", "client-hangup")
    assert call.trace.find("option")[0]["unheard"]


def test_voicemail_leaves_a_recording():
    server = Server()
    (call,) = play(
        {"v": Voicemail(seconds=5, next="p"), "p": told("x", a="e", b="e"), "e": END},
        first="v",
        server=server,
    )
    (query,) = server.queries("x")
    assert query["CallType"] == "voicemail"
    assert query["RecordingUrl"].endswith(f"/acme/{call.facts.sid}.mp3")


def test_an_output_with_nothing_after_it_leaves_the_call_hanging():
    (call,) = play({"g": Greeting(seconds=1)}, first="g", caller=Caller(patience_s=77))
    assert call.trace.find("ended")[0]["t"] == 77.0
    assert "nothing follows" in call.trace.find("warning")[0]["text"]


BOT = {
    "b": Voicebot(url="wss://bot.example/bot?after=5", next="p"),
    "p": told("x", a="e", b="e"),
    "e": END,
}


@pytest.mark.parametrize(
    "fault, requests",
    [
        (Fault(what="passthru-lost"), 0),
        (Fault(what="passthru-twice"), 2),
        (Fault(what="passthru-empty"), 2),
        (Fault(what="passthru-late", seconds=9), 1),
        (Fault(what="passthru-out-of-order"), 1),
        (Fault(what="passthru-twice", applet="b"), 1),
        (Fault(what="passthru-twice", account="acme", number=NUMBER, flow="f", applet="p"), 2),
        (Fault(what="passthru-twice", probability=0.0), 1),
    ],
)
def test_faults_of_passthrus(fault, requests):
    server = Server()
    play(BOT, first="b", server=server, fault=(fault,))
    assert len(server.queries("x")) == requests


def test_a_second_request_can_come_without_values():
    server = Server()
    play(BOT, first="b", server=server, fault=(Fault(what="passthru-empty"),))
    whole, empty = server.queries("x")
    assert whole["CallSid"]
    assert empty == dict.fromkeys(whole, "")


def test_a_fault_with_a_count_is_used_up():
    server = Server()
    play(BOT, first="b", server=server, fault=(Fault(what="passthru-twice", count=2),), calls=3)
    assert len(server.queries("x")) == 5


@pytest.mark.parametrize(
    "fault, stream",
    [
        (Fault(what="bot-refused"), {"Stream[Status]": "failed", "Stream[DisconnectedBy]": "NA"}),
        (Fault(what="bot-dns"), {"Stream[Status]": "failed", "Stream[Duration]": "0"}),
        (Fault(what="bot-tls"), {"Stream[Status]": "failed"}),
        (Fault(what="bot-401"), {"Stream[Status]": "failed"}),
        (Fault(what="bot-slow-handshake", seconds=30), {"Stream[Status]": "failed"}),
        (Fault(what="bot-slow-handshake", seconds=4), {"Stream[Status]": "completed"}),
        (Fault(what="bot-refused-once", count=1), {"Stream[Status]": "completed"}),
        (Fault(what="bot-crash", seconds=2), {"Stream[Status]": "failed", "Stream[Duration]": "2"}),
        (Fault(what="bot-closes", code=1011), {"Stream[Status]": "failed"}),
        (Fault(what="bot-closes", code=1000), {"Stream[Status]": "completed"}),
        (Fault(what="bot-silent"), {"Stream[Status]": "completed"}),
        (Fault(what="throttled"), {"Stream[DetailedStatus]": "Streaming_call_throttled"}),
        (
            Fault(
                what="behave", behaviour={"leave_out": ["Stream[Status]"], "change": {"New": "1"}}
            ),
            {"New": "1"},
        ),
    ],
)
def test_faults_of_streams(fault, stream):
    server = Server()
    play(BOT, first="b", server=server, fault=(fault,))
    (query,) = server.queries("x")
    assert query | stream == query
    assert ("Stream[Status]" in query) == (fault.what != "behave")


def test_the_limit_can_be_lowered_while_calls_run():
    async def lower(exchange, placed):
        await asyncio.sleep(1)
        exchange.lines["acme"].allowed = 2
        exchange.ring(NUMBER, Caller())

    server = Server()
    play(BOT, first="b", server=server, calls=2, then=lower)
    found = [query.get("Stream[DetailedStatus]") for query in server.queries("x")]
    assert sorted(map(str, found)) == ["None", "None", "Streaming_call_throttled"]


def test_slots_are_freed_however_a_stream_ends():
    async def look(exchange, placed):
        await exchange.drain()
        assert exchange.lines["acme"].active == 0
        assert exchange.lines["acme"].most_active == 4

    play(BOT, first="b", calls=4, then=look)
    leaves = acts(Act(at="b", after_s=2, hangs_up=True))
    applets = BOT | {"b": Voicebot(url="wss://bot.example/bot?handshake=5", next="p")}
    play(applets, first="b", calls=4, caller=leaves, then=look)


def test_an_outbound_call_tells_its_custom_field():
    server = Server()

    async def call_out(exchange, placed):
        exchange.originate("acme", ONE, NUMBER, "f", custom_field="order-7")
        busy = exchange.originate(
            "acme", TWO, NUMBER, "f", caller=Caller(answers="busy", rings_s=1)
        )
        await exchange.drain()
        assert busy.ending == "busy"
        assert busy.answered is None

    play(BOT, first="b", server=server, calls=0, then=call_out)
    (query,) = server.queries("x")
    assert query["Direction"] == "outbound-dial"
    assert query["CallFrom"] == "09111100001"
    assert query["CustomField"] == "order-7"


def test_a_number_that_nobody_has():
    async def misdial(exchange, placed):
        with pytest.raises(UnknownNumberError, match="there are"):
            exchange.ring("+911111111111")

    play(BOT, first="b", calls=0, then=misdial)


def test_keys_reach_the_bot_as_dtmf():
    (call,) = play(BOT, first="b", caller=acts(Act(at="b", after_s=1, presses="5")))
    sent = [entry["text"] for entry in call.trace.find("sent") if '"dtmf"' in entry["text"]]
    assert len(sent) == 1
    assert '"digit":"5"' in sent[0]


def test_messages_have_the_documented_order_and_marks_come_back():
    (call,) = play(BOT, first="b")
    sent = [entry["text"] for entry in call.trace.find("sent")]
    assert sent[0] == '{"event":"connected"}'
    assert sent[1].startswith('{"event":"start","sequence_number":"1","stream_sid":"')
    marks = [text for text in sent if '"event":"mark"' in text]
    assert marks
    assert not any('"event":"stop"' in text for text in sent)  # exotel-platform G-44


def test_a_caller_who_leaves_is_told_to_the_bot():
    (call,) = play(BOT, first="b", caller=acts(Act(at="b", after_s=2, hangs_up=True)))
    sent = [entry["text"] for entry in call.trace.find("sent")]
    assert '"reason":"callended"' in sent[-1]
    assert call.stream_outcome.disconnected_by == "user"
