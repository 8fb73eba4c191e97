"""The history of capacity: as fine as its age allows, and true to what was read."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchhook.capacity.ledger import (
    MINUTES_LIVE_MS,
    READINGS_LIVE_MS,
    LedgerCapacity,
)
from switchhook.capacity.readings import Reading, Span
from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS

START = 1_780_000_000_000 // HOUR_MS * HOUR_MS


@pytest.fixture
def kept(ledger):
    return LedgerCapacity(ledger)


def read(at, active, allowed=100, account="main", problem=""):
    return Reading(account, START + at, active, allowed, problem)


def unread(at, problem="no answer"):
    return Reading("main", START + at, None, None, problem)


def test_a_short_stretch_is_told_by_its_readings(kept):
    readings = [read(0, 3), unread(3000), read(6000, 0, None)]
    kept.add(readings)
    kept.add([read(0, 3, account="other")])
    assert kept.recent("main", START) == readings
    assert kept.history("main", START, START + HOUR_MS) == [
        Span(START, 0, 3, 3, 3, 100, 1),
        Span(START + 3000, 0, None, None, None, None, 0, 1, "no answer"),
        Span(START + 6000, 0, 0, 0, 0, None, 1),
    ]
    assert kept.accounts() == ["main", "other"]


def test_longer_ones_by_minutes_and_hours(kept):
    kept.add([unread(1000), read(2000, 3), read(5000, 9, 90), unread(7000, ""), read(61_000, 0)])
    kept.add([read(HOUR_MS, 1)])
    assert kept.history("main", START, START + 3 * HOUR_MS) == [
        Span(START, MINUTE_MS, 3, 6.0, 9, 90, 2, 2, "no answer"),
        Span(START + MINUTE_MS, MINUTE_MS, 0, 0.0, 0, 100, 1),
        Span(START + HOUR_MS, MINUTE_MS, 1, 1.0, 1, 100, 1),
    ]
    assert kept.history("main", START, START + 30 * DAY_MS) == [
        Span(START, HOUR_MS, 0, 4.0, 9, 100, 3, 2, "no answer"),
        Span(START + HOUR_MS, HOUR_MS, 1, 1.0, 1, 100, 1),
    ]


def test_where_nothing_could_be_read_there_is_no_zero(kept):
    kept.add([unread(1000), unread(2000)])
    assert kept.history("main", START, START + DAY_MS) == [
        Span(START, MINUTE_MS, None, None, None, None, 0, 2, "no answer")
    ]


def test_the_same_reading_twice_counts_once(kept):
    kept.add([read(0, 3)])
    kept.add([read(0, 3), read(0, 4)])
    assert kept.history("main", START, START + 3 * HOUR_MS) == [
        Span(START, MINUTE_MS, 3, 3.0, 3, 100, 1)
    ]


def test_what_is_too_fine_for_its_age_goes_in_small_steps(kept):
    kept.add([read(at * 1000, at) for at in range(10)])
    assert kept.tidy(START + READINGS_LIVE_MS + 8000, 5) == 5
    assert kept.tidy(START + READINGS_LIVE_MS + 8000, 5) == 3
    assert kept.tidy(START + READINGS_LIVE_MS + 8000, 5) == 0
    assert [each.active for each in kept.recent("main", 0)] == [8, 9]
    (span,) = kept.history("main", START, START + DAY_MS)
    assert (span.width_ms, span.readings) == (MINUTE_MS, 10)
    assert kept.tidy(START + MINUTES_LIVE_MS + HOUR_MS, 5) == 3
    (span,) = kept.history("main", START, START + HOUR_MS)
    assert (span.width_ms, span.readings) == (HOUR_MS, 10)


def test_retention_is_told_of_the_oldest_row_and_deletes_it(kept):
    assert kept.oldest_ms() is None
    assert kept.remove(2**62) == 0
    kept.add([read(at * HOUR_MS, 1) for at in range(5)])
    assert kept.oldest_ms() == START
    assert kept.remove(START + 2 * HOUR_MS, 1) == 3
    assert kept.remove(START + 2 * HOUR_MS) == 3
    assert kept.oldest_ms() == START + 2 * HOUR_MS
    assert kept.remove(START + 2 * HOUR_MS) == 0


def test_a_long_problem_is_cut(kept):
    kept.add([unread(0, "x" * 10_000)])
    assert len(kept.recent("main", 0)[0].problem) == 500


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 7200), st.none() | st.integers(0, 10**6)),
        max_size=40,
        unique_by=lambda pair: pair[0],
    )
)
def test_minutes_and_hours_tell_the_same_as_readings(kept, pairs):
    kept.remove(2**62)
    readings = [read(at * 1000, active) for at, active in pairs]
    kept.add(readings)
    values = [each.active for each in readings if each.active is not None]
    for length in (3 * HOUR_MS, 30 * DAY_MS):
        spans = kept.history("main", START, START + length)
        told = [span for span in spans if span.readings]
        assert sum(span.readings for span in spans) == len(values)
        assert sum(span.unread for span in spans) == len(readings) - len(values)
        assert min((span.lowest for span in told), default=None) == min(values, default=None)
        assert max((span.highest for span in told), default=None) == max(values, default=None)
        assert sum(span.mean * span.readings for span in told) == pytest.approx(sum(values))
