"""What can't be what was meant with pools, admission and keywords: each sentence once."""

from __future__ import annotations

import pytest

from switchhook.config import load_config
from switchhook.config.routing_check import config_warnings, rules_warnings
from switchhook.config.rules_terms import kinds_of, terms_of
from switchhook.rules.outcome import EndpointKind

A = '[bots.a.members.m]\nurl = "wss://a.example/s"\n'
B = '[bots.b.members.m]\nurl = "wss://b.example/s"\n'
TO_A = '[endpoints.in]\nkind = "voicebot"\npool = "a"\n'
MAIN = '[accounts.main]\nsid = "main"\nregion = "mumbai"\nkey_env = "K"\ntoken_env = "K"\n'
GATE = '[endpoints.gate]\nkind = "admit"\nrules = "r"\n'
RULE = "[[rule]]\nname = 'r'\nwhen = 'local.hour < 6'\n"
EARLY = RULE.replace("local.hour < 6", 'stream.status == "failed" && stream.duration > 3')


def load(text):
    return load_config(text, file="", environ={"K": "key"}, read_file=lambda path: b"")


def warnings(text, rules="", allowed=None):
    """What is said of a configuration all of whose endpoints with rules have the same."""
    config = load(text)
    rulesets = {
        point.name: terms_of(config, point).load(rules, file="r")
        if point.rules
        else terms_of(config, point).builtin
        for point in config.endpoints
    }
    return [*config.warnings, *rules_warnings(config, rulesets, allowed or {})]


@pytest.mark.parametrize(
    "text, rules, allowed",
    [
        (A + TO_A, "", {}),
        (f"{A}limit = 100\n{MAIN}{TO_A}", "", {"main": 100}),
        (f"{A}limit = 100\n{MAIN}{TO_A}", "", {}),  # nothing is known of the account
        (f"{A}limit = 100\n{MAIN}{TO_A}", "", {"another": 5}),
        (MAIN + GATE + "[accounts.main.reserves]\nvip = 5\ndefault = 0\nother = 0\n",
         f'{RULE}class = "vip"\n[default]\n', {}),
        ('[endpoints.e]\nrules = "r"\n[endpoints.e.selects]\npeople = "x"\n',
         '[default]\noption = "A"\nselect = "people"\n', {}),
        ('[endpoints.e]\nrules = "r"\nsafe_option = "A"\n',
         '[default]\noption = "A"\nselect = "people"\n', {}),
        (MAIN + GATE + "[accounts.main.reserves]\ndefault = 5\n",
         f'{RULE}class = "vip"\n[default]\n', {}),
        (A + TO_A + 'fallback = "wss://a.example/other"\n', "", {}),
        (A + B + TO_A + 'fallback = "wss://b.example/s"\n[endpoints.b]\nkind = "voicebot"\n'
         'pool = "b"\n', "", {}),
        ('[endpoints.e]\nauth = "open"\nrules = "r"\n',
         f'{EARLY}option = "A"\n[default]\noption = "B"\n', {}),
        ('[endpoints.e]\nrules = "r"\n',
         f'{RULE}option = "A"\nselect = "people"\n[default]\noption = "B"\n', {}),
        ('[endpoints.e]\nmode = "async"\n[endpoints.e.bodies]\nA = "x"\n', "", {}),
    ],
)  # fmt: skip
def test_nothing_is_said_of_what_may_be_meant(text, rules, allowed):
    assert warnings(text, rules, allowed) == []


@pytest.mark.parametrize(
    "text, rules, said",
    [
        (A + B + TO_A, "", 'bots.b: no endpoint and no rule sends calls to this pool, only people '
         'can move some to it (an endpoint of kind voicebot with pool = "b")'),
        (A + B + TO_A.replace('pool = "a"', 'rules = "r"'), '[default]\npool = "b"\n',
         'bots.a: no endpoint and no rule sends calls to this pool, only people '
         'can move some to it (an endpoint of kind voicebot with pool = "a")'),
        (f"{A}limit = 101\n{MAIN}{TO_A}", "", "bots.a.members.m.limit: 101 is above the 100 "
         "streams that Exotel allows account main, and is never reached (lower it, or remove it)"),
        *((A + TO_A + f'fallback = "{url}"\n', "", "endpoints.in.fallback: it is the address of "
           "member m of its own pool a, and fails with it (another bot's address, or none)")
          for url in ("wss://a.example/s", "wss://A.example:443/s")),
        (A + TO_A + 'auth = "report-only"\n', "", 'endpoints.in.auth: "report-only" is not heeded, '
         "as an address may have a login in it: who has no secret gets none (remove auth)"),
        (A + TO_A + 'auth = "open"\n', "", 'endpoints.in.auth: "open" gives addresses of bots, and '
         "logins in them, to each program on this machine (remove auth: a secret is made)"),
        (MAIN + GATE, f"{EARLY}[default]\n", "endpoints.gate.rules: they read stream.duration, "
         "stream.status, and are asked before the stream, when there is none but an earlier one of "
         "the call (call.… is known)"),
        (A + TO_A.replace('pool = "a"', 'rules = "r"'),
         f'{EARLY}pool = "a"\n[default]\npool = "a"\n', "endpoints.in.rules: they read "
         "stream.duration, stream.status, and are asked before the stream, when there is none but "
         "an earlier one of the call (call.… is known)"),
        (MAIN + GATE + "[accounts.main.reserves]\nvip = 5\ndefault = 1\n",
         f'{RULE}class = "vip"\n[default]\n', "accounts.main.reserves: each class that rules ask "
         "for room as has a reserve, so that the last 1 streams are given to nobody "
         "(leave out whom they are kept for)"),
        (f'{A}state = "out"\n{TO_A}', "", "bots.a: no member is in with a weight above 0, so that "
         'no call gets an address of this pool (state = "in")'),
        ('[bots.old]\nhosts = ["a.example"]\n' + A + TO_A, "", "bots.a: host a.example is also "
         "that of old, which stands before it and has all streams to it "
         "(give them hosts of their own)"),
        (A + TO_A + 'rules = "r"\n', '[default]\npool = "a"\n', "endpoints.in.pool: its rules "
         "choose the pool, so that a counts for nothing (remove pool, or rules)"),
        (MAIN + "poll = false\n" + GATE, "[default]\n", "endpoints.gate: account main is not "
         "polled, so that nothing is known of its streams and all callers get the safe option B "
         "(poll = true)"),
        (MAIN + GATE + "[accounts.main.reserves]\nvpi = 5\n", f'{RULE}class = "vip"\n[default]\n',
         "accounts.main.reserves.vpi: no rule of kind admit asks for room as this class, so that "
         "its places are kept free from nobody (did you mean 'vip'?)"),
        (MAIN + GATE + "[accounts.main.reserves]\nvip = 100\n",
         f'{RULE}class = "vip"\n[default]\n',
         "accounts.main.reserves.vip: 100 of the 100 streams that Exotel allows the account, so "
         "that nobody of this class is admitted (lower it)"),
        (MAIN + "[accounts.main.reserves]\nvip = 5\n", "",
         "accounts.main.reserves.vip: no rule of kind admit asks for room as this class, so that "
         'its places are kept free from nobody (class = "vip")'),
        ('[endpoints.e]\nrules = "r"\n[endpoints.e.selects]\npeople = "x"\npepole = "x"\n',
         '[default]\noption = "A"\nselect = "people"\n',
         "endpoints.e.selects.pepole: no rule selects it (did you mean 'people'?)"),
        ('[endpoints.e.selects]\npeople = "x"\n', "",
         "endpoints.e.selects.people: no rule selects it (rules say select = …)"),
        ('[endpoints.e]\nrules = "r"\nmode = "async"\n',
         '[default]\noption = "A"\nselect = "people"\n',
         'endpoints.e.mode: its rules select, which is for mode = "sync" only; '
         "an async endpoint answers bodies (remove mode)"),
        ('[endpoints.e]\nrules = "r"\n[endpoints.e.bodies]\nA = "x"\n',
         '[default]\noption = "A"\nselect = "people"\n',
         "endpoints.e.bodies: a rule's select wins over it (remove it once all rules select)"),
        ('[endpoints.e]\nrules = "r"\nsafe_option = "A"\n',
         f'{RULE}option = "A"\nselect = "people"\n[default]\noption = "B"\n',
         "endpoints.e.safe_option: A is answered without a keyword when nothing could be decided, "
         'as [default] of its rules has no select (add one, or safe_option = "B")'),
    ],
)  # fmt: skip
def test_what_can_not_be_meant_is_said(text, rules, said):
    assert warnings(text, rules, {"main": 100}) == [said]


def test_what_the_configuration_alone_tells_is_among_its_warnings():
    config = load(f'{A}state = "draining"\n{TO_A}')
    assert config.warnings == config_warnings(config)
    assert len(config.warnings) == 1


def test_a_limit_is_held_against_all_accounts_whose_calls_reach_it():
    other = MAIN.replace("main", "other")
    text = f"{A}limit = 150\n{MAIN}{other}" + "".join(
        TO_A.replace("in]", f"{name}]") + f'account = "{name}"\n' for name in ("main", "other")
    )
    assert warnings(text, "", {"main": 100, "other": 50}) == []
    (said,) = warnings(text, "", {"main": 100, "other": 49})
    assert "above the 149 streams that Exotel allows account main, other" in said


def test_the_kinds_that_a_text_could_be_the_rules_of():
    assert kinds_of('[default]\noption = "A"\n') == (EndpointKind.PASSTHRU, EndpointKind.ADMIT)
    assert kinds_of('[default]\npool = "x"\n') == (EndpointKind.VOICEBOT,)
    assert kinds_of("[default]\n") == (EndpointKind.ADMIT,)
    assert kinds_of("nothing") == ()
