"""Requests marked as tests: answered as a caller's, kept apart, counted nowhere."""

from __future__ import annotations

import pytest

from switchhook.answer import marked_tests
from switchhook.config import EndpointConfig, Secret
from switchhook.journal.receipt import RecordKind, decode_receipt
from switchhook.system.request_mark import LONGEST_S, make_mark

from .desk import KEY, SECRET, START_US, TAKES_A, TAKES_B, Desk

AT_S = START_US // 1_000_000
POINT = EndpointConfig("sales", secrets=(Secret(SECRET),))
PATH = f"/passthru/sales/{SECRET}"
WRONG = "/passthru/sales/another-secret-of-sales"


def mark(number: int = 1, at_s: int = AT_S, key: bytes = KEY) -> str:
    return make_mark(key, f"{number:016x}", at_s)


def counted(desk: Desk) -> list[object]:
    """All that the answerer told of what it counted, once a second has passed."""
    desk.pass_time(1100)
    return desk.journal.of(RecordKind.COUNTERS)


@pytest.mark.parametrize(("query", "status"), [(TAKES_A, 200), (TAKES_B, 302)])
def test_a_test_is_answered_as_a_caller_and_kept_as_a_test(query, status):
    desk = Desk(POINT)
    replies = desk.say(query, path=PATH, mark=mark())
    assert not replies, "it waits for the disk, as a caller does"
    desk.journal.settle()
    caller = Desk(POINT)
    heard = caller.say(query, path=PATH)
    caller.journal.settle()
    assert replies == heard
    assert [each.status for each in replies] == [status]
    (record,) = desk.journal.records
    (real,) = caller.journal.receipts()
    assert record.kind == RecordKind.TEST
    kept = decode_receipt(record.body)
    assert kept.test == f"{1:016x}"
    assert kept.decision == real.decision
    assert kept.raw == real.raw
    assert real.test is None


def test_nothing_is_counted_of_a_test():
    desk = Desk(POINT)
    desk.say(TAKES_A, path=PATH, mark=mark(1))
    desk.journal.settle()
    desk.say(TAKES_A, path=WRONG, mark=mark(2))
    desk.say(TAKES_A, path=PATH, mark=mark(3))
    desk.pass_time(1100)  # past its deadline, on a disk that does not take it
    desk.journal.settle()
    assert counted(desk) == []
    assert not desk.answerer.counts
    assert not desk.journal.of(RecordKind.SAMPLE)
    assert not desk.journal.of(RecordKind.LATE)
    assert not desk.answerer.alarms


def test_a_test_is_no_question_that_a_caller_repeats():
    desk = Desk(POINT)
    desk.say(TAKES_B, path=PATH, mark=mark(1))
    desk.say(TAKES_B, path=PATH)
    desk.say(TAKES_B, path=PATH, mark=mark(2))
    rules = [decode_receipt(each.body).decision.rule for each in desk.journal.records]
    assert "repeat" not in rules
    desk.say(TAKES_B, path=PATH)
    assert decode_receipt(desk.journal.records[-1].body).decision.rule == "repeat"


def test_a_test_with_a_wrong_secret_hears_what_a_caller_would():
    desk = Desk(POINT)
    marked = desk.say(TAKES_A, path=WRONG, mark=mark())
    assert marked == desk.say(TAKES_A, path=WRONG)
    assert [each.status for each in marked] == [403]


@pytest.mark.parametrize("text", ["", "1", "yes", mark(key=b"f" * 32), mark() + "0"])
def test_a_mark_that_the_key_did_not_make_hides_nothing(text):
    desk = Desk(POINT)
    desk.say(TAKES_A, path=PATH, mark=text)
    desk.say(TAKES_A, path=WRONG, mark=text)
    desk.journal.settle()
    assert len(desk.journal.receipts()) == 1
    assert desk.answerer.counts == {"answered": 1, "secret wrong": 1}


@pytest.mark.parametrize("path", [PATH, WRONG])
def test_a_mark_seen_on_the_way_is_good_for_nothing(path):
    """Neither a caller nor a guess at the secret can be hidden by it."""
    desk = Desk(POINT)
    desk.say(TAKES_A, path=PATH, mark=mark())
    (again,) = desk.say(TAKES_A, path=path, mark=mark())
    assert again.status == 403
    assert b"used before" in again.body
    assert len(desk.journal.records) == 1


@pytest.mark.parametrize("off_s", [LONGEST_S + 1, -LONGEST_S - 1])
def test_a_mark_of_another_time_says_so(off_s):
    (answer,) = Desk(POINT).say(TAKES_A, path=PATH, mark=mark(at_s=AT_S + off_s))
    assert answer.status == 403
    assert b"clock" in answer.body


def test_marks_remembered_are_bounded_and_never_forgotten_too_early(monkeypatch):
    monkeypatch.setattr(marked_tests, "MOST_KNOWN", 3)
    desk = Desk(POINT)
    for number in range(3):
        desk.say(TAKES_A, path=PATH, mark=mark(number))
    (full,) = desk.say(TAKES_A, path=PATH, mark=mark(9))
    assert b"too many" in full.body
    (again,) = desk.say(TAKES_A, path=PATH, mark=mark(0))
    assert b"used before" in again.body
    desk.clock.step((2 * LONGEST_S + 1) * 1000)
    later = desk.say(TAKES_A, path=PATH, mark=mark(10, AT_S + 2 * LONGEST_S))
    desk.journal.settle()
    assert [each.status for each in later] == [200]
