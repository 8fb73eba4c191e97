"""Capacity: unknown is never zero, failures are met with patience."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.capacity.polling import BACKOFF, Pace, next_poll_s
from switchhook.capacity.readings import headroom, share_of
from switchhook.capacity.status import CapacityNow
from switchhook.exotel.answers import MOST_RETRY_AFTER_S, Outcome, Polled

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
