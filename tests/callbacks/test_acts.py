"""What people do to promises."""

from __future__ import annotations

import pytest

from switchhook.callbacks.acts import (
    DEEDS,
    EVENTS,
    LONGEST_WHY,
    WORDS,
    PromiseAct,
    acts_on,
    counted_acts,
    possible,
    why_nothing,
    why_of,
)
from switchhook.callbacks.promise import (
    Promise,
    PromiseEvent,
    PromiseOrigin,
    PromiseState,
    moved,
)
from switchhook.errors import PromiseError

A, E, S = PromiseAct, PromiseEvent, PromiseState


def promise(state: PromiseState) -> Promise:
    return Promise(
        token="t1",
        account="main",
        number="+919000012345",
        class_="",
        reason="throttled",
        origin=PromiseOrigin.RULE,
        made_ms=0,
        due_ms=0,
        until_ms=10,
        state=state,
        since_ms=0,
    )


def test_each_act_has_its_event_deed_and_press():
    assert EVENTS.keys() == DEEDS.keys() == WORDS.keys() == set(PromiseAct)


@pytest.mark.parametrize("state", PromiseState)
@pytest.mark.parametrize("act", PromiseAct)
def test_what_is_offered_does_something_and_nothing_else_would(act, state):
    """The buttons and the ledger agree: both go by the table of moves."""
    after = moved(promise(state), EVENTS[act], 5)
    assert possible(act, state) is (after is not None)


@pytest.mark.parametrize("state", PromiseState)
@pytest.mark.parametrize("act", PromiseAct)
def test_where_it_does_nothing_there_is_a_reason(act, state):
    assert bool(why_nothing(EVENTS[act], promise(state))) is not possible(act, state)


@pytest.mark.parametrize(
    ("act", "events", "why"),
    [
        (A.CANCEL, (E.CANCELLED,), "it is dropped already (cancelled)"),
        (A.CANCEL, (E.DIALLED, E.TALKED), "it is kept (called back)"),
        (A.EXPIRE, (E.DIALLED, E.CANCELLED), "it ends after its call already (cancelled)"),
        (A.PAUSE, (E.PAUSED,), "it is paused already"),
        (A.PAUSE, (E.DIALLED,), "it is dialling"),
        (A.RESUME, (E.PAUSED, E.RESUMED), "it is open already"),
        (A.RESUME, (), "it is open"),
        (A.RETRY, (), "it is open"),
        (A.RETRY, (E.EXHAUSTED,), ""),
    ],
)
def test_why_it_does_nothing(act, events, why):
    found = promise(S.OPEN)
    for event in events:
        after = moved(found, event, 5)
        assert after is not None
        found = after
    assert why_nothing(EVENTS[act], found) == why


def test_what_may_be_done_in_each_state():
    assert acts_on(S.OPEN) == (A.PAUSE, A.CANCEL, A.EXPIRE)
    assert acts_on(S.PAUSED) == (A.RESUME, A.CANCEL, A.EXPIRE)
    assert acts_on(S.RINGING) == (A.CANCEL, A.EXPIRE)
    assert acts_on(S.BROKEN) == acts_on(S.DROPPED) == (A.RETRY,)
    assert acts_on(S.KEPT) == ()


def test_an_act_counts_those_to_whom_it_does_something():
    counted = counted_acts({S.OPEN: 5, S.PAUSED: 2, S.RINGING: 1, S.KEPT: 40, S.BROKEN: 3})
    assert counted == {A.PAUSE: 5, A.RESUME: 2, A.CANCEL: 8, A.RETRY: 3, A.EXPIRE: 8}
    assert counted_acts({S.KEPT: 40}) == {}


@pytest.mark.parametrize(
    ("said", "problem"), [("", "no reason"), (" \u200b"[:1], "no reason"), ("x" * 301, "too long")]
)
def test_an_act_says_why(said, problem):
    with pytest.raises(PromiseError, match=problem):
        why_of(said)


def test_a_reason_names_no_number():
    assert why_of(" they asked, call +91 90000 12345 ") == "they asked, call +91 ••••• •••45"
    assert why_of("x" * LONGEST_WHY)
