"""Whose turn it is: classes by weight, the oldest of each first."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from callbacks.promised import promise_of
from switchhook.callbacks.turns import Turns


def waiting(class_, count, since=0):
    return [promise_of(id=since + n, made_ms=since + n, class_=class_) for n in range(1, count + 1)]


def test_of_one_class_the_oldest_is_first():
    some = waiting("a", 3)
    assert [each.id for each in Turns().order(reversed(some), {})] == [1, 2, 3]


def test_a_class_with_weight_three_gets_three_turns_of_four():
    some = waiting("a", 100) + waiting("b", 100, since=1_000)
    given = islice(Turns().order(some, {"b": 3}), 40)
    assert Counter(each.class_ for each in given) == {"a": 10, "b": 30}


def test_turns_are_remembered_from_one_look_to_the_next():
    turns, taken = Turns(), Counter()
    some = waiting("a", 100) + waiting("b", 100, since=1_000)
    for _ in range(30):
        taken[next(turns.order(some, {"a": 2})).class_] += 1
    assert taken == {"a": 20, "b": 10}


def test_who_had_nobody_waiting_has_saved_up_no_turns():
    turns = Turns()
    list(turns.order(waiting("a", 500), {}))
    given = islice(turns.order(waiting("a", 50, 500) + waiting("b", 50, 9_000), {}), 20)
    assert Counter(each.class_ for each in given) == {"a": 10, "b": 10}


def test_a_turn_that_led_to_no_call_is_had_again():
    turns = Turns()
    some = waiting("a", 5) + waiting("b", 5, since=100)
    assert next(turns.order(some, {})).class_ == "a"
    turns.give_back("a", {})
    turns.give_back("unheard of", {})
    assert next(turns.order(some, {})).class_ == "a"
    assert next(turns.order(some, {})).class_ == "b"


def test_where_nobody_waits_nobody_has_a_turn():
    assert list(Turns().order([], {})) == []
