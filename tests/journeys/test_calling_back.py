"""What docs/calling-back.md has a newcomer do, done on the real program and the emulator."""

from __future__ import annotations

import json
import re
import textwrap
from contextlib import ExitStack
from pathlib import Path

import pytest

from program import command, running, until
from switchhook.emulator.testing import Exotel
from switchhook.emulator.testing.exotel import BOT

pytestmark = pytest.mark.process

PAGE = (Path(__file__).parents[2] / "docs/calling-back.md").read_text(encoding="utf-8")
TOML = [
    textwrap.dedent(each) for each in re.findall(r"^ *```toml\n(.*?)^ *```$", PAGE, re.M | re.S)
]
CONFIG, ONE_CALLER, PRESSED = TOML
COMMANDS = re.findall(r"^ *\$ switchhook promises (.*)$", PAGE, re.MULTILINE)
MINE = "+919876500001"
PLAN = """
[behaviour]
details_delay_s = 1

[account.exotelt]
key = "trial-key"
token = "trial-token"

[number.08047112233]
account = "exotelt"
flow = "sales"

[flow.sales]
first = "bot"
[flow.sales.applet.bot]
applet = "voicebot"
url = "{bot}"
next = "told"
[flow.sales.applet.told]
applet = "passthru"
url = "{told}"
a = "end"
b = "end"
[flow.sales.applet.end]
applet = "hangup"

[flow.123456]
first = "bot"
[flow.123456.applet.bot]
applet = "voicebot"
url = "{bot}"
next = "told"
[flow.123456.applet.told]
applet = "passthru"
url = "{told}"
a = "end"
b = "end"
[flow.123456.applet.end]
applet = "hangup"

[caller.patient]
patience_s = 60
"""
SOON = 'hours = "0:00-24:00"\ndelay_s = 1\nserved_s = 1\n'
"""A test has no minute, and may run at night; the talk with its bot lasts some seconds."""


class World:
    """The program with the configuration of the page, beside an Exotel that its account is at."""

    def __init__(self, folder, held, rules):
        self.exotel = held.enter_context(Exotel(real_time=True))
        for name, text in {
            "secrets/exotel-key": "trial-key",
            "secrets/exotel-token": "trial-token",
            "secrets/main-status": "a-secret-of-status-callbacks-00",
            "rules/sales.toml": rules,
        }.items():
            (folder / name).parent.mkdir(mode=0o700, exist_ok=True)
            (folder / name).write_text(text + "\n")
            (folder / name).chmod(0o600)
        self.file = folder / "switchhook.toml"
        self.file.write_text(self.config())
        options = ("--config", str(self.file))
        self.program = held.enter_context(running(folder / "data", *options))
        printed = command("endpoint", "url", "sales", "--data", str(self.program.data)).out.strip()
        path = printed.partition("hooks.example.com")[2]
        told = self.program.urls["answer"] + path
        self.exotel.flow(PLAN.format(bot=f"wss://{BOT}/bot?say=1", told=told))

    def config(self):
        found = CONFIG.replace('sid = "acme1"', 'sid = "exotelt"')
        for old, new in (
            (
                'region = "mumbai"\n',
                f'url = "{self.exotel.url}"\nquiet_s = 2\nbusy_s = 2\nrate_per_minute = 200\n',
            ),
            ('flow = "123456"\n', f'flow = "123456"\n{SOON}'),
        ):
            assert old in found
            found = found.replace(old, new)
        return found

    def does(self, line, code=0):
        """A command as the page has it."""
        words = re.findall(r'"[^"]*"|\S+', line)
        said = [each.strip('"') for each in words]
        return command("promises", *said, "--data", str(self.program.data), code=code)

    def promises(self):
        done = self.does(
            "list --json --state open,unproven,dialling,unknown,ringing,kept,dropped,broken"
        )
        return [json.loads(each) for each in done.out.splitlines()]

    def story(self):
        return json.loads(self.does("show 1 --json").out)

    def called_back(self):
        """The story of the first promise once it is kept: what tells of its call comes apart."""
        until(lambda: [each["state"] for each in self.promises()] != [], "a promise")
        until(lambda: self.story()["calls"], "it to be dialled")
        until(lambda: self.story()["calls"][0]["talk_s"], "a talk")
        until(lambda: self.story()["state"] == "kept", "the call to be known to be over")
        return self.story()


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("OPS_SLACK_URL", "json://127.0.0.1:9/ops")
    with ExitStack() as held:
        yield World(tmp_path, held, ONE_CALLER)


def test_a_newcomer_is_called_back_by_the_commands_of_the_page(world):
    """Made by hand, allowed, called, talked to: the promise is kept, and its story says how."""
    make, allow = COMMANDS[:2]
    done = world.does(make)
    assert done.out.startswith("promise 1: +91••••••••01 is called back from ")
    assert done.err == "note: not yet: nobody has allowed this account to dial\n"
    assert world.does(allow).out.startswith("account main may dial: 1 promise waits; ")
    story = world.called_back()
    assert len(world.exotel.calls) == 1
    assert [step["event"] for step in story["steps"]] == [None, "dialled", "placed", "talked"]
    (tried,) = story["calls"]
    assert tried["outcome"] == "talked"


def test_a_caller_whom_the_bot_fails_is_called_back_and_another_is_not(world):
    """The rule of the page promises to one number alone; the details of the call confirm it."""
    world.does(COMMANDS[1])
    for number in ("+919876500002", MINE):
        world.exotel.fault("bot-refused", count=2)
        world.exotel.call(from_=number).wait()
    story = world.called_back()
    (promise,) = world.promises()
    assert (promise["number"], promise["class"]) == (MINE, "sales")
    assert promise["reason"] == "the bot was down"
    events = [step["event"] for step in story["steps"]]
    assert events == [None, "proven", "dialled", "placed", "talked"]
    assert len(world.exotel.calls) == 3
