"""What retention removes of promises, and what it leaves."""

from __future__ import annotations

import pytest

from callbacks.some_promises import HOUR, T, deed, number
from callbacks.test_ledger import Book
from switchhook.callbacks.filters import PromiseFilter
from switchhook.callbacks.old_rows_ledger import PromiseRows
from switchhook.callbacks.promise import PromiseEvent
from switchhook.callbacks.refusals import Refusal, RefusalCode
from switchhook.callbacks.rows_ledger import ATTEMPTS, EVENTS

E = PromiseEvent


@pytest.fixture
def book(ledger):
    return Book(ledger)


def over(book, at, ended_ms):
    made = book.dial(book.make(number=number(at)))
    return book.promises.settle(made.id, E.TALKED, ended_ms, attempt=1)


def rows(book, table):
    with book.ledger.reading() as connection:
        return len(connection.execute(table.select()).all())


def test_what_is_over_goes_with_its_attempts_and_steps_the_rest_stays(book):
    kept = PromiseRows(book.ledger)
    assert kept.oldest_ms() is None
    over(book, 1, T + 10)
    second = over(book, 2, T + 20)
    waits = book.make(number=number(3), until_ms=T + HOUR)
    assert kept.oldest_ms() == T + 10
    assert kept.remove(T + 20, 100) == 1
    left = book.lists.find(PromiseFilter(), 10)
    assert [each.id for each in left] == [waits.id, second.id]
    assert rows(book, ATTEMPTS) == 1
    assert rows(book, EVENTS) == 3 + 1
    assert kept.oldest_ms() == T + 20
    made = [each for each in book.lists.totals() if each.kind == "made"]
    assert made[0].count == 3


def test_it_goes_in_steps(book):
    for at in range(5):
        over(book, at, T + at)
    kept = PromiseRows(book.ledger)
    assert [kept.remove(T + 9, 2) for _ in range(4)] == [2, 2, 1, 0]


def test_one_that_nobody_ended_goes_but_not_while_a_call_is_on_its_way(book):
    book.make(number=number(1), until_ms=T + 5)
    called = book.dial(book.make(number=number(2), until_ms=T + 5))
    kept = PromiseRows(book.ledger)
    assert kept.oldest_ms() == T + 5
    assert kept.remove(T + 6, 100) == 1
    assert book.lists.find(PromiseFilter(), 10) == [called]
    assert kept.oldest_ms() is None


def test_refusals_go_too_and_the_do_not_call_list_stays(book):
    book.promises.refuse(Refusal(at_ms=T, account="a", code=RefusalCode.CAMPAIGN, why="x"))
    book.do_not_call.add(number(9), "", deed(), T)
    kept = PromiseRows(book.ledger)
    assert kept.oldest_ms() == T
    assert kept.remove(T + 1, 100) == 1
    assert book.lists.refusals(10) == []
    assert book.do_not_call.has(number(9))
