"""Promises steered by commands beside the real program: what figures say, and who hears of ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal

import pytest

from program import command, http, running, until
from switchhook.system.folder_lock import is_free
from webhook import receiving

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
delay_s = 86400
within_s = 604800
tell = ["ops"]
[alerts.send.ops]
url_env = "OPS_URL"
severities = ["critical"]
"""


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setenv("EXOTEL_KEY", "a-key")
    monkeypatch.setenv("EXOTEL_TOKEN", "a-token")
    file = tmp_path / "s.toml"
    file.write_text(CONFIG)
    return ("--config", str(file))


def promises(program, *words, code=0):
    return command("promises", *words, "--data", str(program.data), code=code)


def metric(program, name):
    """A figure of the account, None where it is not told."""
    text = http(program.address("console"), b"/metrics", headers=program.by_link).body.decode()
    found = re.search(rf'^switchhook_{name}{{account="main"}} (\S+)$', text, re.MULTILINE)
    return None if found is None else float(found[1])


def test_whoever_asked_to_know_hears_how_promises_ended(tmp_path, options, monkeypatch):
    with receiving() as hook:
        monkeypatch.setenv("OPS_URL", f"json://127.0.0.1:{hook.port}/ops")
        with running(tmp_path / "data", *options) as program:
            made = promises(program, "make", "+919876500001", "--reason", "asked by mail")
            assert "+91••••••••01" in made.out
            until(lambda: metric(program, "dialling_off") == 1, "the figures to say that all wait")
            assert metric(program, "promises_waiting") == 1
            assert metric(program, "promises_due") == 0
            promises(program, "allow-dialling", "main", "--reason", "a try")
            until(lambda: metric(program, "dialling_off") == 0, "the figures to say who may dial")
            promises(program, "cancel", "1", "--reason", "served by mail")
            (got,) = hook.wait(1)
            assert got.body["title"] == "A promise of account main is dropped"
            said = str(got.body["message"])
            assert "+91••••••••01, cancelled after" in said
            assert "served by mail" in said
            assert "9876500001" not in said
            until(lambda: metric(program, "promises_waiting") == 0, "nothing to wait any more")
        with running(tmp_path / "data", *options) as program:
            until(lambda: metric(program, "promises_waiting") == 0, "the figures of another start")
            assert [got.body["title"] for got in hook.got] == [
                "A promise of account main is dropped"
            ]


def test_dialling_is_stopped_beside_the_program_and_by_nobody_else_turned_on(
    tmp_path, options, monkeypatch
):
    """What a command sets holds for the console, and through its restart."""
    with receiving() as hook:
        monkeypatch.setenv("OPS_URL", f"json://127.0.0.1:{hook.port}/ops")
        with running(tmp_path / "data", *options) as program:
            promises(program, "make", "+919876500001", "--reason", "asked by mail")
            promises(program, "allow-dialling", "main", "--reason", "a try")
            until(lambda: metric(program, "dialling_off") == 0, "the figures to say who may dial")
            stopped = promises(program, "stop-dialling", "--reason", "the greeting is wrong")
            assert stopped.out == "nobody is dialled any more\n"
            until(lambda: metric(program, "dialling_off") == 1, "the figures to say who may not")
        with running(tmp_path / "data", *options) as program:
            until(lambda: metric(program, "dialling_off") == 1, "it to be off after a restart")
            listed = promises(program, "list", code=1)
            assert "dialling is stopped: the greeting is wrong" in listed.err


def test_once_all_of_it_was_killed_a_command_says_at_once_that_no_console_runs(
    tmp_path, options, monkeypatch
):
    """The console's last verdict is good for half a minute, and its lock for no moment."""
    monkeypatch.setenv("OPS_URL", "json://127.0.0.1:9/ops")
    words = ("allow-dialling", "main", "--reason", "a try")
    with running(tmp_path / "data", *options) as program:
        verdict = program.data / "verdict.1"
        until(lambda: verdict.exists() and verdict.read_bytes().strip(b"\0"), "a verdict")
        assert promises(program, *words).err == ""
        children = program.children()
        for pid in (program.process.pid, *children.values()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: is_free(program.data, "console"), "the console to have let go")
        said = promises(program, *words, code=1).err
        assert said == "note: not yet: no console runs, and nobody else dials\n"
