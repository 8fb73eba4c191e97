"""What is told of a call comes in any order and more than once: attempts only go forward."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from callbacks.some_promises import T, promise
from switchhook.callbacks.attempts import (
    ATTEMPT_NEXT,
    OVER,
    AttemptChange,
    attempt_after,
    counts_for,
)
from switchhook.callbacks.promise import Attempt, AttemptState, CallOutcome, PromiseEvent

A = AttemptState
ASKED = Attempt(promise=1, number=1, custom_field="switchhook:a:1", asked_ms=T, exophone="+9180")
CHANGES = st.builds(
    AttemptChange,
    state=st.none() | st.sampled_from(AttemptState),
    outcome=st.none() | st.sampled_from(CallOutcome),
    call_sid=st.none() | st.just("sid"),
    look_ms=st.none() | st.just(T),
)


def test_every_state_says_what_it_may_become():
    assert set(ATTEMPT_NEXT) == set(AttemptState)
    assert not ATTEMPT_NEXT[A.TALKED]


def test_what_is_told_is_kept_and_what_is_not_stays():
    placed = attempt_after(ASKED, AttemptChange(state=A.PLACED, call_sid="sid", look_ms=T + 9))
    assert (placed.state, placed.call_sid, placed.look_ms) == (A.PLACED, "sid", T + 9)
    priced = attempt_after(placed, AttemptChange(price=0.5))
    assert priced == replace(placed, price=0.5)


def test_the_first_end_of_a_call_is_its_end_but_a_talk_is_a_talk():
    busy = AttemptChange(state=A.MISSED, outcome=CallOutcome.BUSY, done_ms=T)
    over = attempt_after(ASKED, busy)
    late = AttemptChange(
        state=A.PLACED, outcome=CallOutcome.FAILED, done_ms=T + 9, call_sid="sid", look_ms=T
    )
    assert attempt_after(over, late) == replace(over, call_sid="sid")
    talked = attempt_after(over, AttemptChange(state=A.TALKED, outcome=CallOutcome.TALKED))
    assert (talked.state, talked.outcome) == (A.TALKED, CallOutcome.TALKED)
    assert attempt_after(talked, busy) == talked


@given(st.lists(CHANGES, max_size=6))
def test_no_order_of_what_is_told_takes_a_talk_back_or_goes_on_looking(changes):
    attempt, talked = ASKED, False
    for change in changes:
        attempt = attempt_after(attempt, change)
        talked |= change.state is A.TALKED
        assert not talked or attempt.state is A.TALKED
        assert attempt.state not in OVER or attempt.look_ms is None


@given(st.lists(CHANGES, max_size=4))
def test_what_is_told_twice_says_nothing_more(changes):
    once = ASKED
    for change in changes:
        once = attempt_after(once, change)
        assert attempt_after(once, change) == once


@pytest.mark.parametrize("event", PromiseEvent)
def test_an_older_attempt_moves_nothing_but_by_a_talk(event):
    made = replace(promise(), attempts=2)
    assert counts_for(made, 2, event)
    assert counts_for(made, 0, event)
    assert counts_for(made, 1, event) is (event is PromiseEvent.TALKED)
