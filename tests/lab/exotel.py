"""An Exotel for the nodes: an emulator that calls people when it is asked to, and who was called.

It answers requests for a call well, late, not at all or with an error: the plan is that of
benchmarks/killed_callbacks.py.
"""

from __future__ import annotations

import asyncio
import random
import threading
from datetime import datetime

from benchmarks.calling_back_world import EXOPHONE, FLOW, KEY, SID, TOKEN, Observer, plan_of
from benchmarks.killed_callbacks import BEHAVIOUR, FAULTS, MET
from lab.hosts import NETWORK, OUTSIDE
from switchhook.emulator.api.exotel_api import make_rest
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import Clock
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.net.serving import serving
from switchhook.emulator.plan.plan import Caller
from switchhook.exotel.times import IST

PEOPLE, WAY = 16, 7000
SECRETS = {
    "LAB_KEY": KEY,
    "LAB_TOKEN": TOKEN,
    "LAB_STATUS": "the-status-secret-of-the-lab",
}
"""What the nodes' environment has."""
CONFIG = f"""
[accounts.main]
sid = "{SID}"
url = "http://127.0.0.1:{WAY}"
key_env = "LAB_KEY"
token_env = "LAB_TOKEN"
rate_per_minute = 150
status_secret_env = ["LAB_STATUS"]
[accounts.main.callbacks]
exophone = "{EXOPHONE}"
flow = "{FLOW}"
hours = "0:00-24:00"
delay_s = 0
within_s = 7200
attempts = 2
gap_s = 10
declined_gap_s = 15
a_day = 20
ring_s = 5
longest_s = 15
reserve = 0
calls_an_hour = 12000
spend_an_hour = 100000.0
spend_a_number = 1000.0
"""
"""What a node's file has of the account: it is reached by a port of the machine's own, as a key
may not go over a network in the clear."""


def number(at: int) -> str:
    return f"+9198765{at:05d}"


class Exotel:
    """It runs in a thread of its own from the start until `close`; `seen` knows who was called."""

    def __init__(self) -> None:
        self.seen = Observer()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run()])
        self._thread.daemon = True
        self._thread.start()
        assert self._ready.wait(30)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(30)
        self._loop.close()

    async def _run(self) -> None:
        chance = random.Random(1)
        callers = {
            f"c{at}": Caller(number=number(at), answers=chance.choice(MET), rings_s=1.0)  # type: ignore[arg-type]
            for at in range(PEOPLE)
        }
        allowed = AddressAllowList([f"{NETWORK}.0/24"])
        exchange = Exchange(
            plan_of(callers, FAULTS, 3.0, BEHAVIOUR),
            clock=Clock(asyncio.get_running_loop(), datetime.now(IST)),
            chance=Chance(1),
            web=Web(allowed),
            dial=dialler(allowed),
            keep_media=False,
        )
        exchange.watchers.append(self.seen)
        async with serving(make_rest(exchange), host=OUTSIDE, port=0, ws=False) as served:
            self.port = served.port
            self._ready.set()
            await self._ended.wait()
        await exchange.stop()
