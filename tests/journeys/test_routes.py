"""Pools of bots in the real program: set by command and API, in force at once and for long."""

from __future__ import annotations

import json

import pytest

from program import command, http, running, until
from switchhook.capacity.facts_file import FactsReader
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
        (hand,) = program.api("routes/hands")["hands"]
        assert (hand["words"], hand["reason"]) == ("calls of sales go to backup", "A fails")
        listed = route(program, "list", code=1).out
        assert "pool sales: its calls go to backup" in listed
        assert "A fails" in listed
        assert post(program, "undo").status == 200
        assert told(program) == ()
        entries = [each["what"] for each in program.api("audit")["entries"]]
        assert entries[:2] == ["undid a setting by hand", "moved a pool's calls"]


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
    assert "it is kept, and not in force yet" in done.err
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
        deeds = [each["who"] for each in program.api("audit")["entries"]]
        assert deeds.count("circuit breaker") == 2


@pytest.mark.process
def test_check_probes_each_member_once(tmp_path, options):
    done = command("check", options[1], "--probe", code=1)
    assert done.out.count("connection refused") == 3
    plain = tmp_path / "plain.toml"
    plain.write_text("[endpoints.default]\n")
    assert "there is no pool to probe" in command("check", str(plain), "--probe").err
