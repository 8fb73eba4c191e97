"""Heartbeats: by plan and on demand, sent again when they aren't taken."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

import msgspec
import pytest

from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.exchange.heartbeats import built
from switchhook.emulator.exchange.watcher import Watcher
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.plan.flow import Flow, Hangup
from switchhook.emulator.plan.plan import Account, HeartbeatPlan, Number, Plan
from switchhook.exotel.times import IST
from switchhook.exotel.wire.status_callback import parse_heartbeat

NUMBER = "+918047112233"
PLAN = Plan(
    account={
        "acme": Account(heartbeat_url="https://hooks.example/beat?key=s3cret"),
        "quiet": Account(),
    },
    number={NUMBER: Number(account="acme", flow="f")},
    flow={"f": Flow(first="e", applet={"e": Hangup()})},
)


def beats(steps, *beats, statuses=()):
    """Run `steps(exchange)` with these in the plan; what the monitor got, and what was noted."""
    got, noted, left = [], [], list(statuses)

    async def monitor(scope, receive, send):
        got.append((asyncio.get_running_loop().time(), json.loads((await receive())["body"])))
        status = left.pop(0) if left else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    class Noting(Watcher):
        def on_heartbeat(self, beat):
            noted.append(beat)

    async def main():
        loop = asyncio.get_running_loop()
        exchange = Exchange(
            msgspec.structs.replace(PLAN, heartbeat=beats),
            clock=Clock(loop, VIRTUAL_START),
            chance=Chance(1),
            web=Web(AddressAllowList(), apps={"hooks.example": monitor}),
            dial=dialler(AddressAllowList()),
        )
        exchange.watchers.append(Noting())
        exchange.heartbeats.start()
        await steps(exchange)
        await exchange.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
    return got, noted


@pytest.mark.parametrize(
    ("beat", "incoming", "outgoing"),
    [
        (HeartbeatPlan(), [], []),
        (HeartbeatPlan(status_type="WARNING"), [NUMBER], [NUMBER]),
        (HeartbeatPlan(status_type="CRITICAL", outgoing_affected=()), [NUMBER], []),
        (HeartbeatPlan(status_type="WARNING", incoming_affected=("x",)), ["x"], [NUMBER]),
        (HeartbeatPlan(status_type="PAYLOAD_TOO_LARGE"), [], []),
    ],
)
def test_it_tells_which_numbers_are_hit(beat, incoming, outgoing):
    async def steps(exchange):
        result = await exchange.heartbeats.send("acme", beat)
        assert (result.taken, result.status) == (True, 200)
        assert await exchange.heartbeats.send("quiet", beat) is None

    ((_, said),), _ = beats(steps)
    assert said == {
        "timestamp": "2026-01-05T10:00:00+05:30",
        "status_type": beat.status_type,
        "incoming_affected": incoming,
        "outgoing_affected": outgoing,
        "data": {},
    }


def test_one_of_more_than_10_mb_says_only_that():
    numbers = [f"+9180{n:08}" for n in range(400_000)]
    body = built(HeartbeatPlan(status_type="CRITICAL"), numbers, datetime(2026, 1, 5, tzinfo=IST))
    said = parse_heartbeat(body)
    assert (said.status_type, said.incoming_affected) == ("PAYLOAD_TOO_LARGE", ())


def test_it_is_sent_again_twice():
    async def steps(exchange):
        assert not (await exchange.heartbeats.send("acme", HeartbeatPlan())).taken
        await asyncio.sleep(60)

    got, noted = beats(steps, statuses=[500, 302, 503, 200])
    assert [at for at, _ in got] == [0, 5, 10]
    assert [(each["attempt"], each["status"]) for each in noted] == [(1, 500), (2, 302), (3, 503)]
    assert len({each["at"] for each in noted}) == 3
    assert "s3cret" not in json.dumps(noted)


def test_a_plan_has_them_come_by_themselves():
    async def steps(exchange):
        await asyncio.sleep(150)
        assert len(exchange.heartbeats.sent) == 4

    got, _ = beats(
        steps,
        HeartbeatPlan(every_s=60),
        HeartbeatPlan(account="acme", status_type="CRITICAL", after_s=90),
    )
    assert [(at, said["status_type"]) for at, said in got] == [
        (0, "OK"), (60, "OK"), (90, "CRITICAL"), (120, "OK")
    ]  # fmt: skip
