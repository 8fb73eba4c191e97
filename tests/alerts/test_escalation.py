"""Who is told next while nobody is on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.alerts.escalation import Policy, due_rounds

STEPS = (("a",), ("b", "c"), ("a", "d"))
ALL = {"a", "b", "c", "d"}


def policy(repeat=0, steps=STEPS):
    return Policy(name="p", steps=steps, wait_ms=100, repeat=repeat)


@pytest.mark.parametrize(
    ("passed", "told"),
    [
        (None, {"a": 1}),
        (0, {"a": 1}),
        (99, {"a": 1}),
        (100, {"a": 1, "b": 1, "c": 1}),
        (200, {"a": 2, "b": 1, "c": 1, "d": 1}),
        (300, {"a": 3, "b": 1, "c": 1, "d": 1}),
        (400, {"a": 3, "b": 2, "c": 2, "d": 1}),
        (9_000, {"a": 4, "b": 2, "c": 2, "d": 2}),
    ],
)
def test_steps_follow_each_other_and_begin_again(passed, told):
    began = None if passed is None else 1_000
    assert due_rounds(policy(repeat=1), ALL, began, 1_000 + (passed or 0)) == told


def test_a_step_without_anybody_is_passed_at_once():
    assert due_rounds(policy(), {"c", "d"}, None, 0) == {"c": 1}
    assert due_rounds(policy(), {"c", "d"}, 0, 100) == {"c": 1, "d": 1}


def test_where_nobody_is_on_call_all_are():
    assert due_rounds(policy(), set(), None, 0) == {"a": 1}
    assert due_rounds(policy(), {"stranger"}, 0, 900) == {"a": 2, "b": 1, "c": 1, "d": 1}


@given(st.sets(st.sampled_from(sorted(ALL))), st.integers(0, 3), st.integers(0, 5_000))
def test_somebody_is_always_told_and_nobody_more_often_than_was_asked_for(on_call, repeat, passed):
    told = due_rounds(policy(repeat), on_call, 0, passed)
    assert told
    assert max(told.values()) <= 2 * (1 + repeat)
    later = due_rounds(policy(repeat), on_call, 0, passed + 100)
    assert all(later[name] >= rounds for name, rounds in told.items())
