"""A bucket gives no more than its rate, whoever takes whenever."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.exotel.rate_limit import Bucket, full_bucket, hold, put_back, rate_of, take


@settings(deadline=None)
@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 5)), max_size=400),
)
def test_no_minute_sees_more_than_the_budget(per_minute, asks):
    """Whoever asks whenever, with any reserve, and waits as told."""
    bucket, now, taken = full_bucket(rate_of(per_minute), 0), 0, []
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
    bucket = full_bucket(rate_of(60), 0)
    while True:
        bucket, wait = take(bucket, 0, reserve=3)
        if wait:
            break
    assert take(bucket, 0)[1] == 0
    assert bucket.tokens >= 3


def test_one_who_asked_to_be_left_alone_is():
    bucket = hold(full_bucket(rate_of(60), 0), 42_000)
    assert hold(bucket, 1_000).held_ms == 42_000
    bucket, wait = take(bucket, 2_000)
    assert wait == 40_000
    assert take(bucket, 42_000)[1] == 0


def test_a_clock_that_goes_back_gives_nothing_away():
    bucket = Bucket(rate_of(60), 0.0, 10_000)
    again, wait = take(bucket, 5_000)
    assert wait > 0
    assert (again.tokens, again.at_ms) == (0.0, 10_000)


def test_what_is_put_back_can_be_taken_again_and_no_more():
    bucket, _ = take(full_bucket(rate_of(60), 0), 0)
    assert put_back(bucket, 0) == put_back(full_bucket(rate_of(60), 0), 0)
