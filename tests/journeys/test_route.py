"""A pool loses a member while calls go on: by a person, by its breaker, through restarts.

The program as a user starts it, and an Exotel with vendors of its own, over real sockets.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from patience import PATIENCE_S
from program import Program, command, running, until
from switchhook.system.data_folder import read_identity
from switchhook.system.local_keys import endpoint_secret

pytestmark = pytest.mark.process

CONFIG = """
[accounts.main]
sid = "acme1"
poll = false

[bots.sales.members.vendor-a]
url = "ws://127.0.0.1:{a}/a"
allow_private = true

[bots.sales.members.vendor-b]
url = "ws://127.0.0.1:{b}/b"
allow_private = true

[bots.sales.breaker]
enabled = true
least = 3
cool_down_s = 1

[bots.reserve.members.vendor-c]
url = "ws://127.0.0.1:{c}/c"
allow_private = true

[endpoints.default]

[endpoints.sales-in]
kind = "voicebot"
pool = "sales"
"""

PLAN = """
behaviour = {{ retries = 0, handshake_limit_s = 2.0 }}
voice = ""

[account.acme1]

[number.08047112233]
account = "acme1"
flow = "sales"

[flow.sales]
first = "bot"

[flow.sales.applet.bot]
applet = "voicebot"
url = "{answer}/voicebot/sales-in/{secret}"
next = "told"

[flow.sales.applet.told]
applet = "passthru"
url = "{answer}{passthru}"
a = "end"
b = "people"

[flow.sales.applet.people]
applet = "connect"
numbers = ["09111100001"]
answered = "end"
no_answer = "end"

[flow.sales.applet.end]
applet = "hangup"

[agent.09111100001]
rings_s = 0.05
talks_s = 0.05

[bot.vendor-a]
url = "ws://127.0.0.1:{a}/a"
plays = "/bot?say=1&length=0.2"

[bot.vendor-b]
url = "ws://127.0.0.1:{b}/b"
plays = "/bot?say=1&length=0.2"

[bot.vendor-c]
url = "ws://127.0.0.1:{c}/c"
plays = "/bot?say=1&length=0.2"
"""


class Called(NamedTuple):
    """What became of a call: whose bot it was sent to, by its letter, and whether it was heard."""

    vendor: str
    well: bool
    person: bool
    """Whether a person took it."""


class Exotel:
    """An emulator that runs, by its control API."""

    def __init__(self, wiring: dict[str, Any]) -> None:
        self._url, self._key = wiring["control"]["url"], wiring["control"]["key"]

    def ask(self, path: str, said: object = None, method: str | None = None) -> Any:
        """GET, or POST of JSON."""
        data = None if said is None else json.dumps(said).encode()
        headers = {"Authorization": f"Bearer {self._key}"}
        request = Request(f"{self._url}/{path}", data, headers, method=method)
        with urlopen(request, timeout=PATIENCE_S) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def ring(self) -> str:
        """Somebody calls; the CallSid."""
        sid: str = self.ask("calls", {"number": "+918047112233"})["call_sid"]
        return sid

    def ended(self, sid: str) -> Called:
        """Wait for a call's end."""
        until(lambda: self.ask(f"calls/{sid}")["ended"], "the call to end")
        with_lines = Request(
            f"{self._url}/calls/{sid}/trace", headers={"Authorization": f"Bearer {self._key}"}
        )
        with urlopen(with_lines, timeout=PATIENCE_S) as reply:
            trace = [json.loads(line) for line in reply.read().splitlines()]
        told = [each["url"] for each in trace if each.get("what") == "stream_url"]
        stream = [each for each in trace if each.get("what") == "stream"]
        return Called(
            vendor=told[0].rpartition("/")[2] if told else "",
            well=bool(stream) and stream[0].get("Status") == "completed",
            person=any(each.get("what") == "connected" for each in trace),
        )

    def call(self) -> Called:
        """One call, to its end."""
        return self.ended(self.ring())

    def vendors(self, count: int) -> set[str]:
        """Whose bots some calls at once are sent to."""
        return {self.ended(sid).vendor for sid in [self.ring() for _ in range(count)]}


def free_ports(count):
    """Ports of this machine that nobody has."""
    with ExitStack() as held:
        socks = [held.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in socks]


@contextmanager
def calls_all_the_while(exotel):
    """Calls, one after another, beside what the test does; all of them in the list at the end."""
    over, made = threading.Event(), []

    def go_on():
        while not over.is_set():
            made.append(exotel.call())

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield made
    finally:
        over.set()
        thread.join(2 * PATIENCE_S)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The program with its configuration, and the Exotel that asks it."""
    folder = tmp_path_factory.mktemp("route")
    a, b, c = free_ports(3)
    config = folder / "switchhook.toml"
    config.write_text(CONFIG.format(a=a, b=b, c=c))
    with running(folder / "data", "--config", str(config)) as program:
        secret = endpoint_secret(read_identity(program.data).key, "sales-in")
        plan, ready = folder / "plan.toml", folder / "exotel.json"
        plan.write_text(
            PLAN.format(
                answer=program.urls["answer"],
                secret=secret,
                passthru=program.passthru,
                a=a,
                b=b,
                c=c,
            )
        )
        words = ["emulate", str(plan), "--listen", "127.0.0.1:0", "--ready", str(ready), "--brief"]
        with subprocess.Popen(
            [sys.executable, "-m", "switchhook", *words], stdout=subprocess.DEVNULL
        ) as process:
            try:
                until(lambda: ready.exists() or process.poll() is not None, "the emulator to serve")
                yield program, Exotel(json.loads(ready.read_bytes()))
            finally:
                process.terminate()


def route(program: Program, *words: str) -> str:
    return command("route", *words, "--data", str(program.data)).out


def breaker_of(program: Program) -> dict[str, Any]:
    """What vendor A's breaker did, the newest first."""
    (sales,) = [each for each in program.api("routes")["pools"] if each["name"] == "sales"]
    found: dict[str, Any] = sales["members"][0]["breaker"]
    return found


def opens_of(program: Program) -> int:
    """How often it took vendor A out."""
    return sum(each["state"] == "open" for each in breaker_of(program)["history"])


def restart(program: Program, side: str) -> None:
    """End one of the two programs, which is started again."""
    before = program.children()[side]
    os.kill(before, signal.SIGTERM)
    until(lambda: program.children().get(side) not in (None, before), f"another {side}")


def test_what_a_person_sets_is_in_force_at_once_and_no_call_is_lost(world):
    program, exotel = world
    until(lambda: program.health("console").get("status"), "the console to be there")
    until(lambda: exotel.vendors(10) == {"a", "b"}, "calls of both vendors")
    with calls_all_the_while(exotel) as made:
        said = route(program, "out", "sales/vendor-a", "--reason", "an update", "--for", "2h")
        assert "vendor-a" in said
        until(lambda: exotel.vendors(12) == {"b"}, "no call of vendor A")
        assert "vendor-a" in command("route", "list", "--data", str(program.data), code=1).out
        route(program, "undo")
        until(lambda: exotel.vendors(12) == {"a", "b"}, "vendor A to get calls again")
        route(program, "move", "sales", "reserve", "--reason", "both vendors fail")
        until(lambda: exotel.vendors(6) == {"c"}, "all calls moved")
        route(program, "undo")
        until(lambda: exotel.vendors(12) == {"a", "b"}, "calls to come back")
    assert made
    assert {each.vendor for each in made} <= {"a", "b", "c"}
    assert all(each.well for each in made)


def test_what_a_person_set_holds_through_restarts_of_either_program(world):
    program, exotel = world
    route(program, "move", "sales", "reserve", "--reason", "a night")
    until(lambda: exotel.vendors(6) == {"c"}, "all calls moved")
    with calls_all_the_while(exotel) as made:
        for side in ("console", "answer"):
            restart(program, side)
            assert exotel.vendors(8) == {"c"}
        until(lambda: program.health("console").get("status"), "the console to be back")
        assert exotel.vendors(8) == {"c"}
    assert {each.vendor for each in made} == {"c"}
    assert all(each.well for each in made)
    route(program, "undo")
    until(lambda: exotel.vendors(12) == {"a", "b"}, "calls to come back")


def test_a_dead_member_gets_three_calls_at_most_and_is_taken_back(world):
    program, exotel = world
    until(lambda: exotel.vendors(12) == {"a", "b"}, "both vendors in")
    number = exotel.ask("faults", {"what": "bot-dies", "bot": "vendor-a"})["fault"]
    met = []
    while not met or met[-1].vendor == "a" or len(met) < 40:
        opened = opens_of(program)
        met.append(exotel.call())
        assert len(met) < 200
        if met[-1].vendor == "a" and [each.vendor for each in met].count("a") >= 3:
            until(
                lambda opened=opened: (
                    opens_of(program) > opened  # type: ignore[misc]
                    or breaker_of(program)["state"] == "open"
                ),
                "the breaker to hear of the failure",
            )
    dead = [each for each in met if each.vendor == "a"]
    # Three, and one more that may set off while the third is heard of; so each time it is tried.
    tried = sum(each["state"] == "half_open" for each in breaker_of(program)["history"])
    assert 3 <= len(dead) <= 4 * (1 + tried)
    assert all(each.person for each in dead), "whom the bot failed a person took"
    assert all(each.well for each in met if each.vendor == "b")
    with pytest.raises(HTTPError):
        exotel.ask("faults/999", method="DELETE")
    exotel.ask(f"faults/{number}", method="DELETE")
    until(lambda: "a" in exotel.vendors(4), "vendor A to be taken back")
    assert program.health("answer")["status"] in ("ok", "degraded")


def test_it_ends_well(world):
    program, _ = world
    assert program.stop() == 0
