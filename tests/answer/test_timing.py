"""How long answers took is counted in buckets, each answer once, and how many waited at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.answer.timing import AnswerTimeHistogram
from switchhook.journal.receipt import ANSWER_BOUNDS_MS, ANSWER_BUCKETS, ANSWER_US, RecordKind

from .desk import TAKES_A, Desk

MS = 1_000_000


def counted(*took_ns: int) -> dict[str, int]:
    times = AnswerTimeHistogram()
    for each in took_ns:
        times.asked()
        times.replied(each)
    return times.take()[0]


@pytest.mark.parametrize("bound", ANSWER_BOUNDS_MS)
def test_a_bound_belongs_to_its_bucket(bound):
    at = ANSWER_BOUNDS_MS.index(bound)
    assert counted(bound * MS) == {ANSWER_BUCKETS[at]: 1, ANSWER_US: bound * 1000}
    assert counted(bound * MS + 1)[ANSWER_BUCKETS[at + 1]] == 1


def test_the_names_are_those_that_others_read():
    assert ANSWER_BUCKETS[0] == "answer_ms <= 1"
    assert ANSWER_BUCKETS[-1] == "answer_ms > 10000"
    assert counted(0) == {"answer_ms <= 1": 1, ANSWER_US: 0}


@given(st.lists(st.integers(0, 20_000 * MS), max_size=50))
def test_every_answer_is_in_one_bucket_and_no_time_is_lost(took):
    times = AnswerTimeHistogram()
    total = together_us = 0
    for each in took:
        times.asked()
        times.replied(each)
        found, peak = times.take()
        assert peak == 1
        together_us += found.pop(ANSWER_US)
        total += sum(found.values())
    assert total == len(took)
    assert together_us == sum(took) // 1000


def test_the_peak_is_the_most_at_once_and_begins_anew_with_those_who_wait():
    times = AnswerTimeHistogram()
    for _ in range(3):
        times.asked()
    times.replied(1)
    assert times.take()[1] == 3
    assert times.take() == ({}, 2)
    times.replied(1)
    times.replied(1)
    assert times.take()[1] == 2
    assert times.take() == ({}, 0)


def test_an_answer_is_timed_from_the_whole_request_to_the_reply():
    """By the disk, by the deadline, and at once where the disk is not worth waiting for."""
    desk = Desk()
    desk.say(TAKES_A)
    desk.say("CallSid=c2")
    desk.clock.step(30)
    desk.journal.settle()
    desk.say("CallSid=c3")
    desk.pass_time(990)
    desk.say("CallSid=c4")
    desk.answerer.keep_counts()
    found = desk.journal.of(RecordKind.COUNTERS)
    total: dict[str, int] = {}
    for each in found:
        for name, count in each["counts"].items():
            total[name] = total.get(name, 0) + count
    assert {name: total[name] for name in total if name in ANSWER_BUCKETS} == {
        "answer_ms <= 50": 2,
        "answer_ms <= 1000": 1,
        "answer_ms <= 1": 1,
    }
    assert max(each["peaks"]["waiting"] for each in found) == 2
    assert desk.answerer.times.waiting == 0
