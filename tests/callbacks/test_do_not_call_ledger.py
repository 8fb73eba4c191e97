"""Numbers that are never called: by hand, and those of the configured file."""

from __future__ import annotations

import pytest

from callbacks.some_promises import NUMBER, T, deed, number, promise
from callbacks.test_ledger import Book
from switchhook.callbacks import do_not_call_ledger
from switchhook.callbacks.do_not_call_ledger import DoNotCall
from switchhook.callbacks.promise import PromiseEvent, PromiseState
from switchhook.callbacks.refusals import RefusalCode


@pytest.fixture
def book(ledger):
    return Book(ledger)


def test_whoever_is_on_it_is_promised_nothing_and_what_was_is_ended(book):
    made = book.make()
    (ended,) = book.do_not_call.add(NUMBER, "asked for it", deed("never call"), T + 1)
    assert (ended.id, ended.state) == (made.id, PromiseState.DROPPED)
    assert "do-not-call" in ended.why
    assert book.do_not_call.has(NUMBER)
    assert book.promises.make(promise()).code is RefusalCode.DO_NOT_CALL
    assert book.do_not_call.entries(10) == [
        DoNotCall(NUMBER, "asked for it", "asha", T + 1, from_file=False)
    ]
    assert book.do_not_call.add(NUMBER, "again", deed("never call"), T) is None
    assert book.whats().count("never call") == 1


def test_what_is_taken_off_it_may_be_called_again(book):
    book.do_not_call.add(NUMBER, "", deed(), T)
    assert book.do_not_call.remove(NUMBER, deed("may be called"), T)
    assert not book.do_not_call.remove(NUMBER, deed("may be called"), T)
    assert book.whats().count("may be called") == 1
    assert not book.do_not_call.has(NUMBER)
    book.make()


def test_a_call_on_its_way_ends_it_and_no_other_follows(book):
    made = book.dial(book.make())
    (ended,) = book.do_not_call.add(NUMBER, "", deed(), T)
    assert (ended.state, ended.ending) == (PromiseState.DIALLING, PromiseEvent.CANCELLED)
    missed = book.promises.settle(made.id, PromiseEvent.MISSED, T, attempt=1)
    assert missed.state is PromiseState.DROPPED


def test_the_files_numbers_come_and_go_with_it_and_those_by_hand_stay(book, monkeypatch):
    monkeypatch.setattr(do_not_call_ledger, "_STEP", 2)
    made = book.make(number=number(3))
    book.do_not_call.add(number(9), "by hand", deed(), T)
    ended = book.do_not_call.replace_file([number(at) for at in (1, 2, 3, 9)], T + 1)
    assert [each.id for each in ended] == [made.id]
    assert book.do_not_call.count() == 4
    assert book.do_not_call.replace_file([number(2)], T + 2) == []
    found = [(each.number, each.from_file) for each in book.do_not_call.entries(10)]
    assert found == [(number(2), True), (number(9), False)]
    assert [each.number for each in book.do_not_call.entries(10, number(2))] == [number(9)]


def test_one_of_the_file_that_is_put_on_it_by_hand_stays(book):
    book.do_not_call.replace_file([NUMBER], T)
    assert book.do_not_call.add(NUMBER, "by hand", deed(), T) == []
    book.do_not_call.replace_file([], T)
    assert book.do_not_call.has(NUMBER)


def test_all_its_numbers_are_looked_at_when_they_are_claimed_too(book):
    made = book.make()
    with book.ledger.writing() as connection:
        row = DoNotCall(NUMBER, "", "", T, from_file=True)
        connection.execute(
            do_not_call_ledger.DO_NOT_CALL.insert().values(
                number=row.number, why="", by="", at_ms=T, from_file=True
            )
        )
    refused = book.claim(made)
    assert refused.promise.event is PromiseEvent.CANCELLED
    assert book.lists.attempts(made.id) == []
