"""Capacity: unknown is never zero, questions keep to a budget, failures are met with patience."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.capacity.polling import BACKOFF, Pace, next_poll_s
from switchhook.capacity.readings import headroom, share_of
from switchhook.capacity.status import CapacityNow
from switchhook.exotel.answers import MOST_RETRY_AFTER_S, Outcome, Polled
from switchhook.exotel.rate_limit import Bucket, full_bucket, hold, take

COUNT = st.none() | st.integers(0, 10**6)
FAILED = sorted(set(Outcome) - {Outcome.READ})


@settings(deadline=None)
@given(COUNT, COUNT)
def test_headroom_is_known_only_where_both_are(active, allowed):
    left = headroom(active, allowed)
    assert (left is None) == (active is None or allowed is None)
    assert left is None or left >= 0


@pytest.mark.parametrize(
    "active, allowed, left, share",
    [
        (0, 100, 100, 0.0),
        (71, 100, 29, 0.71),
        (103, 100, 0, 1.03),
        (0, 0, 0, 1.0),
        (None, 100, None, None),
        (5, None, None, None),
    ],
)
def test_what_is_left(active, allowed, left, share):
    assert headroom(active, allowed) == left
    assert share_of(active, allowed) == share
    assert CapacityNow("a", active, allowed, left, 0.0).share == share


@pytest.mark.parametrize(
    "polled, wait",
    [
        (Polled(Outcome.READ, 0, 100), 10),
        (Polled(Outcome.READ, 70, 100), 10),
        (Polled(Outcome.READ, 71, 100), 3),
        (Polled(Outcome.READ, 140, 100), 3),
        (Polled(Outcome.READ, 1, None), 3),
        (Polled(Outcome.READ, 0, None), 10),
        (Polled(Outcome.READ, 0, 0), 10),
    ],
)
def test_it_asks_sooner_where_little_is_left(polled, wait):
    assert next_poll_s(polled, Pace(), 0, 0.5) == wait


def test_every_failure_has_its_patience():
    assert BACKOFF.keys() == set(FAILED)


@settings(deadline=None)
@given(st.sampled_from(FAILED), st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 10**9))
def test_retries_are_spread_grow_and_stay_within_bounds(outcome, failures, chance, retry_after):
    backoff, pace = BACKOFF[outcome], Pace()
    wait = next_poll_s(Polled(outcome), pace, failures, chance)
    assert min(backoff.first_s / 2, pace.busy_s) <= wait <= backoff.most_s
    assert wait <= next_poll_s(Polled(outcome), pace, failures + 1, chance)
    assert wait <= next_poll_s(Polled(outcome), pace, failures, 1.0)
    asked = next_poll_s(Polled(outcome, retry_after_s=retry_after), pace, failures, chance)
    assert asked >= min(retry_after, MOST_RETRY_AFTER_S)
    assert asked <= max(backoff.most_s, MOST_RETRY_AFTER_S)


@settings(deadline=None)
@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 5)), max_size=400),
)
def test_no_minute_sees_more_than_the_budget(per_minute, asks):
    """Whoever asks whenever, with any reserve, and waits as told."""
    bucket, now, taken = full_bucket(per_minute, 0), 0, []
    for later, reserve in asks:
        now += later
        bucket, wait = take(bucket, now, reserve=reserve)
        waits = 0
        while wait:
            now, waits = now + wait, waits + 1
            bucket, wait = take(bucket, now, reserve=reserve)
        assert waits <= 2
        taken.append(now)
    for at in taken:
        assert sum(at <= each < at + 60_000 for each in taken) <= per_minute


def test_a_reserve_is_left_for_those_who_matter_more():
    bucket = full_bucket(60, 0)
    while True:
        bucket, wait = take(bucket, 0, reserve=3)
        if wait:
            break
    assert take(bucket, 0)[1] == 0
    assert bucket.tokens >= 3


def test_one_who_asked_to_be_left_alone_is():
    bucket = hold(full_bucket(60, 0), 42_000)
    assert hold(bucket, 1_000).held_ms == 42_000
    bucket, wait = take(bucket, 2_000)
    assert wait == 40_000
    assert take(bucket, 42_000)[1] == 0


def test_a_clock_that_goes_back_gives_nothing_away():
    bucket = Bucket(60, 0.0, 10_000)
    again, wait = take(bucket, 5_000)
    assert wait > 0
    assert (again.tokens, again.at_ms) == (0.0, 10_000)
