"""What docs/ship-a-change.md has a newcomer do in the demo, done on the real program."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import chdir, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from program import command, until

pytestmark = pytest.mark.process

PAGE = (Path(__file__).parents[2] / "docs/ship-a-change.md").read_text(encoding="utf-8")
(CANDIDATE,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(LOG,) = re.findall(r"^```text\n(CallSid.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^\$ (switchhook release .*)$", PAGE, re.MULTILINE)
ROOT = Path(__file__).parents[2]
ENOUGH = 20
"""Calls that have ended, for the back-test to have something to decide."""


class Demo:
    """The demo as it runs, and a terminal in its folder."""

    def __init__(self, folder):
        self.folder = folder
        assert (folder / "better.toml").read_text() == CANDIDATE
        (folder / "mock.log").write_text(LOG)
        (folder / "deploy/rules").mkdir(parents=True)
        merged = CANDIDATE.replace("a fifth", "another fifth").replace("3", "4")
        (folder / "deploy/rules/survey-in.toml").write_text(merged)

    def does(self, line, code=0):
        """A command as the page has it."""
        line, _, file = line.partition(" > ")
        with chdir(self.folder):
            done = command(*shlex.split(line)[1:], code=code)
        if file:
            (self.folder / file).write_text(done.out)
        return done

    def told(self):
        """Whether enough calls have ended."""
        done = self.does("switchhook tail --endpoint survey --json", code=None)
        return len(done.out.splitlines()) >= ENOUGH


@contextmanager
def demo(scratch):
    """Until the block ends; its first line of a call says that all of it is there."""
    folder = scratch / "demo-data"
    words = [sys.executable, "-m", "demo", "--data", str(folder), "--calls", "400"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            assert any(" IST " in line for line in running.stdout), "it ended"
            yield Demo(folder)
        finally:
            running.terminate()


def hosts_of(config):
    """The hosts of each pool of a configuration."""
    bots = tomllib.loads(config.read_text())["bots"]
    return {
        name: {urlsplit(each["url"]).hostname for each in bot["members"].values()}
        for name, bot in bots.items()
        if "members" in bot
    }


def test_the_change_of_the_page_goes_through_its_stages_in_the_demo(tmp_path):
    """Each command of the page, in its order, does what the page says beside it."""
    said = {}
    with demo(tmp_path) as at:
        until(at.told, "calls to end")
        hosts = hosts_of(at.folder / "switchhook.toml")
        for line in COMMANDS:
            done = at.does(line, code=3 if line.endswith("--plan") else 0)
            said.setdefault(line.split()[2], []).append(done.out)
        listed = at.does("switchhook release list survey-in --json").out.splitlines()
    if sys.platform == "linux":  # elsewhere there may be one host alone
        each_its_own = [host for of_pool in hosts.values() for host in of_pool]
        assert len(hosts) == 6
        assert len(set(each_its_own)) == len(each_its_own), "a failure would have two owners"
    assert "now get a bot of pool survey new" in said["check"][0]
    mock, past = said["backtest"]
    assert "1 of 3 requests of mock.log" in mock
    assert "would have been answered otherwise" in past
    assert "shadow" in said["list"][0]
    assert ["25 %" in said["canary"][0], "50 %" in said["canary"][1]] == [True, True]
    assert "decides for all callers" in said["promote"][0]
    assert "again" in said["rollback"][0]
    assert "rolled back" in said["history"][0]
    plan, applied = said["apply"]
    assert "survey-in: by rules/survey-in.toml" in plan
    assert "5 %" in applied
    states = [json.loads(each)["state"] for each in listed]
    assert states == ["canary", "rolled back", "full"]
