"""A plan's file: what it may say, and what is said of one that is wrong."""

from __future__ import annotations

import pytest

from switchhook.emulator.plan.file import read_plan
from switchhook.emulator.plan.flow import Passthru, Voicebot
from switchhook.errors import ConfigError

GOOD = """
seed = 7
allow = ["bot.example"]
behaviour = {dialect = "json"}

[account.exotelt]
streams = 2
heartbeat_url = "http://hooks.example/beat"
behaviour = {numbers = "e164"}

[number.08047112233]
account = "exotelt"
flow = "support"

[flow.support]
first = "bot"
[flow.support.applet.bot]
applet = "voicebot"
url = "wss://bot.example/media?tier=gold"
next = "told"
[flow.support.applet.told]
applet = "passthru"
url = "https://hooks.example/passthru?secret=s"
a = "end"
b = "people"
[flow.support.applet.people]
applet = "connect"
numbers = ["+919111100001"]
answered = "end"
no_answer = "end"
[flow.support.applet.end]
applet = "hangup"

[caller.hurried]
share = 2
[[caller.hurried.does]]
at = "bot"
after_s = 3
hangs_up = true

[agent.09111100001]
answers = "busy"

[[fault]]
what = "bot-refused"
count = 2
applet = "bot"

[[heartbeat]]
status_type = "WARNING"
every_s = 60

[arrivals]
per_minute = 30
"""


def test_a_good_file_is_read_whole():
    plan = read_plan(GOOD)
    assert plan.seed == 7
    assert plan.number.keys() == {"+918047112233"}
    assert plan.agent["+919111100001"].answers == "busy"
    bot, told = plan.flow["support"].applet["bot"], plan.flow["support"].applet["told"]
    assert isinstance(bot, Voicebot)
    assert bot.next == "told"
    assert isinstance(told, Passthru)
    assert (told.mode, told.a, told.b) == ("sync", "end", "people")
    assert plan.caller["hurried"].does[0].hangs_up
    assert plan.fault[0].count == 2
    assert plan.arrivals.per_minute == 30
    assert (plan.heartbeat[0].status_type, plan.heartbeat[0].every_s) == ("WARNING", 60)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("seed = 7", "sead = 7", "p.toml: sead: there is no such setting (did you mean seed?)"),
        ("seed = 7", "seed =", "p.toml: not TOML: Invalid value (at line 2, column 7)"),
        (
            "streams = 2",
            "streems = 2",
            "p.toml: account.exotelt: object contains unknown field 'streems'"
            " (did you mean streams?)",
        ),
        (
            "streams = 2",
            'streams = "2"',
            "p.toml: account.exotelt.streams: expected 'int', got 'str'",
        ),
        (
            'account = "exotelt"',
            'account = "exotel"',
            "p.toml: number.+918047112233.account: there is no account 'exotel'"
            " (did you mean exotelt?)",
        ),
        ("streams = 2", "streams = -1", "p.toml: account.exotelt.streams: a limit is 0 or more"),
        ("http://hooks", "hooks", "p.toml: account.exotelt.heartbeat_url: 'hooks.example/beat' is"),
        ("heartbeat_url", "#", "p.toml: heartbeat 1: nobody is told of it (give an account a hear"),
        ("every_s = 60", "every_s = 0", "p.toml: heartbeat 1: after_s is 0 or more, and every_s"),
        ("every_s = 60", 'account = "x"', "p.toml: heartbeat 1.account: there is no account 'x'"),
        ('"WARNING"', '"FINE"', "p.toml: heartbeat 1.status_type: invalid enum value 'FINE'"),
        ("08047112233", "12345", "p.toml: number.12345: '12345' is no phone number"),
        (
            'next = "told"',
            'next = "tolt"',
            "p.toml: flow.support.applet.bot.next: there is no applet 'tolt' (did you mean told?)",
        ),
        (
            'applet = "hangup"',
            'applet = "hang-up"',
            "p.toml: flow.support.applet.end.applet: invalid value 'hang-up'",
        ),
        (
            'b = "people"',
            'c = "people"',
            "p.toml: flow.support.applet.told: object contains unknown field 'c'",
        ),
        ('first = "bot"', 'first = "x"', "p.toml: flow.support.first: there is no applet 'x'"),
        (
            "wss://bot",
            "ftp://bot",
            "p.toml: flow.support.applet.bot.url: 'ftp://bot.example/media?tier=gold' is no URL",
        ),
        (
            "hangs_up = true",
            "",
            "p.toml: caller.hurried.does 1: nothing is done (say one of hangs_up, presses",
        ),
        (
            '"bot-refused"',
            '"bot-refuses"',
            "fault 1.what: invalid enum value 'bot-refuses' (did you mean bot-refused?)",
        ),
        ('applet = "voicebot"', 'applet = "voicbot"', "'voicbot' (did you mean voicebot?)"),
        ("count = 2", 'probability = "0.5"', "got 'str' (write the number without quotes)"),
        ("count = 2", "probability = 2", "p.toml: fault 1.probability: a probability is between"),
        ("count = 2", "count = 0", "p.toml: fault 1.count: it strikes at least once"),
        ("count = 2", "after_s = -1", "p.toml: fault 1.after_s: it is 0 or more"),
        ("count = 2", "for_s = 0", "p.toml: fault 1.for_s: it is more than 0"),
        ("count = 2", "every_s = 9", "fault 1.every_s: it is longer than for_s, which has to be"),
        ("count = 2", "for_s = 9\nevery_s = 9", "fault 1.every_s: it is longer than for_s"),
        (
            'dialect = "json"',
            'dialect = "xml"',
            "p.toml: behaviour.dialect: invalid enum value 'xml' (there are: double-encoded, flat",
        ),
        (
            'numbers = "e164"',
            'number = "e164"',
            "p.toml: account.exotelt.behaviour: object contains unknown field 'number'"
            " (did you mean numbers?)",
        ),
        ('a = "end"', 'next = "end"', "a sync passthru has two outputs (use `a` and `b`)"),
        ('at = "bot"', 'at = "boot"', "caller.hurried.does 1.at: there is no applet 'boot'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_the_remedy(old, new, said):
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        read_plan(GOOD.replace(old, new, 1), file="p.toml")
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["fault = 1", "account = 1", "flow.x = 1", "flow.x.applet = 1"])
def test_another_shape_is_refused_too(text):
    with pytest.raises(ConfigError):
        read_plan(text, file="p.toml")
