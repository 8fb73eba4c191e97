"""What docs/exotel-flow.md says to do before going live, done on the real program."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from patience import PATIENCE_S
from program import command, running, until
from switchhook.overview.verdict_file import read_verdict

PAGE = (Path(__file__).parents[2] / "docs/exotel-flow.md").read_text(encoding="utf-8")
_, _, SECTION = PAGE.partition("\n## Before going live\n")
STEPS = re.split(r"^[0-9]\. ", SECTION.partition("\n## ")[0], flags=re.MULTILINE)[1:]
ASKED = re.compile(
    r"^ *\$ curl -si 'https://[^/]+(/\S+?)(?:\?(\S+))?' .*\n *HTTP/1.1 ([0-9]+) ", re.M
)
TOLD = re.compile(r"^ *(a stream that .+?): ([0-9]+), (Option [AB]) by rule '(.+)', in", re.M)
SECRET = "9DcZsEH74jFSiEob5lBDQncWBUkgEZPP"


def tail(data, *words):
    asked = [sys.executable, "-m", "switchhook", "tail", *words, "--data", str(data)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_step_does_what_it_says(tmp_path):
    config = tmp_path / "switchhook.toml"
    config.write_text(f'[endpoints.sales]\nsecrets = ["{SECRET}"]\n')
    config.chmod(0o600)
    data = tmp_path / "data"
    looked, tested, elsewhere = STEPS[:3]
    assert "switchhook doctor --config" in looked
    with running(data, "--config", str(config)) as program:
        where = ("--config", str(config), "--data", str(data))
        until(lambda: read_verdict(data), "the console to look")
        done = command("doctor", "--url", program.urls["answer"], "--json", *where, code=1)
        found = {row["check"]: row["level"] for row in map(json.loads, done.out.splitlines())}
        wrong = {check for check, level in found.items() if level != "ok"}
        # What a machine of tests has not: somebody to tell, and a clock that others have seen.
        assert wrong <= {"alerts", "heartbeat", "clock"}, done.out
        assert {"a wrong secret", "proxy: query", "health of the answer side"} <= found.keys()
        assert "switchhook endpoint test sales" in tested
        said = command("endpoint", "test", "sales", *where).out
        assert len(TOLD.findall(tested)) == 2
        assert TOLD.findall(tested) == TOLD.findall(said)
        assert tail(data) == "", "tests are no callers"
        ((path, query, status),) = ASKED.findall(elsewhere)
        assert program.ask(query, path).status == int(status)
        assert "test-1" in tail(data)
        (told,) = (json.loads(line) for line in tail(data, "--json").splitlines())
        assert told["auth"] == "ok"
        assert program.health("answer")["status"] == "ok", "no test raises an alarm"
        assert program.stop() == 0


def test_each_step_has_the_commands_that_it_asks_for():
    """Nobody who goes live looks for how to stop all of it, or has it started by the next call."""
    (stopped,) = (step for step in STEPS if "with Switchhook stopped" in step)
    assert "switchhook-answer.socket" in stopped
