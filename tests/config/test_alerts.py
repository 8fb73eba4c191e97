"""`[alerts]`: everything checked, everything wrong said at once, and no address shown."""

from __future__ import annotations

import msgspec
import pytest

from switchhook.alerts.alert_rule import AlertRule, Comparison, Severity
from switchhook.alerts.default_rules import DEFAULTS
from switchhook.alerts.escalation import Policy
from switchhook.alerts.quiet import OnCall, Quiet
from switchhook.config import load_config
from switchhook.config.alerts import AlertsConfig
from switchhook.config.values import ConfigProblems

ENVIRON = {
    "SLACK": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "MONITOR": "https://hc.example/ping/5e1f",
    "PLAIN": "http://hc.example/ping",
    "LOCAL": "http://127.0.0.1:8000/ping",
    "NOTHING": "not an address",
}


def load(text):
    config = load_config(
        text, file="s.toml", environ=ENVIRON, read_file=lambda _: b"# ours\njson://127.0.0.1/x\n"
    )
    return config.alerts


def problems_of(text):
    with pytest.raises(ConfigProblems) as refused:
        load(text)
    return str(refused.value).splitlines()


def test_without_a_word_the_defaults_are_on():
    assert load("data = 'd'") == AlertsConfig()
    assert AlertsConfig().rules == DEFAULTS


def test_everything_that_can_be_said():
    alerts = load(
        """
        [alerts]
        quiet_hours = "22:30-07:00"
        zone = "Asia/Singapore"
        heartbeat_url_env = "MONITOR"
        heartbeat_s = 30
        off = ["new-failure", "no-traffic"]

        [alerts.send.ops]
        url_env = "SLACK"
        severities = ["warning", "critical"]

        [alerts.send.log]
        url_file = "log.txt"

        [[alerts.rule]]
        name = "sales-slow"
        title = "Answers are slow"
        figure = "answer.p99_ms"
        comparison = ">"
        threshold = 300
        for_s = 120
        severity = "critical"
        advice = "look at the disk"

        [[alerts.rule]]
        name = "headroom-low"
        threshold = 0.3
        """
    )
    assert alerts.quiet == Quiet((22 * 60 + 30, 7 * 60), "Asia/Singapore")
    assert alerts.heartbeat_url is not None
    assert (alerts.heartbeat_url.reveal(), alerts.heartbeat_s) == (ENVIRON["MONITOR"], 30)
    ops, log = alerts.destinations
    assert (ops.name, ops.url.reveal()) == ("ops", ENVIRON["SLACK"])
    assert ops.severities == (Severity.WARNING, Severity.CRITICAL)
    assert (log.url.reveal(), log.severities) == ("json://127.0.0.1/x", tuple(Severity))
    rules = {rule.name: rule for rule in alerts.rules}
    assert rules["sales-slow"] == AlertRule(
        name="sales-slow",
        title="Answers are slow",
        figure="answer.p99_ms",
        comparison=Comparison.ABOVE,
        threshold=300,
        for_s=120,
        severity=Severity.CRITICAL,
        advice="look at the disk",
    )
    usual = next(rule for rule in DEFAULTS if rule.name == "headroom-low")
    assert rules["headroom-low"] == msgspec.structs.replace(usual, threshold=0.3)
    assert rules.keys() == {r.name for r in DEFAULTS} - {"new-failure", "no-traffic"} | {
        "sales-slow"
    }
    assert ENVIRON["SLACK"] not in repr(alerts)
    assert ENVIRON["MONITOR"] not in repr(alerts)


CHAIN = """
[alerts]
zone = "Asia/Kolkata"
[alerts.send.asha]
url_env = "SLACK"
on_call = "08:00-20:00"
[alerts.send.ravi]
url_env = "SLACK"
on_call = "20:00-08:00"
zone = "Europe/London"
"""


def test_who_is_told_next():
    alerts = load(
        CHAIN
        + """
        [alerts.policy.night]
        steps = [["asha"], ["ravi", "asha"]]
        wait_min = 5
        repeat = 2
        match = { bot = "Sales*" }
        [alerts.policy.rest]
        steps = [["ravi"]]
        """
    )
    asha, ravi = alerts.destinations
    assert asha.on_call == OnCall((480, 1200), "Asia/Kolkata")
    assert ravi.on_call == OnCall((1200, 480), "Europe/London")
    night, rest = alerts.policies
    assert night == Policy(
        name="night",
        steps=(("asha",), ("ravi", "asha")),
        wait_ms=300_000,
        repeat=2,
        match=(("bot", "Sales*"),),
    )
    assert (rest.wait_ms, rest.repeat, rest.match) == (600_000, 0, ())


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("", "alerts.policy.p.steps: it has no steps, or an empty one"),
        ("steps = []", "alerts.policy.p.steps: it has no steps, or an empty one"),
        ("steps = [['asha'], []]", "alerts.policy.p.steps: it has no steps, or an empty one"),
        ("steps = [['nobody']]", "no destination is named 'nobody' (there are asha, ravi)"),
        ("steps = ['asha']", "alerts.policy.p.steps: it is a text, not a list"),
        ("steps = [['asha']]\nmatch = { colour = 'x' }", "an alert has no label 'colour'"),
        ("steps = [['asha']]\nmatch = {}", "it is no table of patterns"),
        ("steps = [['asha']]\nwait_min = 0", "alerts.policy.p.wait_min: 0 is out of bounds"),
    ],
)
def test_a_policy_that_tells_nobody_is_refused(said, problem):
    (found,) = problems_of(f"{CHAIN}[alerts.policy.p]\n{said}")
    assert problem in found


def test_the_defaults_can_all_be_off():
    assert load("[alerts]\ndefaults = false").rules == ()


def test_a_share_asks_for_five_cases_unless_said():
    (rule,) = load(
        """
        [alerts]
        defaults = false
        [[alerts.rule]]
        name = "x"
        figure = "streams.failed_share"
        comparison = ">="
        threshold = 0.1
        group_by = ["bot"]
        """
    ).rules
    assert rule.least_cases == 5


RULE = (
    '[[alerts.rule]]\nname = "x"\nfigure = "disk.free_share"\ncomparison = "<"\nthreshold = 0.1\n'
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[alerts]\nquiet_hours = "22-7"',
            "s.toml: alerts.quiet_hours: no hours: '22-7' (such as \"22:00-07:00\")",
        ),
        (
            '[alerts]\nquiet_hours = "24:00-07:00"',
            "s.toml: alerts.quiet_hours: no hours: '24:00-07:00' (such as \"22:00-07:00\")",
        ),
        (
            '[alerts]\nquiet_hours = "07:00-07:00"',
            's.toml: alerts.quiet_hours: they begin when they end (such as "22:00-07:00"; leave the'
            " key out to be never quiet)",
        ),
        (
            '[alerts]\noff = ["botfailing"]',
            "s.toml: alerts.off: no default rule is named 'botfailing' (did you mean bot-failing?)",
        ),
        (
            '[alerts]\nheartbeat_url_env = "PLAIN"',
            "s.toml: alerts.heartbeat_url_env: it is neither https nor on this machine (https://…,"
            " or http:// on this machine)",
        ),
        (
            "[alerts.send.ops]\nseverities = ['info']",
            "s.toml: alerts.send.ops: it has no address (say which with url_env or url_file: it is"
            " a secret)",
        ),
        (
            '[alerts.send.ops]\nurl_env = "NOTHING"',
            "s.toml: alerts.send.ops.url_env: it is no address to send to (one of apprise's such as"
            " slack://…, mailtos://…, pagerduty://… or json://…)",
        ),
        (
            '[alerts.send.ops]\nurl = "slack://secret"\nurl_env = "SLACK"',
            "s.toml: alerts.send.ops: unknown key 'url' (did you mean url_env? known: url_env,"
            " url_file, severities, on_call, zone)",
        ),
        (
            RULE.replace("disk.free_share", "disk.freeshare"),
            "s.toml: alerts.rule 1.figure: no such figure: 'disk.freeshare' (did you mean"
            " disk.free_share or disk.free_bytes? docs/alerts.md has the table of them)",
        ),
        (
            RULE + 'group_by = ["bot"]',
            "s.toml: alerts.rule 1.group_by: disk.free_share has no label 'bot' (it has node)",
        ),
        (
            RULE + "clear = 0.05",
            "s.toml: alerts.rule 1.clear: 0.05 breaches the threshold itself (a value that is not <"
            " 0.1)",
        ),
        (
            RULE + RULE,
            "s.toml: alerts.rule 2: there is a rule 'x' before it already",
        ),
        (
            '[[alerts.rule]]\nname = "disk-low"\nthreshold = 1e16',
            "s.toml: alerts.rule 1.threshold: 1e+16 is out of bounds (-1e+15 to 1e+15)",
        ),
        (
            '[[alerts.rule]]\nname = "x"\nfigure = "disk.free_share"\nthreshold = 1',
            "s.toml: alerts.rule 1: it has no comparison (name, figure, comparison, threshold)",
        ),
        (
            RULE.replace('"<"', '"=="'),
            's.toml: alerts.rule 1.comparison: no such choice: \'==\' (">" or ">=" or "<" or "<=")',
        ),
        (
            "[alerts]\nrule = 7",
            "s.toml: alerts.rule: it is no list of tables (write [[alerts.rule]] on a line, its"
            " keys below)",
        ),
        (
            "[alerts]\ndefaults = 1",
            "s.toml: alerts.defaults: it is neither true nor false (without quotes)",
        ),
    ],
)
def test_what_is_wrong_is_said(text, said):
    found = problems_of(text)
    assert said in found
    assert not any("secret" in line and "slack://" in line for line in found)


def test_a_monitor_on_this_machine_needs_no_tls():
    assert load('[alerts]\nheartbeat_url_env = "LOCAL"').heartbeat_url is not None
