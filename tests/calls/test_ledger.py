"""The queue of call details: nothing twice, nothing without end, and what was learnt is found."""

from __future__ import annotations

import pytest

from switchhook.calls import ledger as calls
from switchhook.calls.ledger import LedgerCalls
from switchhook.calls.sources import Due, KeptDetails


@pytest.fixture
def book(ledger):
    return LedgerCalls(ledger)


def due(sid, at=100, account="a", ended=0):
    return Due(account, sid, ended, at)


def kept(sid, at=5, account="a", body="{}"):
    return KeptDetails(account, sid, at, body)


def test_what_is_wanted_comes_when_it_is_due(book):
    assert book.want([due("x", 300), due("y", 100), due("z", 200), due("w", 1, "b")]) == 0
    assert book.due("a", 99, 10) == []
    assert [each.call_sid for each in book.due("a", 250, 10)] == ["y", "z"]
    assert [each.call_sid for each in book.due("a", 900, 2)] == ["y", "z"]
    assert [each.call_sid for each in book.due("b", 900, 2)] == ["w"]


def test_nothing_waits_twice_or_after_it_was_asked_for(book):
    book.want([due("x", 100), due("x", 200)])
    book.want([due("x", 300)])
    assert book.due("a", 999, 10) == [due("x", 100)]
    book.looked(due("x"), None, kept("x"))
    book.want([due("x", 300), due("x", 300, "b")])
    assert book.due("a", 999, 10) == []
    assert book.due("b", 999, 10) == [due("x", 300, "b")]


def test_a_look_keeps_what_was_learnt_and_when_to_look_again(book):
    book.want([due("x")])
    book.looked(due("x"), Due("a", "x", 0, 700, 1, 2), kept("x", body="old"))
    assert book.due("a", 999, 10) == [Due("a", "x", 0, 700, 1, 2)]
    book.looked(due("x"), None, kept("x", 6, body="new"))
    assert book.due("a", 999, 10) == []
    assert book.details("x") == [kept("x", 6, body="new")]
    book.looked(due("x", account="b"), None, kept("x", account="b"))
    assert [each.account for each in book.details("x")] == ["a", "b"]
    assert book.details("y") == []


def test_the_queue_has_a_ceiling(book, monkeypatch):
    monkeypatch.setattr(calls, "MOST_DUE", 3)
    assert book.want([due("1"), due("1"), due("2"), due("3"), due("4"), due("5")]) == 2
    assert book.want([due("6")]) == 1
    assert len(book.due("a", 900, 10)) == 3


def test_what_nobody_will_ask_for_is_forgotten(book):
    book.want([due("x", ended=500), due("y", ended=100), due("z", account="gone", ended=500)])
    assert book.forget(["a", "b"], 200) == 2
    assert [each.call_sid for each in book.due("a", 999, 10)] == ["x"]
    assert book.forget([], 0) == 1


def test_it_tells_whether_what_was_looked_at_waited_still(book):
    """What was forgotten meanwhile was counted then."""
    book.want([due("x"), due("y")])
    assert book.looked(due("x"), Due("a", "x", 0, 700, 1, 2), None)
    assert book.forget([], 0) == 2
    assert not book.looked(due("x"), None, None)
    assert not book.looked(due("y"), Due("a", "y", 0, 700, 1, 2), None)


def test_retention_is_told_of_the_oldest_and_deletes_it(book):
    assert book.oldest_ms() is None
    for at in range(5):
        book.looked(due(str(at)), None, kept(str(at), at))
    assert book.oldest_ms() == 0
    assert (book.remove(3, 2), book.remove(3, 2), book.remove(3, 2)) == (2, 1, 0)
    assert book.oldest_ms() == 3
