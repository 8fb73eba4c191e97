"""The control API: calls, faults and limits from outside, for those who have the key."""

from __future__ import annotations

import asyncio
import json

import pytest

from switchhook.emulator.api.control import make_control
from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.net.in_process import call_http
from switchhook.emulator.plan.flow import Flow, Hangup, Voicebot
from switchhook.emulator.plan.plan import Account, Number, Plan

NUMBER = "+918047112233"
PLAN = Plan(
    account={"acme": Account(streams=5)},
    number={NUMBER: Number(account="acme", flow="f")},
    flow={
        "f": Flow(
            first="b",
            applet={"b": Voicebot(url="wss://bot.example/bot?after=9", next="e"), "e": Hangup()},
        )
    },
)


def control(steps):
    """Run `steps(ask, exchange)`; `ask` sends one request and gives status and JSON."""

    async def main():
        apps = {"bot.example": make_bot()}
        exchange = Exchange(
            PLAN,
            clock=Clock(asyncio.get_running_loop(), VIRTUAL_START),
            chance=Chance(1),
            web=Web(AddressAllowList(), apps=apps),
            dial=dialler(AddressAllowList(), apps=apps),
        )
        api = make_control(exchange, "the-key")

        async def ask(method, path, said=None, key="the-key"):
            body = b"" if said is None else said if isinstance(said, bytes) else json.dumps(said)
            reply = await call_http(
                api,
                method,
                f"http://here/control{path}",
                headers=[("Authorization", f"Bearer {key}")],
                body=body.encode() if isinstance(body, str) else body,
                limit_bytes=10**6,
            )
            if b"\n{" in reply.body:
                return reply.status, [json.loads(line) for line in reply.body.splitlines()]
            return reply.status, json.loads(reply.body) if reply.body else None

        await steps(ask, exchange)
        await exchange.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def test_a_call_is_placed_watched_and_told():
    async def steps(ask, exchange):
        status, call = await ask("POST", "/calls", {"number": NUMBER, "caller": {"patience_s": 60}})
        assert status == 201
        sid = call["call_sid"]
        await asyncio.sleep(1)
        assert (await ask("GET", "/accounts"))[1]["acme"]["active"] == 1
        await exchange.drain()
        status, call = await ask("GET", f"/calls/{sid}")
        assert call["stream"]["Status"] == "completed"
        assert [each["call_sid"] for each in (await ask("GET", "/calls"))[1]] == [sid]
        status, entries = await ask("GET", f"/calls/{sid}/trace")
        assert entries[0]["call"] == sid
        assert entries[-1]["what"] == "ended"

    control(steps)


def test_the_caller_is_acted_for():
    async def steps(ask, exchange):
        _, call = await ask("POST", "/calls", {"number": NUMBER})
        await asyncio.sleep(1)
        assert (await ask("POST", f"/calls/{call['call_sid']}/press", {"digits": "5#"}))[0] == 204
        assert (await ask("POST", f"/calls/{call['call_sid']}/hangup"))[0] == 204
        await exchange.drain()
        assert (await ask("GET", f"/calls/{call['call_sid']}"))[1]["ended_by"] == "caller"

    control(steps)


def test_faults_and_limits_are_changed_while_it_runs():
    async def steps(ask, exchange):
        status, said = await ask("POST", "/faults", {"what": "bot-refused", "count": 1})
        assert (status, said) == (201, {"fault": 1})
        assert (await ask("GET", "/faults"))[1][0]["what"] == "bot-refused"
        assert (await ask("DELETE", "/faults/1"))[0] == 204
        assert (await ask("DELETE", "/faults/1"))[0] == 404
        assert (await ask("PATCH", "/accounts/acme", {"streams": 0}))[0] == 204
        call = exchange.ring(NUMBER)
        await exchange.drain()
        assert call.stream_outcome.detailed_status == "Streaming_call_throttled"
        changed = {"behaviour": {"throttled": "minimal"}}
        assert (await ask("PATCH", "/accounts/acme", changed))[0] == 204
        call = exchange.ring(NUMBER)
        await exchange.drain()
        assert call.stream_outcome.sid is None

    control(steps)


@pytest.mark.parametrize(
    "method, path, said, status, words",
    [
        ("POST", "/calls", {"number": "+910000000000"}, 404, "is no ExoPhone"),
        ("POST", "/calls", {"numbre": NUMBER}, 400, "numbre"),
        ("POST", "/calls", b"{", 400, "truncated"),
        ("POST", "/calls", b"x" * 70_000, 413, "64 KB"),
        ("GET", "/calls/nobody", None, 404, "no call 'nobody'"),
        ("POST", "/faults", {"what": "bot-sulks"}, 400, "bot-sulks"),
        ("POST", "/faults", {"what": "behave", "behaviour": {"dialect": "xml"}}, 400, "xml"),
        ("PATCH", "/accounts/other", {"streams": 1}, 404, "no account 'other'"),
        ("PATCH", "/accounts/acme", {"streams": "many"}, 400, "int"),
        ("PATCH", "/accounts/acme", {"standing": "poor"}, 400, "poor"),
        ("PATCH", "/accounts/acme", {"behaviour": {"frame_ms": 30}}, 400, "30"),
    ],
)
def test_what_is_wrong_is_said(method, path, said, status, words):
    async def steps(ask, exchange):
        got, answer = await ask(method, path, said)
        assert got == status
        assert words in answer["error"]

    control(steps)


@pytest.mark.parametrize("key", ["", "other", "the-key-and-more"])
def test_nobody_gets_in_without_the_key(key):
    async def steps(ask, exchange):
        status, said = await ask("GET", "/calls", key=key)
        assert status == 401
        assert "control key" in said["error"]

    control(steps)


def test_a_heartbeat_is_sent_when_told():
    got = []

    async def monitor(scope, receive, send):
        got.append(json.loads((await receive())["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def steps(ask, exchange):
        exchange.web._apps["hooks.example"] = monitor
        said = {"status_type": "WARNING", "outgoing_affected": []}
        status, problem = await ask("POST", "/accounts/acme/heartbeat", said)
        assert (status, "no heartbeat_url" in problem["error"]) == (409, True)
        url = "https://hooks.example/beat"
        assert (await ask("PATCH", "/accounts/acme", {"heartbeat_url": url}))[0] == 204
        status, answer = await ask("POST", "/accounts/acme/heartbeat", said)
        assert (status, answer) == (200, {"taken": True, "status": 200, "problem": None})
        assert (await ask("POST", "/accounts/acme/heartbeat"))[0] == 200
        assert [(b["status_type"], b["incoming_affected"]) for b in got] == [
            ("WARNING", [NUMBER]),
            ("OK", []),
        ]
        status, sent = await ask("GET", "/heartbeats")
        assert [(each["url"], each["status"]) for each in sent] == [(url, 200)] * 2
        for wrong in ({"status_type": "FINE"}, {"every_s": 3}, {"nonsense": 1}):
            assert (await ask("POST", "/accounts/acme/heartbeat", wrong))[0] == 400
        assert (await ask("POST", "/accounts/nobody/heartbeat"))[0] == 404
        assert (await ask("PATCH", "/accounts/acme", {"heartbeat_url": "ftp://x"}))[0] == 400
        assert (await ask("PATCH", "/accounts/acme", {"heartbeat_url": ""}))[0] == 204
        assert (await ask("POST", "/accounts/acme/heartbeat"))[0] == 409
        assert (await ask("PATCH", "/accounts/acme", {"streams": -1}))[0] == 400

    control(steps)


def test_an_account_stands_otherwise_from_now_on():
    async def steps(ask, exchange):
        assert (await ask("GET", "/accounts"))[1]["acme"]["standing"] == "good"
        assert (await ask("PATCH", "/accounts/acme", {"standing": "suspended"}))[0] == 204
        assert (await ask("GET", "/accounts"))[1]["acme"]["standing"] == "suspended"
        assert exchange.lines["acme"].account.standing == "suspended"

    control(steps)


def test_a_call_that_was_asked_for_says_by_which_field_and_whether_they_talked():
    async def steps(ask, exchange):
        exchange.originate("acme", "+919811100001", NUMBER, "f", custom_field="promise:1")
        await exchange.drain()
        ((said,),) = [(await ask("GET", "/calls"))[1]]
        assert {key: said[key] for key in ("direction", "custom_field", "status", "talked")} == {
            "direction": "outbound-api",
            "custom_field": "promise:1",
            "status": "completed",
            "talked": True,
        }
        assert said["answered_by"] == "human"

    control(steps)
