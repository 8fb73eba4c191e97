"""What is made of ports, names, certificates and bots."""

from __future__ import annotations

import pytest

from switchhook.doctor.finding import Level
from switchhook.doctor.network import (
    Certificate,
    Handshake,
    Health,
    Name,
    Port,
    judge_bot,
    judge_certificate,
    judge_console_age,
    judge_health,
    judge_name,
    judge_port,
)

OK, WARN, FAIL, UNCHECKED = Level.OK, Level.WARN, Level.FAIL, Level.UNCHECKED
NOW_S, DAY_S = 1_795_000_000.0, 86_400.0
URL = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("port", "other_runs", "level", "said"),
    [
        (Port("answer", URL, holder=7, since_s=7200), True, OK, "process 7, for 2 h"),
        (Port("answer", URL, "connection refused", holder=7), True, FAIL, "takes no connection"),
        (
            Port("answer", URL, listener="nginx (process 9)"),
            False,
            FAIL,
            "nginx (process 9) listens",
        ),
        (Port("answer", URL), False, FAIL, "another program listens"),
        (Port("console", URL, listener="switchhook (process 9)"), True, FAIL, "nobody answers"),
        (Port("console", URL, "connection refused"), True, FAIL, "though the other side does"),
        (Port("answer", URL, "connection refused"), False, UNCHECKED, "does not run"),
        (Port("answer", URL, "connection refused"), False, UNCHECKED, "take Option B"),
        (Port("console", URL, "refused"), False, UNCHECKED, f"nothing listens on {URL}"),
        (Port("console", URL, "refused", last_s=180), False, UNCHECKED, "looked last 3 min ago"),
    ],
)
def test_a_port(port, other_runs, level, said):
    finding = judge_port(port, other_runs=other_runs)
    assert finding.level is level
    assert said in finding.said
    assert bool(finding.todo) is (level is not OK)


@pytest.mark.parametrize(
    ("health", "level", "said"),
    [
        (Health({"status": "ok", "problems": []}), OK, "ok"),
        (Health({"status": "ok", "problems": [], "version": "2"}), OK, "ok"),
        (Health({"status": "ok", "problems": [], "version": "1"}), WARN, "release 1 runs"),
        (Health({"status": "degraded", "problems": list("abcde")}), WARN, "a; b; c; and 2 more"),
        (Health({"status": "degraded"}), WARN, "not what"),
        (Health(problem="no answer within 5 s"), FAIL, "no answer within 5 s"),
    ],
)
def test_what_a_program_says_of_itself(health, level, said):
    finding = judge_health("console", health, "2")
    assert (finding.level, said in finding.said) == (level, True), finding


@pytest.mark.parametrize(
    ("age_s", "fresh", "level"), [(1.0, True, OK), (400.0, False, FAIL), (None, False, UNCHECKED)]
)
def test_a_console_that_looks_no_more(age_s, fresh, level):
    assert judge_console_age(age_s, fresh).level is level


@pytest.mark.parametrize(
    ("name", "level"),
    [
        (Name("h.example", ("8.8.8.8",)), OK),
        (Name("h.example", ("10.0.0.1",)), WARN),
        (Name("h.example", ("8.8.8.8", "192.168.1.1")), WARN),
        (Name("h.example", ("127.0.0.1",)), WARN),
        (Name("h.example", ("fe80::1%eth0",)), WARN),
        (Name("h.example", problem="name or service not known"), FAIL),
    ],
)
def test_a_name(name, level):
    assert judge_name(name).level is level


def shown(**changes):
    said = {
        "trusted": True,
        "begins_s": NOW_S - DAY_S,
        "ends_s": NOW_S + 60 * DAY_S,
        "names": ("hooks.example.com",),
        "issuer": "An Authority",
    }
    return Certificate(**{**said, **changes})


@pytest.mark.parametrize(
    ("found", "level", "said"),
    [
        (shown(), OK, "60 days left"),
        (shown(ends_s=NOW_S + 20 * DAY_S), WARN, "20 days left"),
        (shown(ends_s=NOW_S + 2 * DAY_S), FAIL, "2 days left"),
        (shown(ends_s=NOW_S - 3 * DAY_S, trusted=False, problem="x"), FAIL, "ended 3 days ago"),
        (shown(begins_s=NOW_S + DAY_S, trusted=False), FAIL, "valid only in 24 h"),
        (shown(matches=False, trusted=False), FAIL, "not for h.example"),
        (shown(self_signed=True, trusted=False), FAIL, "signed itself"),
        (shown(trusted=False, problem="unable to get local issuer"), FAIL, "local issuer"),
        (Certificate(trusted=False, problem="connection refused"), FAIL, "connection refused"),
    ],
)
def test_a_certificate(found, level, said):
    finding = judge_certificate("h.example", found, NOW_S)
    assert (finding.level, said in finding.said) == (level, True), finding


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (Handshake(101, 12.0), OK),
        (Handshake(101, 12.0, "its handshake is wrong"), FAIL),
        (Handshake(403, 12.0), FAIL),
        (Handshake(None, 0.0, "connection refused"), FAIL),
    ],
)
def test_a_bot(found, level):
    assert judge_bot("wss://bot.example.com/media", found).level is level
