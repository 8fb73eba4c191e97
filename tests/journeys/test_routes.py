"""Pools of bots in the real program: set by command and API, in force at once and for long."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from contextlib import contextmanager
from functools import partial

import pytest

from patience import PATIENCE_S
from program import command, http, running, until
from switchhook.capacity.facts_file import FactsReader
from switchhook.client import Client
from switchhook.emulator.net.serving import serving
from switchhook.system.data_folder import boot_id, read_identity

CONFIG = """
[bots.sales]
breaker = true
[bots.sales.members.vendor-a]
url = "ws://127.0.0.1:{port}/a"
allow_private = true
[bots.sales.members.vendor-b]
url = "ws://127.0.0.1:{port}/b"
allow_private = true
[bots.backup.members.spare]
url = "ws://127.0.0.1:{port}/spare"
allow_private = true
[endpoints.default]
auth = "open"
"""

BREAKER = "circuit breaker"
"""Who the audit log says it was."""


@pytest.fixture
def options(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text(CONFIG.format(port=1))
    return ("--config", str(file))


def route(program, *words, code=0):
    return command("route", *words, "--data", str(program.data), code=code)


def told(program):
    """What an answer process reads."""
    reader = FactsReader(program.data, boot_id(), read_identity(program.data).node)
    return reader.look(0)[1].hands


def post(program, path, **body):
    raw = json.dumps(body).encode()
    headers = {**program.by_link, "Content-Type": "application/json"}
    where = f"/api/v1/routes/{path}".encode()
    return http(program.address("console"), where, method="POST", headers=headers, body=raw)


@pytest.mark.process
def test_calls_are_moved_by_a_command_and_back_by_the_api(tmp_path, options):
    with running(tmp_path / "data", *options) as program:
        until(lambda: program.api("routes")["pools"], "the pools")
        moved = route(program, "move", "sales", "backup", "--reason", "A fails", "--for", "2h")
        assert moved.out == (
            "calls of sales go to backup for 2 h; `switchhook route undo 1` ends it\n"
        )
        assert [each.to for each in told(program)] == ["backup"]
        token = program.by_link["Authorization"].removeprefix("Bearer ")
        with Client(program.urls["console"], token) as console:
            seen = console.routes()
        assert (seen.pools[0].to_pool, seen.hands[0].reason) == ("backup", "A fails")
        assert [each.name for each in seen.pools[0].members] == ["vendor-a", "vendor-b"]
        (hand,) = program.api("routes/hands")["hands"]
        assert (hand["words"], hand["reason"]) == ("calls of sales go to backup", "A fails")
        listed = route(program, "list", code=1).out
        assert "pool sales: its calls go to backup" in listed
        assert "A fails" in listed
        assert post(program, "undo").status == 200
        assert told(program) == ()
        # The members are dead, so the breaker may have its say meanwhile.
        entries = [each for each in program.api("audit")["entries"] if each["who"] != BREAKER]
        said = [each["what"] for each in entries[:2]]
        assert said == ["undid a setting by hand", "moved a pool's calls"]


@pytest.mark.process
def test_what_was_set_holds_after_a_restart_and_undo_says_what_it_was(tmp_path, options):
    with running(tmp_path / "data", *options) as program:
        until(lambda: program.api("routes")["pools"], "the pools")
        for act in (("drain", "vendor-a"), ("weight", "vendor-b", "7"), ("off", "backup")):
            route(program, *act, "--reason", "night")
        done = route(program, "safe", "default", "--reason", "night")
        assert done.out.startswith("callers of endpoint default get its safe option")
    assert len(told(program)) == 4
    with running(tmp_path / "data", *options) as program:
        shown = until(lambda: program.api("routes")["hands"], "what was set")
        assert len(shown) == 4
        assert len(told(program)) == 4
        said = route(program, "show", "sales").out
        assert "vendor-a: draining" in said
        assert "reports  its bot reports nothing" in said
        assert route(program, "undo", "3").out == "undone (3): pool backup is switched off\n"
        route(program, "in", "vendor-a", "--reason", "well")
        left = {each.id for each in told(program)}
        assert left == {2, 4}


@pytest.mark.process
def test_without_a_console_it_is_kept_and_said_not_to_be_in_force(tmp_path, options):
    with running(tmp_path / "data", *options) as program:
        until(lambda: program.api("routes")["pools"], "the pools")
    done = route(program, "out", "vendor-a", "--reason", "x", code=1)
    assert "it is kept, and not in force yet: no console runs" in done.err
    again = route(program, "list", "--json", code=1)
    member = json.loads(again.out.splitlines()[0])["members"][0]
    assert (member["name"], member["state"]) == ("vendor-a", "out")


@pytest.mark.process
def test_what_cannot_be_set_is_said_in_a_line(tmp_path, options, capsys):
    with running(tmp_path / "data", *options) as program:
        for words, problem in (
            (("move", "sales", "bakup", "--reason", "x"), "did you mean backup?"),
            (("out", "vendor-c", "--reason", "x"), "did you mean sales/vendor-b?"),
            (("off", "sales", "--reason", " "), "it has no reason"),
            (("off", "sales", "--reason", "x", "--for", "soon"), "is no length of time"),
            (("off", "sales", "--reason", "x", "--for", "5"), "say 5m, 5h or 5d"),
            (("off", "sales", "--reason", "x", "--for", "99999d"), "at most 366 days"),
            (("show", "sale"), "there is no pool sale"),
            (("undo",), "nothing is set by hand"),
        ):
            assert problem in route(program, *words, code=2).err


@pytest.mark.process
def test_a_dead_member_is_seen_by_the_probe_and_gets_no_calls(tmp_path, options):
    """Nothing listens on the port of any: all are dead, and the pool is degraded, not empty."""
    with running(tmp_path / "data", *options) as program:

        def seen():
            sales = program.api("routes")["pools"][0]
            return sales if sales["degraded"] else None

        sales = until(seen, "the probes")
        for member in sales["members"]:
            assert member["breaker"]["why"] == "the probe: connection refused"
            assert member["draw_share"] == 0.5
        listed = route(program, "list", code=1).out
        assert "pool sales: degraded" in listed

        def deeds():
            return [each["who"] for each in program.api("audit")["entries"]].count(BREAKER)

        until(lambda: deeds() == 2, "both in the audit log, which comes after the view")


@pytest.mark.process
def test_check_probes_each_member_once(tmp_path, options):
    done = command("check", options[1], "--probe", code=1)
    assert done.out.count("connection refused") == 3
    plain = tmp_path / "plain.toml"
    plain.write_text("[endpoints.default]\n")
    assert "there is no pool to probe" in command("check", str(plain), "--probe").err


VOICEBOT = """
[endpoints.sales-in]
kind = "voicebot"
pool = "sales"
auth = "open"
fallback = "wss://fallback.example/stream"
"""


@contextmanager
def a_bot():
    """A bot that takes every WebSocket, on a port of its own."""
    loop, port, ended = asyncio.new_event_loop(), queue.Queue(), asyncio.Event()

    async def bot(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    async def main():
        async with serving(bot) as served:
            port.put(served.port)
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    try:
        yield port.get(timeout=PATIENCE_S)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(PATIENCE_S)
        loop.close()


def address(program, call):
    """Where the answer process sends a caller."""
    reply = program.ask(f"CallSid={call}&From=%2B919812345678", path="/voicebot/sales-in")
    return json.loads(reply.body)["url"] if reply.status == 200 else reply.status


@pytest.mark.process
def test_what_is_set_counts_for_new_callers(tmp_path):
    with a_bot() as port:
        file = tmp_path / "s.toml"
        file.write_text(CONFIG.format(port=port) + VOICEBOT)
        with running(tmp_path / "data", "--config", str(file)) as program:
            until(lambda: program.api("routes")["pools"], "the pools")
            calls = iter(range(10_000))

            def goes(*paths):
                """Whether a new caller goes to one of these."""
                return str(address(program, f"c{next(calls)}")).endswith(paths)

            def all_go(*paths):
                return all(goes(*paths) for _ in range(12))  # two of three may be by chance

            def until_they_go(*paths):
                until(partial(all_go, *paths), f"new callers go to {paths}")

            until_they_go("/a", "/b")
            route(program, "move", "sales", "backup", "--reason", "x")
            until_they_go("/spare")
            route(program, "undo")
            route(program, "drain", "vendor-a", "--reason", "x")
            until_they_go("/b")
            route(program, "off", "sales", "--reason", "x")
            until_they_go("404")
        with running(tmp_path / "data", "--config", str(file)) as program:
            assert all(goes("404") for _ in range(5))
            route(program, "undo")
            until_they_go("/b")
            route(program, "safe", "sales-in", "--reason", "x")
            until_they_go("fallback.example/stream")


@pytest.mark.process
def test_the_verdict_offers_the_press_that_mends_it(tmp_path):
    """And the press does what it says."""
    with a_bot() as port:
        file = tmp_path / "s.toml"
        file.write_text(CONFIG.replace("breaker = true", "").format(port=port) + VOICEBOT)
        with running(tmp_path / "data", "--config", str(file)) as program:
            for number in range(15):
                failed = "" if number == 3 else "&Stream[Error]=3009+connection+refused"
                status = "failed" if failed else "completed"
                assert program.ask(
                    f"CallSid=f{number}&From=%2B91981234{number:04}&Stream[StreamSID]=s{number}"
                    f"&Stream[Status]={status}{failed}&Stream[DisconnectedBy]=bot"
                    f"&Stream[StreamUrl]=ws%3A%2F%2F127.0.0.1%3A{port}%2Fa",
                    path="/passthru/default",
                ).status in (200, 302)
            said = until(lambda: program.api("verdict")["press"] and program.api("verdict"), "it")
            assert said["what"].startswith("Member sales/vendor-a fails: 14 of 15 streams of sales")
            assert "`switchhook route out sales/vendor-a --reason 'it fails'`" in said["todo"]
            press = said["press"]
            assert press.pop("words") == "Take vendor-a out"
            wanted = {name: value for name, value in press.items() if value is not None}
            assert post(program, "hands", **wanted, reason=said["what"]).status == 201
            assert until(lambda: program.api("verdict")["press"] is None, "it is mended")
            assert [each.member for each in told(program)] == ["vendor-a"]


@pytest.mark.process
def test_a_member_that_dies_gets_no_call_once_the_probe_saw_it(tmp_path):
    with a_bot() as alive:
        file = tmp_path / "s.toml"
        config = CONFIG.replace(":{port}/a", ":1/a").format(port=alive)
        file.write_text(config + VOICEBOT)
        with running(tmp_path / "data", "--config", str(file)) as program:

            def seen():
                members = program.api("routes")["pools"][0]["members"]
                return members[0]["evidence"][1]["good"] is False

            until(seen, "the probe")

            def is_out():
                return program.api("routes")["pools"][0]["members"][0]["draw_share"] == 0

            until(is_out, "the breaker")
            calls = iter(range(10_000))

            def none_gets_it():
                asked = (address(program, f"c{next(calls)}") for _ in range(12))
                return all(each.endswith("/b") for each in asked)

            until(none_gets_it, "the facts")
