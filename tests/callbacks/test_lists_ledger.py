"""What people look at of promises, and what they do to many at once."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from callbacks.some_promises import HOUR, NUMBER, T, deed, number, promise
from callbacks.test_ledger import Book
from switchhook.callbacks import lists_ledger
from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.filters import PromiseFilter
from switchhook.callbacks.history import CallbackTime, KeptShare, LiveCount
from switchhook.callbacks.lists_ledger import Acted
from switchhook.callbacks.promise import AttemptState, Promise, PromiseEvent, PromiseState

E, S, A = PromiseEvent, PromiseState, AttemptState


@pytest.fixture
def book(ledger):
    return Book(ledger)


def many(book, count=40, seed=7):
    """Promises of all kinds, all in one transaction."""
    chance, made = Random(seed), []
    with book.promises.writing() as batch:
        for at in range(count):
            kept = batch.make(
                promise(
                    number=number(at),
                    account=chance.choice(("main", "other")),
                    class_=chance.choice(("", "gold")),
                    reason=chance.choice(("throttled", "failed")),
                    made_ms=T + chance.randrange(5),
                    due_ms=T + chance.randrange(5),
                    state=chance.choice((S.OPEN, S.PAUSED, S.UNPROVEN)),
                )
            )
            if chance.random() < 0.3:
                kept = batch.settle(kept.id, E.CANCELLED, T + 9)
            made.append(kept)
    return made


FILTERS = [
    PromiseFilter(),
    PromiseFilter(states=(S.OPEN,)),
    PromiseFilter(states=(S.OPEN, S.DROPPED, S.PAUSED)),
    PromiseFilter(accounts=("main",), classes=("gold",)),
    PromiseFilter(states=(S.OPEN, S.PAUSED), accounts=("main", "other"), reason="failed"),
    PromiseFilter(made_since_ms=T + 1, made_before_ms=T + 4),
    PromiseFilter(due_before_ms=T + 2, states=(S.OPEN,)),
    PromiseFilter(number=number(5)),
    PromiseFilter(ids=(3, 5, 8)),
    PromiseFilter(ids=(3, 2**63)),
    PromiseFilter(ids=(10**23,)),
]


@pytest.mark.parametrize("wanted", FILTERS)
def test_a_list_is_what_its_filter_says_newest_first_by_pages(book, wanted):
    made = many(book)
    expected = [each for each in reversed(made) if wanted.matches(each)]
    found, before = [], None
    while page := book.lists.find(wanted, 3, before):
        found += page
        before = page[-1].id
    assert found == expected
    assert book.lists.count(wanted) == len(expected)
    assert book.lists.counts_of(wanted) == Counter(each.state for each in expected)
    assert book.lists.count(wanted, most=2) == min(len(expected), 2)
    states = [each.state for each in expected]
    assert book.lists.counts_of(wanted) == {each: states.count(each) for each in states}


@pytest.mark.parametrize("wanted", FILTERS)
def test_an_act_moves_what_its_filter_says_and_is_noted_once(book, wanted, monkeypatch):
    monkeypatch.setattr(lists_ledger, "_STEP", 4)
    made = many(book)
    matched = [each for each in made if wanted.matches(each)]
    acted = book.lists.act(
        wanted,
        E.CANCELLED,
        T + 20,
        lambda matched: deed(f"cancelled {matched} promises"),
        why="no more",
        by="asha",
    )
    waiting = [each for each in matched if not each.final]
    assert (acted.matched, acted.changed) == (len(matched), len(waiting))
    left = {each.id for each in acted.left_out}
    assert left == {*wanted.ids} - {each.id for each in waiting}
    assert book.whats()[0] == f"cancelled {len(matched)} promises"
    for each in made:
        now = book.promises.get(each.id)
        assert (now.why == "no more") is (each in waiting)
        assert now == each or now.state is S.DROPPED


def test_those_who_are_retried_have_time_anew(book):
    made = book.make(until_ms=T + 1)
    book.promises.settle(made.id, E.EXPIRED, T + 1)
    book.lists.act(
        PromiseFilter(states=(S.DROPPED,)),
        E.RETRIED,
        T + 5,
        lambda matched: deed(),
        due_ms=T + 5,
        until_ms=lambda each: T + 5 + HOUR + each.id,
    )
    again = book.promises.get(made.id)
    assert (again.state, again.until_ms) == (S.OPEN, T + 5 + HOUR + made.id)


def test_the_counts_are_those_of_the_promises(book):
    made = many(book)
    counts = book.lists.counts(T + 9)
    for state in (S.OPEN, S.PAUSED, S.UNPROVEN, S.DROPPED, S.KEPT):
        assert counts.in_state(state) == sum(each.state is state for each in made)
    gold = [each for each in made if (each.account, each.class_) == ("main", "gold")]
    of_open = sum(each.state is S.OPEN for each in gold)
    assert LiveCount("main", "gold", S.OPEN, of_open) in counts.live
    due = [each for each in made if each.state is S.OPEN and each.account == "main"]
    assert counts.due["main"] == len(due)
    early = book.lists.counts(T + 1).due
    assert early["main"] == sum(each.due_ms <= T + 1 for each in due)
    assert book.lists.counts(T + 25 * HOUR).ended == ()
    ended = sum(each.count for each in counts.ended)
    assert ended == sum(each.state is S.DROPPED for each in made)
    made_in_all = sum(each.count for each in book.lists.totals() if each.kind == "made")
    assert made_in_all == len(made)


def test_how_long_callbacks_took_and_how_many_were_kept_in_time(book):
    kept = book.dial(book.make(class_="gold"), T + 60)
    change = AttemptChange(state=A.TALKED)
    book.promises.settle(kept.id, E.TALKED, T + 90, attempt=1, change=change)
    for at, event in ((2, E.EXPIRED), (3, E.EXHAUSTED), (4, E.SERVED), (5, E.CANCELLED)):
        book.promises.settle(book.make(number=number(at)).id, event, T + 90)
    assert book.lists.callback_times(T) == [CallbackTime("main", "gold", T, T + 60, kept.until_ms)]
    assert book.lists.callback_times(T + 91) == []
    assert book.lists.kept_shares(T) == [KeptShare("main", 1, 3)]
    assert book.lists.kept_shares(T + 91) == []


def test_which_may_miss_their_time(book):
    for at in range(3):
        book.make(number=number(at), until_ms=T + HOUR + at)
    book.make(account="other", until_ms=T + HOUR)
    assert book.lists.at_risk(T, T + HOUR + 1, T + HOUR + 2) == [
        {},
        {"main": 1, "other": 1},
        {"main": 2, "other": 1},
    ]


def test_an_act_spares_what_is_made_since(book):
    book.make()
    acted = book.lists.act(
        PromiseFilter(),
        E.PAUSED,
        T,
        lambda matched: deed(f"paused {matched}"),
    )
    assert acted == Acted(1, 1)
    assert isinstance(book.promises.make(promise(number=number(2))), Promise)
    assert [each.number for each in book.lists.find(PromiseFilter(states=(S.OPEN,)), 9)] == [
        number(2)
    ]
    assert book.promises.live_of(NUMBER)[0].state is S.PAUSED
