"""Changes shipped with nobody touching anything: one harms callers and is taken back, one doesn't.

The program as a user starts it, and an Exotel that calls it, over real sockets.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from journeys.test_route import Exotel, free_ports
from program import Program, command, http, running, until
from switchhook.journal import JournalReader
from switchhook.journal.receipt import RecordKind, decode_address
from switchhook.system.data_folder import JOURNAL, read_identity
from switchhook.system.local_keys import endpoint_secret

pytestmark = pytest.mark.process

CONFIG = """
[accounts.main]
sid = "acme1"
poll = false

[releases]
exclude_points = 50
least_stage_min = 0
short_talk_s = 1

[bots.sales.members.vendor-a]
url = "ws://127.0.0.1:{a}/a"
allow_private = true

[bots.spare.members.vendor-b]
url = "ws://127.0.0.1:{b}/b"
allow_private = true

[endpoints.default]

[endpoints.sales-in]
kind = "voicebot"
pool = "sales"
rules = "sales-in.toml"
"""
RULES = """
[default]
pool = "sales"
"""
HARMLESS = """
[[rule]]
name = "the same, said otherwise"
when = "call.from != ''"
pool = "sales"

[default]
pool = "sales"
"""
HARMFUL = """
[[rule]]
name = "two in ten to the spare pool"
when = "call.from.endsWith('0') || call.from.endsWith('5')"
pool = "spare"

[default]
pool = "sales"
"""
PLAN = """
behaviour = {{ retries = 0, handshake_limit_s = 2.0 }}
voice = ""

[account.acme1]
streams = 200

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
b = "end"

[flow.sales.applet.end]
applet = "hangup"

[bot.vendor-a]
url = "ws://127.0.0.1:{a}/a"
plays = "/bot?say=1&length=0.2"
"""
EXOPHONE = "+918047112233"
AT_ONCE = 12
"""Calls that go on beside each other."""


class World:
    """The program, the Exotel that calls it, and callers, each of whom calls once."""

    def __init__(self, program: Program, exotel: Exotel) -> None:
        self.program, self.exotel = program, exotel
        self.numbers = (f"+9198{n:08}" for n in itertools.count())

    def call(self, times: int) -> None:
        """Some callers, to the ends of their calls."""
        for begun in range(0, times, AT_ONCE):
            sids = [
                self.exotel.ask(
                    "calls", {"number": EXOPHONE, "caller": {"number": next(self.numbers)}}
                )["call_sid"]
                for _ in range(min(AT_ONCE, times - begun))
            ]
            for sid in sids:
                until(lambda sid=sid: self.exotel.ask(f"calls/{sid}")["ended"], "a call to end")  # type: ignore[misc]

    def release(self, *words: str) -> str:
        done = command("release", *words, "--data", str(self.program.data))
        return done.out or done.err

    def shown(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.program.api(f"releases/{number}")
        return found

    def state(self, number: int) -> str:
        return str(self.shown(number)["state"])

    def caught_up(self) -> None:
        """Until the console has heard of all calls."""
        until(lambda: self.program.health("console").get("fold_lag") == 0, "the fold")

    def sent(self) -> list[tuple[str, bool]]:
        """To whom each call was sent, and on which side of a canary, in order."""
        reader = JournalReader(self.program.data / JOURNAL)
        try:
            records = reader.read(0, 100_000)
        finally:
            reader.close()
        given = [decode_address(each.body) for each in records if each.kind == RecordKind.VOICEBOT]
        return [
            (
                "" if each.route is None else each.route.pool,
                bool(each.rollout and each.rollout.canary),
            )
            for each in given
        ]


@pytest.fixture
def world(tmp_path):
    a, b = free_ports(2)
    config = tmp_path / "switchhook.toml"
    config.write_text(CONFIG.format(a=a, b=b))
    (tmp_path / "sales-in.toml").write_text(RULES)
    (tmp_path / "harmless.toml").write_text(HARMLESS)
    (tmp_path / "harmful.toml").write_text(HARMFUL)
    with running(tmp_path / "data", "--config", str(config)) as program:
        secret = endpoint_secret(read_identity(program.data).key, "sales-in")
        plan, ready = tmp_path / "plan.toml", tmp_path / "exotel.json"
        answer = program.urls["answer"]
        said = PLAN.format(answer=answer, secret=secret, passthru=program.passthru, a=a)
        plan.write_text(said)
        words = ["emulate", str(plan), "--listen", "127.0.0.1:0", "--ready", str(ready), "--brief"]
        with subprocess.Popen(
            [sys.executable, "-m", "switchhook", *words], stdout=subprocess.DEVNULL
        ) as process:
            try:
                until(lambda: ready.exists() or process.poll() is not None, "the emulator to serve")
                found = World(program, Exotel(json.loads(ready.read_bytes())))
                until(lambda: program.health("console").get("status"), "the console to be there")
                yield found
            finally:
                process.terminate()


def propose(world: World, file: str, share: str) -> int:
    """Record a file as a release, put it in canary; its number."""
    place = world.program.data.parent / file
    said = world.release("canary", str(place), share, "--of", "sales-in", "--reason", "try it")
    found = re.search(r"release (\d+)", said)
    assert found, said
    return int(found[1])


def test_a_release_that_harms_callers_is_taken_back_by_itself(world):
    number = propose(world, "harmful.toml", "50%")
    calls = 0
    while world.state(number) == "canary":
        assert calls < 1_500, world.shown(number)
        world.call(AT_ONCE)
        world.caught_up()
        calls += AT_ONCE
    assert world.state(number) == "frozen"
    sent = world.sent()
    assert {pool for pool, canary in sent if canary} == {"sales", "spare"}
    assert {pool for pool, canary in sent if not canary} == {"sales"}
    before = len(sent)
    world.call(40)
    assert {pool for pool, _ in world.sent()[before:]} == {"sales"}, "nobody is sent there now"
    story = world.release("show", str(number), "--json")
    assert "frozen" in story
    steps = world.release("history", "--json")
    freeze = [each for each in map(json.loads, steps.splitlines()) if each["act"] == "freeze"]
    assert [each["by"] for each in freeze] == ["Switchhook"]
    assert "canary callers" in freeze[0]["evidence"]
    alerts = until(
        lambda: [a for a in world.program.api("alerts")["alerts"] if a["rule"] == "release-harmed"],
        "the alert",
    )
    assert alerts[0]["labels"]["release"] == str(number)
    said = f"Release {number} of the rules of sales-in, at 50 %, harmed callers"
    until(
        lambda: all(each in str(world.program.api("verdict")) for each in ("Spare", said)),
        "both to be told",
    )
    verdict = world.program.api("verdict")
    lines = [verdict["what"], *verdict["more"]]
    (release,) = (at for at, line in enumerate(lines) if line.startswith(said))
    (pool,) = (at for at, line in enumerate(lines) if line.startswith("Spare"))
    assert release < pool, "it is the cause"
    assert f"release {number}, which sent it calls, was taken back" in lines[pool]
    assert verdict.get("press") is None
    assert "route move" not in json.dumps(verdict)


def test_a_harmless_one_goes_to_all_by_itself_though_the_console_is_killed_meanwhile(world):
    number = propose(world, "harmless.toml", "25%")
    world.call(30)
    world.caught_up()
    os.kill(world.program.children()["console"], signal.SIGKILL)
    world.call(30)
    until(lambda: world.program.health("console").get("status"), "the console to be back")
    world.caught_up()
    calls = 60
    while world.state(number) == "canary":
        assert calls < 1_500, world.shown(number)
        world.call(AT_ONCE)
        world.caught_up()
        calls += AT_ONCE
    assert world.state(number) == "full"
    steps = [json.loads(each) for each in world.release("history", "--json").splitlines()]
    mine = [each for each in steps if each["number"] == number]
    assert [(each["act"], each["by"]) for each in mine][-1] == ("promote", "Switchhook")
    before = len(world.sent())
    world.call(20)
    assert {pool for pool, _ in world.sent()[before:]} == {"sales"}
    assert "the same, said otherwise" in json.dumps(world.program.api("endpoints"))


def test_what_the_limit_refuses_harms_nobodys_release(world):
    number = propose(world, "harmless.toml", "50%")
    world.exotel.ask("accounts/acme1", {"streams": 1}, "PATCH")
    world.call(10 * AT_ONCE)
    world.caught_up()
    page = f"/releases/{number}".encode()

    def shown() -> str:
        reply = http(world.program.address("console"), page, headers=world.program.by_link)
        return reply.body.decode()

    until(lambda: "limit refused" in shown(), "the page to say why it holds")
    assert "which hits both sides" in shown()
    assert world.state(number) == "canary"
