"""What follows from Exotel's answer to a request for a call."""

from __future__ import annotations

import pytest

from callbacks.promised import NOON, attempt_of
from switchhook.callbacks.answers import Pauses, Refusals, after_answer
from switchhook.callbacks.promise import AttemptState, PromiseEvent
from switchhook.callbacks.settings import CallbackSettings
from switchhook.exotel.connect_answer import ConnectAnswer, ConnectOutcome

SETTINGS = CallbackSettings(ring_s=30)


def answer(outcome, **more):
    return ConnectAnswer(outcome, **more)


UNKNOWN = answer(ConnectOutcome.REFUSED_NUMBER, problem="403", unknown=True)


@pytest.mark.parametrize(
    ("outcome", "event", "state"),
    [
        (ConnectOutcome.PLACED, PromiseEvent.PLACED, AttemptState.PLACED),
        (ConnectOutcome.AMBIGUOUS, PromiseEvent.AMBIGUOUS, AttemptState.UNKNOWN),
        (ConnectOutcome.POSTPONED, PromiseEvent.POSTPONED, AttemptState.NOT_PLACED),
        (ConnectOutcome.REFUSED_NUMBER, PromiseEvent.REFUSED, AttemptState.REFUSED),
        (ConnectOutcome.STOP_ACCOUNT, PromiseEvent.POSTPONED, AttemptState.NOT_PLACED),
    ],
)
def test_each_answer_has_its_event(outcome, event, state):
    found = after_answer(attempt_of(), answer(outcome, problem="why"), SETTINGS, NOON, NOON + 5)
    assert (found.event, found.change.state) == (event, state)
    assert found.due_ms == (NOON + 5 if event is PromiseEvent.POSTPONED else None)


def test_a_placed_call_is_looked_at_once_it_can_ring_no_more_and_a_doubt_by_its_clock():
    placed = answer(ConnectOutcome.PLACED, call_sid="c1")
    found = after_answer(attempt_of(), placed, SETTINGS, NOON + 900, NOON)
    assert (found.change.call_sid, found.change.look_ms) == ("c1", NOON + 50_900)
    doubt = answer(ConnectOutcome.AMBIGUOUS)
    found = after_answer(attempt_of(), doubt, SETTINGS, NOON + 35_000, NOON)
    assert found.change.look_ms == NOON + 45_000


POSTPONED, DOUBT = answer(ConnectOutcome.POSTPONED), answer(ConnectOutcome.AMBIGUOUS)
PLACED = answer(ConnectOutcome.PLACED, call_sid="c1")


def paused_s(pauses, now_ms):
    return (pauses.until_ms - now_ms) / 1000


@pytest.mark.parametrize(
    ("failure", "waits"), [(POSTPONED, [5, 10, 20, 40]), (DOUBT, [5, 10, 20, 20])]
)
def test_who_cannot_call_is_asked_less_often_each_time(failure, waits):
    pauses, now_ms, found = Pauses(), NOON, []
    for _ in waits:
        asked_ms, now_ms = now_ms + 1, now_ms + 1_000
        pauses.after(failure, asked_ms, now_ms)
        found.append(paused_s(pauses, now_ms))
        now_ms = pauses.until_ms
    assert found == waits


def test_what_fails_together_is_one_failure():
    pauses = Pauses()
    for n in range(10):
        pauses.after(POSTPONED, NOON - n, NOON + n)
    assert pauses.until_ms == NOON + 5_000


def test_who_calls_again_is_asked_again_at_once_but_not_before_it_said():
    pauses = Pauses()
    pauses.after(POSTPONED, NOON - 1, NOON)
    pauses.after(PLACED, NOON - 1, NOON + 1)
    assert pauses.why(NOON + 1) == ""
    limited = answer(ConnectOutcome.POSTPONED, retry_after_s=30.0)
    pauses.after(limited, NOON + 1, NOON + 2)
    pauses.after(PLACED, NOON + 1, NOON + 3)
    assert pauses.why(NOON + 3) == "Exotel could not call, and is asked again in 30 s"
    assert pauses.why(NOON + 30_002) == ""


def test_three_numbers_in_a_row_that_are_refused_for_unknown_reasons_stop_the_account():
    refusals = Refusals()
    assert refusals.after(UNKNOWN, "+1") == ""
    assert refusals.after(UNKNOWN, "+1") == ""
    assert refusals.after(UNKNOWN, "+2") == ""
    assert refusals.after(UNKNOWN, "+3") == "3 numbers in a row were refused: 403"
    assert refusals.after(UNKNOWN, "+3") == ""


@pytest.mark.parametrize(
    "between",
    [
        answer(ConnectOutcome.PLACED, call_sid="c1"),
        answer(ConnectOutcome.REFUSED_NUMBER, problem="DND"),
    ],
)
def test_a_call_between_them_says_that_it_is_about_the_numbers(between):
    refusals = Refusals()
    refusals.after(UNKNOWN, "+1")
    refusals.after(UNKNOWN, "+2")
    assert refusals.after(between, "+4") == ""
    assert refusals.after(UNKNOWN, "+3") == ""


def test_what_says_nothing_of_numbers_changes_nothing():
    refusals = Refusals()
    refusals.after(UNKNOWN, "+1")
    refusals.after(UNKNOWN, "+2")
    refusals.after(answer(ConnectOutcome.AMBIGUOUS), "+4")
    refusals.after(answer(ConnectOutcome.POSTPONED), "+4")
    assert refusals.after(UNKNOWN, "+3")


def test_an_account_that_exotel_refuses_is_stopped_with_its_words():
    stop = answer(ConnectOutcome.STOP_ACCOUNT, problem="the balance is used up")
    assert Refusals().after(stop, "+1") == "the balance is used up"
