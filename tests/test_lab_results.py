"""The page of many nodes shows what the lab measured last, and that nothing was lost in it."""

from __future__ import annotations

import pytest

from lab import results
from lab.callers import Answer
from lab.judge import judge


def test_the_page_shows_the_last_run():
    page = results.PAGE.read_text()
    assert results.shown(page, results.read()) == page


def test_each_fault_that_the_lab_plays_was_played():
    assert [each.fault for each in results.read().faults] == results.names()


@pytest.mark.parametrize("played", results.read().faults, ids=lambda each: each.fault)
def test_every_caller_was_answered_and_no_receipt_of_two_copies_lost(played):
    assert played.asked > 0
    assert played.silent == 0
    assert played.lost_twice == 0


def test_answers_are_compared_with_what_is_kept():
    answers = [
        Answer("a", "/x", 0.0, 5.0, 200),
        Answer("b", "/x", 0.0, 1500.0, 302),
        Answer("c", "/x", 0.0, 10_000.0, 0),
        Answer("d", "/x", 0.0, 7.0, 502),
    ]
    said = judge(answers, {"a"}, deadline_ms=1000.0)
    assert (said.asked, said.silent, said.late) == (4, 2, 1)
    assert said.lost == ("b",)
    assert (said.p50, said.longest) == (5.0, 1500.0)
