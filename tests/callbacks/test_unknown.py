"""While nobody knows whether Exotel calls: which lists count, and what they may say."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.promised import IST, NOON, NUMBER, attempt_of, promise_of
from switchhook.callbacks.promise import AttemptState, PromiseState
from switchhook.callbacks.settings import CallbackSettings
from switchhook.callbacks.unknown import (
    APART_MS,
    FIRST_LIST_MS,
    Found,
    LookAgain,
    NotPlaced,
    after_list,
    first_look_ms,
    is_callback,
    last_look_ms,
    looks_ms,
    rung_out_ms,
)
from switchhook.exotel.wire.calls import CallRecord

SETTINGS = CallbackSettings(ring_s=30, longest_s=600)
PROMISE = promise_of(state=PromiseState.UNKNOWN, attempts=1, doubts=1)
ATTEMPT = attempt_of(state=AttemptState.UNKNOWN)


def row(sid="c1", *, after_s=1.0, number="09811100001", **more):
    at = datetime.fromtimestamp(NOON / 1000 + after_s, UTC).astimezone(IST)
    said = {
        "sid": sid,
        "account_sid": "acme",
        "from_": number,
        "to": None,
        "phone_number_sid": "",
        "status": "completed",
        "direction": "outbound-api",
        "created": at.replace(tzinfo=None),
        "updated": None,
    }
    return CallRecord(**said | more)


def nobody(sid):
    return False


def look(rows, after_s, *, lists=0, promise=PROMISE, others=nobody):
    attempt = attempt_of(state=AttemptState.UNKNOWN, lists=lists)
    return after_list(promise, attempt, rows, others, SETTINGS, NOON + after_s * 1000)


def test_the_lists_are_asked_for_at_once_again_after_the_ringing_and_after_the_longest_talk():
    assert [(at - NOON) // 1000 for at in looks_ms(ATTEMPT, SETTINGS)] == [45, 75, 110, 710]
    assert first_look_ms(ATTEMPT) == NOON + 45_000
    assert rung_out_ms(ATTEMPT, SETTINGS) == NOON + 65_000


def test_a_call_of_that_number_at_that_time_is_the_one():
    assert look([row()], 45) == Found("c1")


@pytest.mark.parametrize(
    "other",
    [
        row(number="09811100002"),
        row(after_s=-121),
        row(after_s=156),
        row(direction="inbound"),
        row(custom_field="switchhook:abc:2"),
        row(custom_field="switchhook:xyz:1"),
    ],
)
def test_another_call_is_not_it(other):
    assert not is_callback(other, PROMISE, ATTEMPT)
    assert look([other], 45) == LookAgain(1, NOON + 75_000)


@pytest.mark.parametrize(
    "ours",
    [
        row(after_s=-119),
        row(after_s=154),
        row(created=None),
        row(direction=""),
        row(number=NUMBER),
        row(number="", to=NUMBER),
        row(custom_field="what others send"),
        row(custom_field="switchhook:abc:1", number="masked", after_s=500),
    ],
)
def test_in_doubt_it_is_ours(ours):
    assert is_callback(ours, PROMISE, ATTEMPT)


def test_a_call_that_is_known_to_be_another_attempts_is_not_it():
    assert look([row("c1"), row("c2")], 45, others=lambda sid: sid == "c1") == Found("c2")


def test_a_list_that_could_not_be_had_counts_for_nothing():
    assert look(None, 45) == LookAgain(0, NOON + 60_000)
    assert look(None, 9_999, lists=7) == LookAgain(7, NOON + 10_014_000)


def test_two_lists_say_nothing_while_such_a_call_may_still_be_on():
    assert look([], 45) == LookAgain(1, NOON + 75_000)
    assert look([], 75, lists=1) == LookAgain(2, NOON + 110_000)
    assert look([], 110, lists=2) == LookAgain(3, NOON + 710_000)
    assert look([], 709.999, lists=3) == LookAgain(4, NOON + 739_999)
    assert look([], 710, lists=3) == NotPlaced(4, final=False)


def test_one_list_alone_is_not_enough_however_late():
    assert look([], 5_000) == LookAgain(1, NOON + 5_030_000)
    assert look([], 5_030, lists=1) == NotPlaced(2, final=False)


def test_after_the_second_doubt_it_is_given_up():
    twice = promise_of(state=PromiseState.UNKNOWN, attempts=2, doubts=2)
    assert look([], 710, lists=3, promise=twice) == NotPlaced(4, final=True)
    assert look([row()], 710, lists=3, promise=twice) == Found("c1")


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(10, 60), st.integers(1, 3600))
def test_however_lists_fail_it_is_given_up_after_two_good_ones_apart_and_not_too_soon(
    good, ring_s, longest_s
):
    settings = CallbackSettings(ring_s=ring_s, longest_s=longest_s)
    attempt, at_ms, listed = attempt_of(), first_look_ms(attempt_of()), []
    for each in [*good, *[True] * 6]:
        after = after_list(PROMISE, attempt, [] if each else None, nobody, settings, at_ms)
        listed += [at_ms] * each
        if isinstance(after, NotPlaced):
            break
        assert isinstance(after, LookAgain)
        assert after.look_ms > at_ms
        attempt = attempt_of(lists=after.lists)
        at_ms = after.look_ms
    assert isinstance(after, NotPlaced)
    assert after.lists == len(listed) >= 2
    assert listed[0] >= NOON + FIRST_LIST_MS
    assert all(b - a >= APART_MS for a, b in pairwise(listed))
    assert listed[-1] >= last_look_ms(attempt, settings)
