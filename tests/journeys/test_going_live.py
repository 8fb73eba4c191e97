"""What docs/exotel-flow.md says to do before going live, done on the real program."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

from program import PATIENCE_S, Program, running, until

PAGE = (Path(__file__).parents[2] / "docs/exotel-flow.md").read_text(encoding="utf-8")
_, _, SECTION = PAGE.partition("\n## Before going live\n")
STEPS = re.split(r"^[0-9]\. ", SECTION.partition("\n## ")[0], flags=re.MULTILINE)[1:]
ASKED = re.compile(
    r"^ *\$ curl -si 'https://[^/]+(/\S+?)(?:\?(\S+))?' .*\n *HTTP/1.1 ([0-9]+) ", re.M
)
SECRET = "9DcZsEH74jFSiEob5lBDQncWBUkgEZPP"


def tail(data, *words):
    command = [sys.executable, "-m", "switchhook", "tail", *words, "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def well(program: Program, side: str) -> bool:
    return bool(program.health(side)["status"] == "ok")


def test_each_step_does_what_it_says(tmp_path):
    config = tmp_path / "switchhook.toml"
    config.write_text(f'[endpoints.sales]\nsecrets = ["{SECRET}"]\n')
    data = tmp_path / "data"
    asked = [each for step in STEPS for each in ASKED.findall(step)]
    assert [status for *_, status in asked] == ["200", "302", "403"]
    with running(data, "--config", str(config)) as program:
        for path, query, status in asked[:2]:
            assert program.ask(query, path).status == int(status)
        shown = tail(data)
        assert "test-1" in shown
        assert "test-2" in shown
        told = [json.loads(line) for line in tail(data, "--json").splitlines()]
        assert [each["auth"] for each in told] == ["ok", "ok"]
        path, query, status = asked[2]
        assert program.ask(query, path).status == int(status)
        assert "(secret wrong)" in str(program.health("answer"))
        before = program.children()
        program.process.send_signal(signal.SIGHUP)
        until(lambda: program.health("answer")["status"] == "ok", "a fresh process")
        until(lambda: not {*before.values()} & {*program.children().values()}, "both")
        for side in ("answer", "console"):
            until(partial(well, program, side), side)
        assert program.stop() == 0


def test_each_step_has_the_commands_that_it_asks_for():
    """Nobody who goes live looks for how to reload, or has it started by the next call."""
    refused, stopped = STEPS[3], STEPS[6]
    assert "`systemctl reload switchhook`" in refused
    assert "SIGHUP" in refused
    assert "switchhook-answer.socket" in stopped
