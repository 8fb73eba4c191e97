"""What is told of a callback's call, in any order, and what follows for its promise."""

from __future__ import annotations

from itertools import permutations

import pytest

from callbacks.promised import NOON, attempt_of, promise_of
from switchhook.callbacks.attempts import attempt_after
from switchhook.callbacks.call_told import CallTold, ToldBy
from switchhook.callbacks.outcome import after_told, next_look_ms, not_told
from switchhook.callbacks.promise import (
    AttemptState,
    CallOutcome,
    PromiseEvent,
    PromiseState,
    moved,
)
from switchhook.callbacks.settings import CallbackSettings, VoicemailCounts
from switchhook.exotel.cause import Cause

SETTINGS = CallbackSettings(ring_s=30, longest_s=600, gap_s=600, declined_gap_s=3600)
RINGING = promise_of(state=PromiseState.RINGING, attempts=1)
PLACED = attempt_of(state=AttemptState.PLACED, call_sid="c1", look_ms=NOON + 50_000)
LATER = NOON + 40_000


def told(by, **more):
    return CallTold(by=by, at_ms=LATER, call_sid="c1", **more)


def status(word, **more):
    return told(ToldBy.CALLBACK, status=word, **more)


def passthru(**more):
    return told(ToldBy.PASSTHRU, **more)


def details(word="completed", **more):
    return told(ToldBy.DETAILS, status=word, **more)


def after(what, promise=RINGING, attempt=PLACED, settings=SETTINGS, now_ms=LATER):
    return after_told(promise, attempt, what, settings, now_ms, 0.5)


UNANSWERED = [
    (status("busy"), CallOutcome.BUSY, 3_600),
    (status("busy", first_leg="canceled"), CallOutcome.DECLINED, 3_600),
    (status("failed", first_leg="declined"), CallOutcome.DECLINED, 3_600),
    (status("no-answer"), CallOutcome.NO_ANSWER, 600),
    (status("canceled"), CallOutcome.NO_ANSWER, 600),
    (status("failed"), CallOutcome.FAILED, 600),
    (details("completed", first_leg="no-answer"), CallOutcome.NO_ANSWER, 600),
]


@pytest.mark.parametrize(("what", "outcome", "gap_s"), UNANSWERED)
def test_one_who_was_not_reached_is_due_again_after_a_gap(what, outcome, gap_s):
    found = after(what)
    assert found.event is PromiseEvent.MISSED
    assert found.due_ms == LATER + gap_s * 1000
    assert (found.change.state, found.change.outcome) == (AttemptState.MISSED, outcome)
    assert found.change.done_ms == LATER


def test_where_no_attempt_may_be_left_nothing_is_waited_for():
    last = promise_of(state=PromiseState.RINGING, attempts=3)
    assert after(status("busy"), promise=last).due_ms == LATER


def test_a_talk_is_noted_and_the_end_of_the_call_waited_for():
    found = after(passthru(cause=Cause.BOT_DONE, bot_s=25))
    assert found.event is None
    assert found.change.talk_s == 25
    assert found.change.look_ms == NOON + 50_000
    early = attempt_of(state=AttemptState.PLACED, call_sid="c1", look_ms=NOON + 500_000)
    assert after(passthru(cause=Cause.BOT_DONE, bot_s=25), attempt=early).change.look_ms == (
        LATER + 20_000
    )


def test_a_person_at_the_other_end_keeps_it_at_once():
    assert after(status("completed", answered_by="human", person_s=9)).event is PromiseEvent.TALKED
    talked = attempt_of(state=AttemptState.PLACED, call_sid="c1", talk_s=25)
    assert after(status("completed", answered_by="human"), attempt=talked).event is (
        PromiseEvent.TALKED
    )


def test_where_nobody_says_who_answered_details_are_asked_for():
    talked = attempt_of(state=AttemptState.PLACED, call_sid="c1", talk_s=25)
    found = after(status("completed"), attempt=talked)
    assert (found.event, found.change.look_ms) == (None, LATER + 20_000)
    assert after(details(), attempt=talked).event is PromiseEvent.TALKED
    machine = after(details(answered_by="machine"), attempt=talked)
    assert (machine.event, machine.change.outcome) == (PromiseEvent.MISSED, CallOutcome.VOICEMAIL)


def test_a_voicemail_counts_as_configured():
    kept = CallbackSettings(voicemail=VoicemailCounts.KEPT)
    what = status("completed", answered_by="machine")
    assert after(what).event is PromiseEvent.MISSED
    found = after(what, settings=kept)
    assert found.event is PromiseEvent.TALKED
    assert (found.change.state, found.change.outcome) == (
        AttemptState.TALKED,
        CallOutcome.VOICEMAIL,
    )


def test_a_machine_that_was_told_of_early_is_remembered():
    early = after(status("in-progress", answered_by="machine"))
    assert (early.event, early.change.outcome) == (None, CallOutcome.VOICEMAIL)
    attempt = attempt_after(PLACED, early.change)
    late = after(passthru(cause=Cause.BOT_DONE, bot_s=30, status="completed"), attempt=attempt)
    assert late.change.outcome is CallOutcome.VOICEMAIL


def test_who_answered_and_was_talked_to_by_nobody_was_abandoned():
    failed = attempt_after(PLACED, after(passthru(cause=Cause.THROTTLED)).change)
    assert failed.talk_s == 0
    over = attempt_after(failed, after(status("completed"), attempt=failed).change)
    assert over.done_ms == LATER
    early = after(details(lasted_s=300), attempt=over, now_ms=LATER + 10_000)
    assert early.event is None
    found = after(details(lasted_s=300), attempt=over, now_ms=LATER + 20_000)
    assert (found.event, found.change.outcome) == (PromiseEvent.MISSED, CallOutcome.NO_STREAM)


@pytest.mark.parametrize(
    ("lasted_s", "outcome"), [(20, CallOutcome.TALKED), (19, CallOutcome.NO_STREAM)]
)
def test_where_nothing_tells_of_streams_who_stayed_was_talked_to(lasted_s, outcome):
    over = attempt_after(PLACED, after(status("completed")).change)
    found = after(details(lasted_s=lasted_s), attempt=over, now_ms=LATER + 20_000)
    assert found.change.outcome is outcome


def test_details_are_believed_once_they_tell_how_it_went():
    """They say completed minutes before they have its end, duration and legs."""
    early = details(settled=False)
    attempt = attempt_after(PLACED, after(early).change)
    for late_ms in (0, 60_000, 3_000_000):
        assert after(early, attempt=attempt, now_ms=LATER + late_ms).event is None
    assert after(details(person_s=20), attempt=attempt).event is PromiseEvent.TALKED
    found = after(details(lasted_s=3), attempt=attempt, now_ms=LATER + 60_000)
    assert found.change.outcome is CallOutcome.NO_STREAM
    assert after(details("no-answer", settled=False)).event is PromiseEvent.MISSED


def test_a_talk_is_believed_though_details_never_tell_who_answered():
    early = details(settled=False)
    talked = attempt_of(state=AttemptState.PLACED, call_sid="c1", talk_s=25, done_ms=LATER)
    assert after(early, attempt=talked, now_ms=LATER + 299_999).event is None
    assert after(early, attempt=talked, now_ms=LATER + 300_000).event is PromiseEvent.TALKED


def test_a_passthru_before_the_stream_tells_of_no_stream_that_failed():
    attempt = attempt_after(PLACED, after(passthru(cause=Cause.NO_STREAM)).change)
    assert attempt.talk_s is None


def test_a_talk_that_is_told_of_after_the_end_keeps_it():
    missed = attempt_of(
        state=AttemptState.MISSED, call_sid="c1", outcome=CallOutcome.NO_STREAM, talk_s=0
    )
    waiting = promise_of(state=PromiseState.OPEN, attempts=1)
    found = after(passthru(cause=Cause.BOT_DONE, bot_s=9), promise=waiting, attempt=missed)
    assert found.event is PromiseEvent.TALKED


@pytest.mark.parametrize("what", [status("in-progress"), status("completed"), passthru()])
def test_a_call_that_is_over_is_not_placed_anew_by_what_comes_late(what):
    """Else an open promise would ring for ever."""
    missed = attempt_of(state=AttemptState.MISSED, call_sid="c1", outcome=CallOutcome.BUSY)
    waiting = promise_of(state=PromiseState.OPEN, attempts=1)
    assert after(what, promise=waiting, attempt=missed).event is None


@pytest.mark.parametrize("state", [AttemptState.ASKED, AttemptState.UNKNOWN])
def test_whoever_tells_of_the_call_first_has_placed_it(state):
    asked = attempt_of(state=state)
    doubted = promise_of(state=PromiseState.UNKNOWN, attempts=1, doubts=1)
    found = after(status("in-progress"), promise=doubted, attempt=asked)
    assert found.event is PromiseEvent.PLACED
    assert (found.change.call_sid, found.change.state) == ("c1", AttemptState.PLACED)
    assert found.change.look_ms == LATER + 50_000


def test_a_call_that_was_taken_for_none_rings_all_the_same():
    lost = attempt_of(state=AttemptState.NOT_PLACED, done_ms=NOON)
    waiting = promise_of(state=PromiseState.OPEN, attempts=1)
    found = after(status("in-progress"), promise=waiting, attempt=lost)
    assert found.event is PromiseEvent.PLACED
    assert moved(waiting, found.event, LATER).state is PromiseState.RINGING


TALK = [
    status("in-progress", answered_by="human"),
    passthru(cause=Cause.BOT_DONE, bot_s=30),
    status("completed", answered_by="human", price=1.5),
    details("completed", lasted_s=35, answered_by="human"),
]


@pytest.mark.parametrize("order", list(permutations(TALK)))
def test_in_any_order_and_more_than_once_it_is_kept(order):
    promise, attempt = RINGING, PLACED
    for n, what in enumerate((*order, *order)):
        now_ms = LATER + n * 30_000
        found = after(what, promise, attempt, now_ms=now_ms)
        attempt = attempt_after(attempt, found.change)
        if found.event is not None:
            promise = moved(promise, found.event, now_ms) or promise
    assert promise.state is PromiseState.KEPT
    assert (attempt.state, attempt.talk_s) == (AttemptState.TALKED, 30)


def test_details_that_cannot_be_had_are_asked_for_again_less_often():
    looks = [next_look_ms(PLACED, NOON + age) - NOON - age for age in (0, 100_000, 9_000_000)]
    assert looks == [20_000, 50_000, 300_000]
    found = not_told(PLACED, SETTINGS, LATER, "it answered 500")
    assert (found.event, found.change.look_ms) == (None, LATER + 20_000)


def test_of_whom_nothing_can_be_told_nobody_calls_again():
    late = NOON + 630_000 + 1_800_000
    found = not_told(PLACED, SETTINGS, late, "404")
    assert found.event is PromiseEvent.GIVEN_UP
    assert moved(RINGING, found.event, late).state is PromiseState.BROKEN


def test_a_talk_that_was_told_of_is_believed_without_details():
    talked = attempt_of(state=AttemptState.PLACED, call_sid="c1", talk_s=25, done_ms=LATER)
    assert not_told(talked, SETTINGS, LATER + 299_999, "404").event is None
    assert not_told(talked, SETTINGS, LATER + 300_000, "404").event is PromiseEvent.TALKED
    running = attempt_of(state=AttemptState.PLACED, call_sid="c1", talk_s=25)
    late = NOON + 630_000 + 1_800_000
    assert not_told(running, SETTINGS, late, "404").event is PromiseEvent.TALKED
