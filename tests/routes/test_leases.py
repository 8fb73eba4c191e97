"""Leases: what is held follows from what happened, in whatever order it was told of."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.routes.leases import (
    CLOSED_KEPT_MS,
    LEAST_PENDING_MS,
    LONGEST_MS,
    MOST_PENDING_MS,
    Held,
    Leases,
)

NOW = 1_790_000_000_000
S = 1_000


def at(seconds):
    return NOW + int(seconds * S)


def signalled(count=200, took_ms=4_000):
    """Leases that have learnt that starts are told of, and how long they take."""
    leases = Leases()
    for number in range(count):
        asked = NOW - 150_000 - 10 * number
        leases.admitted(f"past{number}", asked, endpoint="gate")
        leases.started(f"past{number}", asked + took_ms)
        ended = asked + took_ms + 5_000
        leases.ended(f"past{number}", ended, told_ms=ended, ran=True)
    leases.tidy(NOW)
    return leases


def test_a_lease_is_pending_then_live_then_gone():
    leases = signalled()
    leases.admitted("c1", NOW, endpoint="gate", class_="vip")
    assert leases.held(at(1)) == Held(1, 0)
    leases.started("c1", at(3))
    assert leases.held(at(4)) == Held(0, 1)
    assert [each.class_ for each in leases.open(at(4))] == ["vip"]
    leases.ended("c1", at(60.5), told_ms=at(62), ran=True)
    assert leases.held(at(62)) == Held()
    assert (leases.live_at(at(2.9)), leases.live_at(at(60.4)), leases.live_at(at(60.5))) == (
        0,
        1,
        0,
    )


def test_an_end_is_dated_by_what_told_of_it_yet_never_before_its_stream():
    """CurrentTime has whole seconds, and a short stream may seem to end before it began."""
    leases = signalled()
    leases.admitted("c1", at(10.8), endpoint="gate")
    leases.started("c1", at(10.9))
    leases.ended("c1", at(10.5), told_ms=at(11.2), ran=True)
    assert leases.held(at(11.2)) == Held()
    assert leases.live_at(at(10.95)) == 0


def test_where_starts_are_told_of_who_never_starts_frees_the_place():
    leases = signalled(took_ms=4_000)
    assert leases.pending_ms == LEAST_PENDING_MS
    leases.admitted("c1", NOW, endpoint="gate")
    assert leases.held(NOW + LEAST_PENDING_MS - 1) == Held(1, 0)
    assert leases.held(NOW + LEAST_PENDING_MS) == Held()
    leases.started("c1", NOW + LEAST_PENDING_MS + 5)
    assert leases.held(NOW + LEAST_PENDING_MS + 5) == Held(0, 1)


@pytest.mark.parametrize(
    "took_ms, pending_ms", [(1_000, 15_000), (21_000, 21_000), (90_000, 30_000)]
)
def test_the_pending_time_is_the_99th_percentile_within_bounds(took_ms, pending_ms):
    assert signalled(took_ms=took_ms).pending_ms == pending_ms
    assert Leases().pending_ms == MOST_PENDING_MS


def test_without_start_signals_a_lease_is_held_until_its_end_or_an_hour():
    """Nothing tells a caller who talks from one who left before."""
    leases = Leases()
    leases.admitted("c1", NOW, endpoint="static")
    assert leases.held(at(60)) == Held(0, 1)
    assert leases.held(NOW + LONGEST_MS - 1) == Held(0, 1)
    assert leases.held(NOW + LONGEST_MS) == Held()
    both = signalled()
    both.admitted("c1", NOW, endpoint="static")
    both.admitted("c2", NOW, endpoint="gate")
    assert both.held(at(60)) == Held(0, 1)
    assert (both.signalled("gate"), both.signalled("static")) == (True, False)


def test_starts_that_are_told_of_now_and_then_free_no_place():
    leases = signalled()
    for number in range(40):
        leases.admitted(f"mute{number}", at(number / 100), endpoint="gate")
        leases.ended(f"mute{number}", at(9), told_ms=at(9), ran=True)
    leases.tidy(at(9))
    assert not leases.signalled("gate")


def test_what_was_not_let_in_is_no_lease():
    leases = signalled()
    leases.started("c1", NOW)
    leases.ended("c2", NOW, told_ms=NOW, ran=True)
    assert leases.held(NOW) == Held()


def test_a_call_that_is_let_in_again_holds_one_place():
    leases = signalled()
    leases.admitted("c1", NOW, endpoint="gate")
    leases.started("c1", at(3))
    leases.admitted("c1", at(50), endpoint="gate")
    assert leases.held(at(51)) == Held(1, 0)
    leases.ended("c1", at(48.5), told_ms=at(52), ran=True)  # of the one before
    assert leases.held(at(53)) == Held(1, 0)


def test_the_oldest_are_given_up_first_and_no_end_is_counted_twice():
    leases = signalled()
    for number in range(3):
        leases.admitted(f"c{number}", at(number), endpoint="gate")
        leases.started(f"c{number}", at(number + 3))
    assert leases.give_up(2, at(60), at(100)) == 2
    assert [each.call for each in leases.open(at(100))] == ["c2"]
    assert leases.given_up == 2
    leases.ended("c0", at(90), told_ms=at(101), ran=True)
    assert leases.held(at(101)) == Held(0, 1)
    assert [leases.live_at(at(second)) for second in (59, 60, 99)] == [3, 1, 1]
    assert leases.give_up(9, at(60), at(102)) == 1
    assert leases.give_up(1, at(60), at(103)) == 0


def test_who_had_no_start_is_given_up_before_who_had_one_and_nobody_who_came_since():
    leases = Leases()
    for number in range(6):
        leases.admitted(f"c{number}", at(10 * number), endpoint="gate")
    leases.started("c0", at(4))
    leases.started("c3", at(34))
    assert leases.give_up(2, at(48), at(90)) == 2
    assert [each.call for each in leases.open(at(90))] == ["c0", "c3", "c4", "c5"]
    assert leases.give_up(2, at(48), at(90)) == 2
    assert [each.call for each in leases.open(at(90))] == ["c3", "c5"]
    assert leases.give_up(2, at(48), at(90)) == 1
    assert [each.call for each in leases.open(at(90))] == ["c5"]


def test_what_is_over_for_long_is_forgotten():
    leases = Leases()
    for number in range(100):
        leases.admitted(f"c{number}", NOW, endpoint="gate")
        if number % 2:
            leases.ended(f"c{number}", at(1), told_ms=at(1))
    leases.started("stranger", NOW)
    leases.tidy(NOW + CLOSED_KEPT_MS + S)
    assert leases.held(NOW + CLOSED_KEPT_MS + S) == Held(0, 50)
    assert len(leases._events) == 50
    leases.tidy(NOW + LONGEST_MS + CLOSED_KEPT_MS)
    assert not leases._events


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["admitted", "started", "ended"]),
        st.integers(0, 4),
        st.integers(0, 100_000),
        st.integers(0, 3_000),
    ),
    max_size=40,
)


def feed(leases, events):
    for kind, call, offset, late in events:
        told = NOW + offset
        match kind:
            case "admitted":
                leases.admitted(f"c{call}", told, endpoint="gate")
            case "started":
                leases.started(f"c{call}", told)
            case _:
                leases.ended(f"c{call}", told - late, told_ms=told, ran=True)


def seen(leases):
    leases.tidy(at(100))
    moments = range(NOW, NOW + 101_000, 2_500)
    return leases.open(at(100)), [leases.live_at(each) for each in moments], leases.pending_ms


@settings(deadline=None)
@given(EVENTS, st.randoms(use_true_random=False))
def test_the_same_events_in_any_order_and_twice_give_the_same_leases(events, chance):
    """A restart reads the journal anew, and a bot's report may come before its request's record."""
    first, second = Leases(), Leases()
    feed(first, events)
    shuffled = events + events[: len(events) // 2]
    chance.shuffle(shuffled)
    feed(second, shuffled)
    assert seen(first) == seen(second)


@settings(deadline=None)
@given(EVENTS, st.integers(0, 10), st.integers(0, 200_000))
def test_counts_are_never_negative_and_one_call_holds_one_place(events, lost, offset):
    leases = Leases()
    feed(leases, events)
    leases.give_up(lost, NOW + offset // 2, NOW + offset)
    held = leases.held(NOW + offset)
    assert held.pending >= 0
    assert held.live >= 0
    assert held.all <= len({call for kind, call, *_ in events if kind == "admitted"})
    assert leases.live_at(NOW + offset) >= 0
    assert held.all == len(leases.open(NOW + offset))


def test_a_restart_in_the_midst_of_traffic_gives_the_same_leases():
    """All of the last hour is fed again; what was over before that makes no difference."""
    chance = random.Random(5)
    events = list[tuple[str, int, int, int]]()
    for call in range(4_000):
        asked = chance.randrange(0, 5_400_000)
        events.append(("admitted", call, asked, 0))
        events.append(("started", call, asked + 2_000, 0))
        events.append(("ended", call, asked + 2_000 + int(chance.expovariate(1 / 60_000)), 500))
    events.sort(key=lambda each: each[2])
    events = [each for each in events if each[2] <= 5_400_000]
    whole, again = Leases(), Leases()
    feed(whole, events)
    feed(again, [each for each in events if each[2] >= 5_400_000 - LONGEST_MS])
    now = NOW + 5_400_000
    whole.tidy(now)
    again.tidy(now)
    assert whole.open(now) == again.open(now)
    assert whole.live_at(now - 5_000) == again.live_at(now - 5_000)
