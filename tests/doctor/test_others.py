"""What is made of Exotel's answers, destinations, the heartbeat and what is kept."""

from __future__ import annotations

import pytest

from switchhook.doctor.finding import Level
from switchhook.doctor.others import (
    judge_account,
    judge_destinations,
    judge_heartbeat,
    judge_retention,
)
from switchhook.exotel.answers import Outcome, Polled
from switchhook.retention.policy import ClassReport, Matter, Removed

OK, WARN, FAIL, UNCHECKED = Level.OK, Level.WARN, Level.FAIL, Level.UNCHECKED
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("polled", "level", "said"),
    [
        (Polled(Outcome.READ, 3, 10), OK, "3 of 10 streams"),
        (Polled(Outcome.READ), WARN, "no figures"),
        (Polled(Outcome.REFUSED, problem="it answered 401"), FAIL, "401"),
        (Polled(Outcome.UNREADABLE, problem="it answered no HTTP"), FAIL, "no HTTP"),
        (Polled(Outcome.LIMITED, problem="it answered 429"), WARN, "429"),
        (Polled(Outcome.FAILING, problem="it answered 503"), UNCHECKED, "503"),
        (Polled(Outcome.UNREACHABLE, problem="no answer"), UNCHECKED, "no answer"),
    ],
)
def test_an_account(polled, level, said):
    finding = judge_account("main", polled)
    assert (finding.level, said in finding.said) == (level, True), finding


def test_destinations():
    (nobody,) = judge_destinations({}, sent=False, users=3)
    assert (nobody.level, "[alerts.send.NAME]" in nobody.todo) == (WARN, True)
    (none,) = judge_destinations({}, sent=False, users=0)
    assert none.level is OK
    found = judge_destinations(
        {"ops": None, "night": "its host is not reached"}, sent=False, users=1
    )
    assert [each.level for each in found] == [OK, FAIL]
    assert "alerts test night" in found[1].todo
    (sent,) = judge_destinations({"ops": None}, sent=True, users=1)
    assert "was sent" in sent.said


def test_the_heartbeat():
    assert judge_heartbeat(False, None).level is WARN
    assert judge_heartbeat(True, None).level is OK
    assert judge_heartbeat(True, "connection refused").level is FAIL


def reported(days, overdue_days):
    gone = Removed(Matter.RAW)
    return ClassReport(Matter.RAW, days, 0, int(overdue_days * DAY_MS), gone)


@pytest.mark.parametrize(
    ("found", "level"),
    [
        ([reported(30, 0)], OK),
        ([reported(30, 3.5)], OK),  # a tenth of its limit later at the most, and a day
        ([reported(30, 5)], WARN),
        ([reported(0, 0)], WARN),
        ([reported(0, 0), reported(400, 0)], OK),
    ],
)
def test_what_is_kept(found, level):
    assert judge_retention(found).level is level
