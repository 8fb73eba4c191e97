"""Flags in the real program: set by a command, decided by at once, read by a bot, undone."""

from __future__ import annotations

import json
from itertools import count

import httpx2
import pytest

from kept_receipts import query
from program import command, http, running, until

CONFIG = """
[ofrep]
listen = "127.0.0.1:0"
[flags.off]
kind = "boolean"
default = false
[flags.share]
kind = "percentage"
default = 50
[endpoints.default]
auth = "open"
rules = "rules.toml"
"""
RULES = """
[[rule]]
name = "switched off"
when = 'flags.off'
option = "B"
[default]
option = "A"
"""

pytestmark = pytest.mark.process


@pytest.fixture
def options(tmp_path):
    (tmp_path / "rules.toml").write_text(RULES)
    file = tmp_path / "s.toml"
    file.write_text(CONFIG)
    return ("--config", str(file))


def flag(program, *words, code=0):
    return command("flag", *words, "--data", str(program.data), code=code)


def bot(program, name):
    """What a bot reads, by its own token."""
    made = command("tokens", "make", "bot", "--scope", "flags", "--data", str(program.data))
    url = program.api("flags")["ofrep"]
    return httpx2.post(
        f"{url}/ofrep/v1/evaluate/flags/{name}",
        json={"context": {}},
        headers={"X-API-Key": made.out.strip()},
    ).json()


def test_a_flag_is_in_force_for_callers_and_bots_until_it_is_undone(tmp_path, options):
    calls = count()
    with running(tmp_path / "data", *options) as program:

        def status():
            return program.ask(query(f"c{next(calls)}", "s1")).status

        until(lambda: program.api("flags")["ofrep"], "bots to be listened to")
        assert (status(), bot(program, "off")["value"]) == (200, False)
        done = flag(program, "set", "off", "true", "--reason", "it fails", "--for", "2h")
        assert done.out == "off is true for 2 h; `switchhook flag undo off` undoes it\n"
        until(lambda: status() == 302, "the flag to decide")
        assert bot(program, "off")["value"] is True
        (receipt,) = program.api("receipts?limit=1")["receipts"]
        kept = program.api(f"receipts/{receipt['id']}")
        assert (kept["decision"]["rule"], kept["flags"]) == ("switched off", {"off": True})
    with running(tmp_path / "data", *options) as program:
        assert status() == 302  # from the first answer on
        until(lambda: program.api("flags")["ofrep"], "bots to be listened to")
        listed = flag(program, "list").out
        assert "off    boolean" in listed
        assert "rules" in listed
        raw = json.dumps({"reason": "it works again"}).encode()
        headers = {**program.by_link, "Content-Type": "application/json"}
        address = program.address("console")
        undone = http(address, b"/api/v1/flags/off/undo", method="POST", headers=headers, body=raw)
        assert undone.status == 200
        until(lambda: status() == 200, "the flag to decide no more")
        changes = [json.loads(each) for each in flag(program, "history", "--json").out.splitlines()]
        assert [each["act"] for each in changes] == ["undo", "set"]
        assert "it works again" in flag(program, "show", "off").out
    done = flag(program, "reset", "share", "--reason", "x", code=None)
    assert (done.code, "nothing to change" in done.err) == (2, True)
    for words, said in (
        (("set", "share", "10%"), "--reason is missing: why, for those who read it tomorrow"),
        (("reset", "share"), "--reason is missing"),
        (("set", "shar", "10%"), "did you mean 'share'"),
        (("set", "off", "maybe"), "maybe"),
    ):
        done = flag(program, *words, code=2)
        assert said in done.err
        assert ("--reason is" in done.err) == ("--reason is" in said)
    done = flag(program, "set", "share", "10%", "--reason", "x", code=1)
    assert "it is kept, and not in force yet: no console runs" in done.err


def test_a_rule_with_an_unknown_flag_does_not_run(tmp_path, options):
    """What ran goes on, and what is wrong is named."""
    with running(tmp_path / "data", *options) as program:
        (tmp_path / "rules.toml").write_text(RULES.replace("flags.off", "flags.of"))
        until(lambda: "did you mean flags.off" in str(program.api("status")), "the complaint")
        assert program.ask(query("c1", "s1")).status == 200
