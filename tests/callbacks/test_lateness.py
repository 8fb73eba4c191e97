"""How many promises will miss their time, by pace, caps and calling hours."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from switchhook.callbacks.lateness import GUESSED_S, Room, calling_time, late, pace
from switchhook.callbacks.settings import HOURS, CallbackSettings, CallingHours
from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS

KOLKATA = ZoneInfo("Asia/Kolkata")
SETTINGS = CallbackSettings()
TEN = Room(streams=10, mean_s=60.0)
"""600 an hour: ten streams, a minute each."""


def at(text):
    return round(datetime.fromisoformat(f"2026-11-{text}+05:30").timestamp() * 1000)


NOON = at("30T12:00")


def missed(ending, room=TEN, settings=SETTINGS, now_ms=NOON):
    return late(ending, room, settings, KOLKATA, now_ms)


@pytest.mark.parametrize(
    ("room", "cap", "an_hour"),
    [
        (TEN, 1_000, 600),
        (TEN, 100, 100),
        (replace(TEN, streams=0), 1_000, 0),
        (replace(TEN, streams=None), 500, 500),
        (Room(streams=10), 1_000, 36_000 / GUESSED_S),
        (replace(TEN, mean_s=0.0), 1_000, 1_000),
    ],
)
def test_the_pace_is_what_streams_allow_and_no_more_than_is_configured(room, cap, an_hour):
    assert pace(room, replace(SETTINGS, calls_an_hour=cap)) == an_hour


def test_what_the_pace_takes_is_in_time():
    assert missed([(NOON + HOUR_MS, 600)]) == 0
    assert missed([(NOON + HOUR_MS, 601)]) == 1


def test_the_worst_moment_counts():
    """Many that end soon are late, though all together would fit into a longer time."""
    ending = [(NOON + 15 * MINUTE_MS, 200), (NOON + HOUR_MS, 620), (NOON + 4 * HOUR_MS, 700)]
    assert missed(ending) == 50


def test_nobody_is_called_outside_of_the_hours():
    """At half past eight in the evening there is half an hour, and the morning."""
    evening = at("30T20:30")
    assert missed([(evening + 12 * HOUR_MS, 400)], now_ms=evening) == 100
    assert missed([(at("30T23:59") + 11 * HOUR_MS, 900)], now_ms=evening) == 0


def test_a_day_without_hours_has_none():
    weekdays = replace(SETTINGS, hours=CallingHours(days=(0, 1, 2, 3, 4)))
    saturday = at("28T12:00")
    assert missed([(saturday + DAY_MS, 3)], settings=weekdays, now_ms=saturday) == 3


def test_while_nobody_may_be_dialled_all_are_late_that_end_before():
    ending = [(NOON + HOUR_MS, 5), (NOON + 2 * HOUR_MS, 700)]
    assert missed(ending, replace(TEN, from_ms=None)) == 700
    assert missed(ending, replace(TEN, from_ms=NOON + HOUR_MS)) == 100
    assert missed(ending, replace(TEN, from_ms=NOON - HOUR_MS)) == 0
    assert missed([], replace(TEN, from_ms=None)) == 0


@given(
    counts=st.lists(st.integers(0, 2_000), min_size=1, max_size=6),
    streams=st.integers(0, 50),
    more=st.integers(0, 50),
)
def test_more_streams_never_make_more_late(counts, streams, more):
    sums = [sum(counts[: at + 1]) for at in range(len(counts))]
    ending = [(NOON + (at + 1) * HOUR_MS, count) for at, count in enumerate(sums)]
    few = missed(ending, replace(TEN, streams=streams))
    assert 0 <= missed(ending, replace(TEN, streams=streams + more)) <= few <= sums[-1]


def test_calling_time_is_what_lies_within_the_hours():
    hours = HOURS["default"]
    assert calling_time(hours, KOLKATA, NOON, NOON + DAY_MS) == 12 * HOUR_MS
    assert calling_time(hours, KOLKATA, at("29T22:00"), at("30T08:00")) == 0
    assert calling_time(hours, KOLKATA, at("29T20:30"), at("30T09:30")) == HOUR_MS
    assert calling_time(hours, KOLKATA, NOON, NOON) == 0
