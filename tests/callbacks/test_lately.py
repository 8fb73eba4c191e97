"""What became of promises that ended lately."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.callbacks.lately import lately
from switchhook.callbacks.promise import PromiseEvent, PromiseState

S, E = PromiseState, PromiseEvent


def test_nothing_ended_and_nothing_is_claimed():
    found = lately({}, [], 5)
    assert (found.since_ms, found.kept, found.owed) == (5, 0, 0)
    assert (found.in_time, found.median_s, found.p90_s) == (None, None, None)


def test_what_was_owed_to_its_end_is_what_counts():
    """Whoever was served, refuted or cancelled was not owed anything any more."""
    ended = {
        (S.KEPT, E.TALKED): 2,
        (S.BROKEN, E.EXHAUSTED): 1,
        (S.DROPPED, E.EXPIRED): 1,
        (S.DROPPED, E.SERVED): 5,
        (S.DROPPED, E.REFUTED): 1,
        (S.DROPPED, E.CANCELLED): 1,
    }
    found = lately(ended, [60_000, 120_000], 0)
    assert (found.kept, found.broken, found.dropped) == (2, 1, 8)
    assert found.owed == 4
    assert found.in_time == 0.5
    assert found.by_event[E.SERVED] == 5


@pytest.mark.parametrize(
    ("took", "median", "p90"),
    [
        ([60_000], 60, 60),
        ([2_000, 1_000], 1, 2),
        ([n * 1_000 for n in range(1, 11)], 5, 9),
        ([n * 1_000 for n in range(1, 12)], 6, 10),
        ([-5_000], 0, 0),
    ],
)
def test_the_time_to_the_callback(took, median, p90):
    found = lately({}, took, 0)
    assert (found.median_s, found.p90_s) == (median, p90)


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_at_least_that_share_was_called_within_it(took):
    found = lately({}, took, 0)
    for share, seconds in ((0.5, found.median_s), (0.9, found.p90_s)):
        assert seconds is not None
        within = [each for each in took if each / 1000 <= seconds]
        assert len(within) >= share * len(took)
        assert any(each / 1000 == seconds for each in took)
