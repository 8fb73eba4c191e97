"""What of a plan comes to nothing, said before the first call."""

from __future__ import annotations

import pytest

from switchhook.emulator.plan.aims import lint_plan
from switchhook.emulator.plan.file import read_plan
from switchhook.errors import ConfigError

PLAN = """
allow = ["bot.example", "hooks.example:8443"]

[account.acme]
[account.other]
[number.08047112233]
account = "acme"
flow = "f"
[number.08047112244]
account = "other"
flow = "g"
[flow.f]
first = "hello"
[flow.f.applet.hello]
applet = "greeting"
next = "bot"
[flow.f.applet.bot]
applet = "voicebot"
url = "wss://bot.example/media"
next = "told"
[flow.f.applet.told]
applet = "passthru"
url = "https://hooks.example:8443/p"
a = "end"
b = "people"
[flow.f.applet.people]
applet = "connect"
numbers = ["09111100001"]
answered = "end"
no_answer = "end"
[flow.f.applet.lost]
applet = "voicebot"
url = "ws://127.0.0.1:9000/"
next = "end"
[flow.f.applet.end]
applet = "hangup"
[flow.g]
first = "end"
[flow.g.applet.end]
applet = "hangup"
[agent."+91 91111 00001"]
"""


BOT = '[bot.b]\nurl = "wss://bot.example/media"\n'


def test_a_fault_aimed_at_a_bot_that_nobody_dials_is_seen():
    other = '[bot.b]\nurl = "wss://other.example/media"\nplays = "/bot"\n'
    aimed = '[[fault]]\nwhat = "bot-dies"\nbot = "b"\n'
    why = "bot-dies can't strike: no Voicebot or Stream dials b"
    assert said_of(PLAN + other + aimed) == [("fault 1", why)]
    assert said_of(PLAN + BOT + aimed) == []
    dynamic = PLAN.replace("wss://bot.example/media", "https://hooks.example:8443/voicebot")
    assert said_of(dynamic + other + aimed) == []


def fault(what, **more):
    lines = [f'what = "{what}"', *(f"{key} = {value}" for key, value in more.items())]
    return PLAN + "\n[[fault]]\n" + "\n".join(lines)


def said_of(plan):
    return [(each.place, each.problem) for each in lint_plan(read_plan(plan))]


def test_a_plan_without_a_word_in_vain_is_let_be():
    assert said_of(PLAN) == []


@pytest.mark.parametrize(
    "what, aim, why",
    [
        (
            "bot-crash",
            {"applet": '"told"'},
            "'told' is no Voicebot or Stream that is reached in f, g",
        ),
        ("bot-crash", {"applet": '"lost"'}, "'lost' is no Voicebot or Stream"),
        ("bot-crash", {"flow": '"g"'}, "no Voicebot or Stream is reached"),
        ("bot-crash", {"number": '"08047112244"'}, "no Voicebot or Stream is reached"),
        ("throttled", {"applet": '"hello"'}, "'hello' is no Voicebot"),
        ("passthru-lost", {"applet": '"bot"'}, "'bot' is no Passthru"),
        ("passthru-late", {"flow": '"g"'}, "no Passthru is reached"),
        ("behave", {"applet": '"people"'}, "'people' is no Voicebot or Stream or Passthru"),
        ("bot-dns", {"number": '"08047112233"', "flow": '"g"'}, "leads to another flow, f"),
        (
            "rest",
            {"code": 503, "account": '"acme"', "number": '"08047112244"'},
            "is of another account, other",
        ),
        ("rest-slow", {"applet": '"bot"'}, "it befalls no applet"),
        ("rest", {"code": 503, "flow": '"f"'}, "it befalls no flow"),
        ("callback-twice", {"applet": '"told"'}, "it befalls no applet"),
        ("connect-before", {"applet": '"told"'}, "it befalls no applet"),
        ("lists-refused", {"code": 503, "number": '"08047112233"'}, "it befalls no number"),
        ("details-refused", {"code": 503, "flow": '"f"'}, "it befalls no flow"),
        ("bot-refused", {"probability": 0}, "its probability is 0"),
    ],
)
def test_a_fault_that_cannot_strike_is_seen(what, aim, why):
    ((place, problem),) = said_of(fault(what, **aim))
    assert place == "fault 1"
    assert problem.startswith(f"{what} can't strike: ")
    assert why in problem


@pytest.mark.parametrize(
    "what, aim",
    [
        ("bot-crash", {}),
        ("bot-crash", {"applet": '"bot"', "flow": '"f"', "number": '"+91 80471 12233"'}),
        ("passthru-twice", {"applet": '"told"'}),
        ("behave", {"account": '"other"'}),
        ("behave", {"applet": '"told"'}),
        ("rest", {"account": '"acme"', "code": 503}),
        ("callback-lost", {"number": '"08047112244"'}),
        ("connect-after", {"number": '"08047112244"'}),
        ("lists-omit", {"number": '"08047112233"', "flow": '"f"'}),
    ],
)
def test_a_fault_that_can_strike_is_let_be(what, aim):
    assert said_of(fault(what, **aim)) == []


def test_an_agent_whom_nobody_rings_is_seen():
    assert said_of(PLAN + "\n[agent.09111100002]\n") == [
        ("agent.+919111100002", "no Connect applet rings this number")
    ]


@pytest.mark.parametrize(
    "url, words",
    [
        ("wss://other.example/media", "other.example is not among those"),
        ("wss://10.0.0.7/media", "10.0.0.7 is not on this machine"),
        ("ws://169.254.169.254/", "is link-local, cloud metadata"),
        ("wss://bot.example/media", None),
        ("ws://localhost:9000/", None),
        ("ws://[::1]:9000/", None),
    ],
)
def test_a_target_that_will_not_be_dialled_is_seen(url, words):
    problems = said_of(PLAN.replace("wss://bot.example/media", url))
    assert [place for place, _ in problems] == ["flow.f.applet.bot.url"] * bool(words)
    assert words is None or words in problems[0][1]


def test_a_port_counts_and_a_network_leaves_it_open():
    told = [("flow.f.applet.told.url", "it won't be dialled: hooks.example is not among")]
    problems = said_of(PLAN.replace("hooks.example:8443/p", "hooks.example/p"))
    assert [(place, problem[: len(told[0][1])]) for place, problem in problems] == told
    assert said_of(PLAN.replace('["bot.example", "hooks', '["10.0.0.0/8", "hooks')) == []


def test_a_file_that_is_not_there_is_seen():
    caller = '\n[caller.x]\n[[caller.x.does]]\nplays = "no-such.wav"\n'
    assert said_of(PLAN + caller) == [("caller.x.does 1", "there is no file no-such.wav")]


@pytest.mark.parametrize(
    "more, words",
    [
        ("[caller.x]\nshare = 0\n", "nobody calls: every share is 0"),
        ("[caller.x]\nshare = -1\n", "caller.x.share"),
        ("[caller.x]\npatience_s = nan\n", "caller.x.patience_s: nan is no number"),
        ("[arrivals]\nper_minute = 0\n", "arrivals.per_minute"),
        ("[arrivals]\nper_minute = inf\n", "arrivals.per_minute: inf is no number"),
        ("[behaviour]\nretries = -1\n", "behaviour.retries"),
        ("[behaviour]\npassthru_limit_s = -0.5\n", "behaviour.passthru_limit_s"),
        ('[[fault]]\nwhat = "rest"\ncode = 200\n', "fault 1.code: an API refuses with"),
        ('[[fault]]\nwhat = "lists-refused"\n', "fault 1.code: an API refuses with"),
        ('[[fault]]\nwhat = "connect-5xx-after"\ncode = 403\n', "fault 1.code: it is 500 to 599"),
        ('[account.x]\nverified = ["me"]\n', "account.x.verified: 'me' is no phone number"),
        ('[account.x]\nstanding = "poor"\n', "account.x.standing"),
        ("[caller.x]\nredials = 0\n", "caller.x.redials"),
        ('[[fault]]\nwhat = "bot-dies"\ncount = 2\n', "fault 1.what: a bot is dead, or hangs, for"),
        ('[[fault]]\nwhat = "throttled"\nbot = "b"\n', "fault 1.bot: there is no bot 'b'"),
        (f'{BOT}[[fault]]\nwhat = "throttled"\nbot = "b"\n', "fault 1.bot: it befalls no bot"),
        (BOT.replace("wss:", "https:"), "bot.b.url"),
        (BOT + BOT.replace("bot.b", "bot.c"), "bot.c.url: this is where b is dialled, too"),
        (f'{BOT}auth = "a:b"\n', "bot.b.auth: only a bot that is played here"),
        (f'{BOT}plays = "/bot/sing"\n', "bot.b.plays: no bot at /bot/sing"),
        ('[[fault]]\nwhat = "bot-closes"\ncode = 99\n', "fault 1.code: a close code is"),
    ],
)
def test_what_cannot_be_read_is_refused(more, words):
    with pytest.raises(ConfigError) as caught:
        read_plan(PLAN + "\n" + more)
    assert words in str(caught.value)


def test_an_allowed_host_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="'a b' is no host"):
        read_plan(PLAN.replace('"bot.example"', '"a b"'))
