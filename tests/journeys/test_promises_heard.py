"""Promises made of passthrus by the real program, whose console is killed meanwhile."""

from __future__ import annotations

import os
import signal
from collections import Counter
from functools import partial
from urllib.parse import urlencode

import pytest

from program import running, until
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import LEDGER

pytestmark = pytest.mark.process

CONFIG = """
[accounts.main]
sid = "acme1"
url = "http://127.0.0.1:9"
key_env = "EXOTEL_KEY"
token_env = "EXOTEL_TOKEN"
[accounts.main.callbacks]
exophone = "+918047112233"
flow = "123456"
within_s = 86400
[endpoints.default]
rules = "rules.toml"
"""
RULES = """
[[rule]]
name = "throttled"
when = 'stream.cause == "throttled"'
option = "B"
promise = true
reason = "no free stream"
class = "sales"

[default]
option = "A"
"""
KILLED, EACH_TIME = 5, 12


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setenv("EXOTEL_KEY", "a-key")
    monkeypatch.setenv("EXOTEL_TOKEN", "a-token")
    (tmp_path / "rules.toml").write_text(RULES)
    file = tmp_path / "s.toml"
    file.write_text(CONFIG)
    return ("--config", str(file))


def query(call, number, **stream):
    said = {"CallSid": call, "CallFrom": number, "CallTo": "08047112233", "Direction": "incoming"}
    return urlencode({**said, **{f"Stream[{key}]": text for key, text in stream.items()}})


def number(at):
    return f"+9198765{at:05}"


def throttled(program, at):
    detail = "Streaming_call_throttled"
    stream = {"StreamSID": f"s{at}", "Status": "failed", "DetailedStatus": detail}
    assert program.ask(query(f"c{at}", number(at), **stream)).status == 302


def promised(program):
    """The calls that callbacks were promised in."""
    return [each["call_sid"] for each in program.api("promises", limit=500)["promises"]]


def kill_console(program):
    before = until(lambda: program.children().get("console"), "there to be a console")
    os.kill(before, signal.SIGKILL)
    until(lambda: program.children().get("console", before) != before, "another console")


@pytest.fixture
def promises(tmp_path):
    """The ledger's, read beside the program, also while its console is dead."""
    ledger = open_ledger(tmp_path / "data" / LEDGER)
    yield LedgerPromises(ledger)
    ledger.close()


def test_no_promise_is_lost_and_none_is_made_twice_however_often_the_console_dies(
    tmp_path, options, request
):
    with running(tmp_path / "data", *options) as program:
        promises = request.getfixturevalue("promises")
        for turn in range(KILLED):
            first = turn * EACH_TIME
            for at in range(first, first + EACH_TIME):
                throttled(program, at)
            if turn % 2:  # in the midst of it; else before it has heard of any
                until(partial(promises.live_of, number(first)), "a promise")
            kill_console(program)
        calls = [f"c{at}" for at in range(KILLED * EACH_TIME)]
        until(lambda: promises.live_of(number(len(calls) - 1)), "the last promise")
        assert program.stop() == 0
    with running(tmp_path / "data", *options) as program:
        assert Counter(promised(program)) == Counter(calls)
        # Nothing but those: none was tried again.
        assert program.api("promises/refusals")["refusals"] == []
        for each in program.api("promises", limit=500)["promises"]:
            assert (each["class"], each["reason"]) == ("sales", "no free stream")
            assert (each["state"], each["endpoint"]) == ("unproven", "default")


def test_who_got_through_by_themselves_is_not_owed_a_callback(tmp_path, options):
    with running(tmp_path / "data", *options) as program:
        throttled(program, 1)
        until(lambda: promised(program), "the promise")
        talk = {"StreamSID": "t1", "Status": "completed", "DisconnectedBy": "user"}
        program.ask(query("c9", "09876500001", **talk, Duration="42"))
        (one,) = until(
            lambda: [
                each
                for each in program.api("promises", limit=5)["promises"]
                if each["state"] == "dropped"
            ],
            "the promise to be dropped",
        )
        assert (one["event"], one["call_sid"]) == ("served", "c1")
        assert "a bot talked to them for 42 s" in one["why"]
