"""The forecast: wide where little is known, right about as often as it says, and never made up."""

from __future__ import annotations

import heapq
import math
import random

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from switchhook.capacity.forecast import (
    HORIZON_MIN,
    LEAST_STEPS,
    OLDEST_MS,
    Ended,
    Forecast,
    forecast,
)
from switchhook.capacity.readings import Reading

NOW = 1_780_000_000_000
MINUTE = 60_000


def crowd(seed, *, load, growth=0.0, length_s=120.0, limit=100, every_s=10.0):
    """Half an hour of readings and ends of a simulated crowd, and when it reaches the limit then.

    The load grows by `growth` of itself a minute. The time is in seconds from now, None if never.
    """
    chance = random.Random(seed)
    now, reached = -1800.0, None
    leaving: list[tuple[float, float]] = []
    for _ in range(round(chance.gauss(load, math.sqrt(load)))):
        heapq.heappush(leaving, (now + chance.expovariate(1 / length_s), length_s))
    most = load * (1 + max(0.0, growth) * 90) / length_s
    arrival, poll = now + chance.expovariate(most), now
    readings, ended = [], []
    while now < HORIZON_MIN * 60:
        now = min(arrival, poll, leaving[0][0] if leaving else math.inf)
        if now == poll:
            if now <= 0:
                readings.append(Reading("a", NOW + round(now * 1000), len(leaving), limit))
            poll += every_s
        elif leaving and now == leaving[0][0]:
            _, lasted = heapq.heappop(leaving)
            if now <= 0:
                ended.append(Ended(NOW + round(now * 1000), lasted))
        else:
            arrival = now + chance.expovariate(most)
            if chance.random() < load * (1 + growth * (now + 1800) / 60) / length_s / most:
                lasts = chance.expovariate(1 / length_s)
                heapq.heappush(leaving, (now + lasts, lasts))
                if now > 0 and reached is None and len(leaving) >= limit:
                    reached = now
    return readings, ended, reached


@pytest.mark.parametrize("with_ends", [True, False])
@pytest.mark.parametrize(
    "situation",
    [
        {"load": 40, "growth": 0.02},
        {"load": 30, "growth": 0.05, "length_s": 180},
        {"load": 80},
        {"load": 50},
        {"load": 5, "limit": 10},
    ],
    ids=str,
)
def test_it_is_right_about_as_often_as_it_says(situation, with_ends):
    """Four of five limits are reached between the earliest and the latest time."""
    fitting, all_of_them = 0, 0
    for seed in range(25):
        readings, ended, reached = crowd(seed, **situation)
        found = forecast(readings, NOW, ended if with_ends else ())
        assert found is not None
        if found.latest_ms == NOW:
            continue  # it is reached already
        early = math.inf if found.earliest_ms is None else found.earliest_ms - NOW
        late = math.inf if found.latest_ms is None else found.latest_ms - NOW
        at = math.inf if reached is None else reached * 1000
        all_of_them += 1
        fitting += early - MINUTE <= at <= late + MINUTE
    assert fitting / all_of_them >= 0.65


def test_a_quiet_account_is_not_alarmed():
    for seed in range(10):
        readings, ended, reached = crowd(seed, load=40)
        found = forecast(readings, NOW, ended)
        assert reached is None
        assert found.words == "not within the next hour"
        assert found.chance < 0.05
        assert (found.earliest_ms, found.likely_ms, found.latest_ms) == (None, None, None)
        assert found.mean_length_s == pytest.approx(120, rel=0.25)
        assert found.arrivals_per_minute == pytest.approx(20, rel=0.4)


def test_a_steep_rise_is_foreseen():
    readings, ended, _ = crowd(3, load=30, growth=0.08)
    found = forecast(readings, NOW, ended)
    assert found.chance > 0.9
    assert NOW <= found.earliest_ms <= found.likely_ms <= NOW + 45 * MINUTE
    assert found.words.startswith("in about ")


def test_an_account_at_its_limit_has_reached_it():
    readings, ended, _ = crowd(1, load=150)
    found = forecast(readings, NOW, ended)
    assert (found.earliest_ms, found.latest_ms, found.chance) == (NOW, NOW, 1.0)
    assert found.words == "it is reached now"


def test_an_account_where_nothing_happens_stays_as_it_is():
    still = [Reading("a", NOW - at * 10_000, 0, 100) for at in range(60, -1, -1)]
    found = forecast(still, NOW)
    assert found.words == "not within the next hour"
    assert all(high < 10 for _, _, _, high in found.expected)


READINGS, ENDED, _ = crowd(1, load=40)


@pytest.mark.parametrize(
    "readings, now",
    [
        ([], NOW),
        (READINGS[-1:], NOW),
        (READINGS[-LEAST_STEPS:], NOW),
        (READINGS[:-7], NOW),
        (READINGS, NOW + OLDEST_MS + 1),
        (READINGS, NOW - 1),
        ([msgspec.structs.replace(each, allowed=None) for each in READINGS], NOW),
        ([msgspec.structs.replace(each, active=None) for each in READINGS], NOW),
        (READINGS[::20], NOW),
    ],
)
def test_with_too_little_known_nothing_is_foretold(readings, now):
    assert forecast(readings, now, ENDED) is None


def test_what_could_not_be_read_is_left_out_and_no_zero():
    holes = [
        msgspec.structs.replace(each, active=None) if at % 3 == 1 else each
        for at, each in enumerate(READINGS)
    ]
    assert forecast(holes, NOW, ENDED).chance < 0.05


def test_ends_that_are_only_some_of_all_do_not_shrink_the_load():
    some = forecast(READINGS, NOW, ENDED[::4])
    every = forecast(READINGS, NOW, ENDED)
    assert some.arrivals_per_minute == pytest.approx(every.arrivals_per_minute, rel=0.4)


@settings(deadline=None)
@example([*[None] * 4, *[0] * 20, 3], 0, [])  # a variance as good as none
@given(
    st.lists(st.none() | st.integers(0, 300), min_size=25, max_size=80),
    st.integers(0, 120),
    st.lists(st.tuples(st.integers(0, 900), st.floats(0, 20_000)), max_size=60),
)
def test_its_parts_agree_whatever_was_read(actives, limit, ends):
    start = NOW - len(actives) * 15_000
    readings = [
        Reading("a", start + at * 15_000, active, limit) for at, active in enumerate(actives)
    ]
    ended = [Ended(NOW - ago * 1000, lasted) for ago, lasted in ends]
    found = forecast(readings, readings[-1].at_ms, ended)
    if found is None:
        return
    times = [found.earliest_ms, found.likely_ms, found.latest_ms]
    known = [at for at in times if at is not None]
    assert known == sorted(known)
    assert times == known + [None] * (3 - len(known))
    assert 0 <= found.chance <= 1
    assert (found.earliest_ms is not None) == (found.chance >= 0.1)
    assert (found.latest_ms is not None) == (found.chance >= 0.9)
    assert all(0 <= low <= middle <= high for _, low, middle, high in found.expected)
    assert len(found.expected) == 13
    assert found.arrivals_per_minute >= 0
    assert math.isfinite(found.mean_length_s)
    assert found.words


@pytest.mark.parametrize(
    "times, chance, words",
    [
        ((None, None, None), 0.04, "not within the next hour"),
        ((20, None, None), 0.35, "perhaps within the hour (35 %), not before 20 min"),
        ((5, 30, None), 0.7, "in about 30 min (5 min to beyond the hour; 70 % this hour)"),
        ((5, 12, 25), 1.0, "in about 12 min (5 min to 25 min; 99 % this hour)"),
        ((0, 0, 0), 1.0, "it is reached now"),
    ],
)
def test_it_is_said_in_a_few_words(times, chance, words):
    first, likely, last = (None if at is None else NOW + at * MINUTE for at in times)
    assert Forecast(NOW, first, likely, last, chance, 1.0, 60.0).words == words
