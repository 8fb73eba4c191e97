"""What retention believes of the clock, and how much goes in an hour."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.times import DAY_MS, HOUR_MS
from switchhook.journal.closed import Segment, SegmentState
from switchhook.retention.policy import (
    SHARE,
    DeleteRows,
    DeleteSegment,
    Holdings,
    Matter,
    RetentionLimits,
    expired,
    hour_of,
    next_step,
)
from switchhook.retention.trusted_time import (
    FAR_MS,
    TRUSTED_MS,
    Trusted,
    first_trusted,
    held,
    held_text,
)

NOW = 1_000 * DAY_MS
LIMITS = RetentionLimits()


def sealed(first, first_day, last_day, state=SegmentState.SEALED):
    return Segment(
        f"{first:020d}", state, first, first + 9, int(first_day * DAY_MS), int(last_day * DAY_MS), 9
    )


def year_of_segments(count=100):
    """A year of them up to now, and the open one."""
    days = [635 + each * 365 / count for each in range(count + 1)]
    found = [sealed(1 + 10 * n, days[n], days[n + 1]) for n in range(count)]
    return (*found, sealed(1 + 10 * count, 1000, 1000, SegmentState.OPEN))


def test_a_clock_far_ahead_is_not_believed_for_a_week():
    trusted = Trusted(NOW)
    ahead = NOW + 500 * DAY_MS
    for hour in range(24 * 7 - 1):
        trusted = trusted.later(ahead + hour * HOUR_MS, HOUR_MS)
        assert trusted.before(ahead) == NOW + (hour + 1) * HOUR_MS
    assert trusted.later(ahead + TRUSTED_MS, HOUR_MS) == Trusted(ahead + TRUSTED_MS)


def test_a_clock_that_comes_back_is_trusted_at_once():
    trusted = Trusted(NOW).later(NOW + 500 * DAY_MS, HOUR_MS)
    assert trusted.waited_ms == HOUR_MS
    assert trusted.later(NOW + 2 * HOUR_MS, HOUR_MS) == Trusted(NOW + 2 * HOUR_MS)


def test_a_clock_that_is_behind_removes_nothing_early():
    trusted = Trusted(NOW).later(NOW - 300 * DAY_MS, HOUR_MS)
    assert trusted.before(NOW - 300 * DAY_MS) == NOW - 300 * DAY_MS


def test_a_few_days_off_are_no_reason_to_wait():
    assert Trusted(NOW).later(NOW + FAR_MS, 0) == Trusted(NOW + FAR_MS)


def test_at_the_first_start_what_was_kept_last_is_trusted():
    holdings = Holdings(year_of_segments())
    assert first_trusted(holdings, NOW + 500 * DAY_MS) == Trusted(NOW)
    assert first_trusted(holdings, NOW - DAY_MS) == Trusted(NOW - DAY_MS)
    assert first_trusted(Holdings(), NOW) == Trusted(NOW)


def test_it_is_held_only_while_something_would_go():
    holdings = Holdings(year_of_segments(), folded_seq=10**9)
    ahead = NOW + 500 * DAY_MS
    found = held(holdings, LIMITS, Trusted(NOW, HOUR_MS), ahead)
    assert found is not None
    assert (found.ahead_ms, found.left_ms) == (500 * DAY_MS, TRUSTED_MS - HOUR_MS)
    assert "500 days ahead" in held_text(found)
    assert "wait 7 days" in held_text(found)
    assert held(holdings, LIMITS, Trusted(NOW), NOW + FAR_MS) is None
    assert held(holdings, RetentionLimits(0, 0, 0, 0, 0, 0), Trusted(NOW), ahead) is None


def test_in_an_hour_goes_a_bounded_share_of_the_journal():
    """Even by a clock that is believed: all of it is too old then."""
    segments, now, left = year_of_segments(), NOW + 500 * DAY_MS, []
    for hour in range(6):
        holdings = Holdings(segments, folded_seq=10**9)
        bounds = hour_of(holdings, now, hour * HOUR_MS)
        while isinstance(next_step(holdings, LIMITS, now, bounds), DeleteSegment):
            segments = segments[1:]
            holdings = Holdings(segments, folded_seq=10**9)
            bounds = msgspec.structs.replace(bounds, segments=bounds.segments + 1)
        assert bounds.over(bounds.began_ms + HOUR_MS)
        left.append(len(segments) - 1)
    gone = [before - after for before, after in zip([100, *left], left, strict=False)]
    span_days = 365 + 500
    assert all(0 < each <= span_days / SHARE / 3.65 + 1 for each in gone)


def test_one_segment_goes_in_an_hour_however_much_it_holds():
    holdings = Holdings((sealed(1, 0, 500), sealed(11, 500, 999), sealed(21, 999, 1000)), 30)
    bounds = hour_of(holdings, NOW * 2, 0)
    step = next_step(holdings, LIMITS, NOW * 2, bounds)
    assert isinstance(step, DeleteSegment)
    after = Holdings(holdings.segments[1:], 30)
    spent = msgspec.structs.replace(bounds, segments=1)
    assert not isinstance(next_step(after, LIMITS, NOW * 2, spent), DeleteSegment)


def test_rows_go_up_to_the_hours_bound_and_the_next_class_follows():
    oldest = {Matter.STORIES: 500 * DAY_MS, Matter.ALERTS: 10 * DAY_MS}
    holdings = Holdings((), 0, oldest)
    bounds = hour_of(holdings, NOW, 0)
    first = next_step(holdings, LIMITS, NOW, bounds)
    assert first == DeleteRows(Matter.STORIES, 525 * DAY_MS)
    after = Holdings((), 0, {**oldest, Matter.STORIES: 525 * DAY_MS})
    second = next_step(after, LIMITS, NOW, bounds)
    assert isinstance(second, DeleteRows)
    assert second.matter is Matter.ALERTS


@pytest.mark.parametrize("ends", [(995, 1500), (1500, 995), (0, 995), (995, 0), (1500, 1500)])
def test_a_wrong_clock_at_an_end_of_a_segment_lets_it_go_neither_early_nor_never(ends):
    segments = (sealed(1, *ends), sealed(11, 996, 997), sealed(21, 999, 1000, SegmentState.OPEN))
    holdings = Holdings(segments, folded_seq=10**9)
    assert expired(holdings, 994 * DAY_MS, NOW) == ()
    assert segments[0] in expired(holdings, 998 * DAY_MS, NOW)


@given(
    st.lists(st.tuples(st.integers(0, 2000 * DAY_MS), st.integers(0, 10 * HOUR_MS)), max_size=50)
)
def test_retention_never_runs_ahead_of_the_clocks(looks):
    """However the clock steps, in less than a week nothing is believed that is far ahead."""
    trusted, passed = Trusted(NOW), 0
    for clock, took in looks:
        passed += took
        if passed >= TRUSTED_MS:
            break
        trusted = trusted.later(clock, took)
        assert trusted.before(clock) <= clock
        assert trusted.now_ms <= NOW + passed + len(looks) * FAR_MS
