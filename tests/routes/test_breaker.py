"""When a member is taken out, and how it comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.routes.breaker import (
    MOST_COOL_DOWNS,
    SHARES,
    Breaker,
    BreakerState,
    Outcome,
    cool_down_s,
    stepped,
)
from switchhook.rules.bot_pool import BreakerSettings

SETTINGS = BreakerSettings(enabled=True)
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
NOW = 1_000_000_000


def ended(text, at_ms=NOW):
    """Streams that ended one second after the other, the last at a time: `x` failed."""
    first = at_ms - 1000 * (len(text) - 1)
    return [
        Outcome(first + 1000 * n, first + 1000 * n - 500, letter == "x")
        for n, letter in enumerate(text)
    ]


def step(breaker, outcomes=(), unreachable="", now_ms=NOW, settings=SETTINGS, under_way=()):
    return stepped(breaker, outcomes, unreachable, settings, now_ms, under_way)


@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        ("xxx", "3 of 3 streams failed in 60 s"),
        ("..xx", "2 of 4 streams failed in 60 s"),
        ("." * 40 + "xxx", "the last 3 streams failed"),
    ],
)
def test_it_opens_by_share_or_in_a_row(outcomes, why):
    opened = step(Breaker(), ended(outcomes))
    assert (opened.state, opened.since_ms, opened.share) == (OPEN, NOW, 0.0)
    assert opened.why == why


@pytest.mark.parametrize("outcomes", ["", "x", "xx", "...x", "..x.", "." * 40 + "xx"])
def test_fewer_leave_it_closed(outcomes):
    assert step(Breaker(), ended(outcomes)) == Breaker()


def test_streams_that_ended_before_the_window_are_no_share_of_it():
    old = ended("xx....", NOW - 61_000)
    assert step(Breaker(), [*old, *ended("x..")]).state is CLOSED


def test_it_opens_at_once_where_the_probe_can_not_reach_it():
    opened = step(Breaker(), ended("....."), "connection refused")
    assert (opened.state, opened.why) == (OPEN, "connection refused")


def test_it_stays_open_for_the_cool_down_and_as_long_as_the_probe_can_not_reach_it():
    opened = step(Breaker(), ended("xxx"))
    assert step(opened, now_ms=NOW + 29_999) == opened
    assert step(opened, unreachable="refused", now_ms=NOW + 90_000) == opened
    tried = step(opened, now_ms=NOW + 30_000)
    assert (tried.state, tried.share) == (HALF_OPEN, SHARES[0])
    assert tried.why == "tried again after 30 s"


def test_it_comes_back_by_a_growing_share():
    breaker = step(step(Breaker(), ended("xxx")), now_ms=NOW + 30_000)
    shares = []
    for n in range(1, 5):
        shares.append(breaker.share)
        breaker = step(breaker, now_ms=NOW + 30_000 + n * 30_000)
    assert shares == [*SHARES, 1.0]
    assert (breaker.state, breaker.opened) == (CLOSED, 0)


def test_what_failed_before_does_not_open_it_again():
    """Streams of before it was taken out go on to end while it is half-open, or closed again."""
    old = ended("xxx")
    breaker = step(step(Breaker(), old), now_ms=NOW + 30_000)
    late = [Outcome(NOW + 40_000, NOW - 5_000, failed=True)]
    assert step(breaker, [*old, *late], now_ms=NOW + 40_000) == breaker


def test_a_failure_while_half_open_opens_it_again_for_longer():
    breaker = step(step(Breaker(), ended("xxx")), now_ms=NOW + 30_000)
    again = step(breaker, [Outcome(NOW + 33_000, NOW + 32_000, failed=True)], now_ms=NOW + 33_000)
    assert (again.state, again.why) == (OPEN, "the stream that it was tried with failed")
    assert cool_down_s(again, SETTINGS) == 60
    assert step(again, now_ms=NOW + 33_000 + 59_999) == again


def failed(*given_ms, took_ms=1_000):
    return [Outcome(each + took_ms, each, failed=True) for each in given_ms]


def test_who_fails_is_known_at_once_and_who_talks_counts_as_well():
    """Ten callers in ten seconds, two of whom failed after a second: the others talk."""
    outcomes = [*failed(NOW - 9_000, NOW - 5_000), Outcome(NOW - 100, NOW - 9_500, failed=False)]
    talking = [NOW - ago for ago in (9_900, 8_000, 7_000, 6_000, 4_000, 3_000, 2_000)]
    assert step(Breaker(), outcomes).why == "2 of 3 streams failed in 60 s"
    assert step(Breaker(), outcomes, under_way=talking) == Breaker()
    in_a_row = failed(NOW - 9_000, NOW - 5_000, NOW - 4_500)
    assert step(Breaker(), in_a_row).why == "3 of 3 streams failed in 60 s"
    assert step(Breaker(), in_a_row, under_way=talking) == Breaker()


def test_streams_younger_than_those_that_failed_tell_nothing_yet():
    outcomes = failed(NOW - 40_000, NOW - 35_000, NOW - 30_000, took_ms=20_000)
    waiting = [NOW - ago for ago in (19_000, 12_000, 5_000, 20_000)]
    assert step(Breaker(), outcomes, under_way=waiting).why == "3 of 3 streams failed in 60 s"


def test_a_bot_that_dies_while_others_talk_to_it_is_out_after_the_least_number():
    talking = [NOW - 30_000 + 100 * each for each in range(200)]
    opened = step(Breaker(), failed(NOW - 3_000, NOW - 2_500, NOW - 1_500), under_way=talking)
    assert opened.why == "the last 3 streams failed"


def test_streams_that_began_long_ago_are_no_share_of_the_window():
    talking = [NOW - 90_000 - each for each in range(50)]
    outcomes = [*failed(NOW - 3_000, NOW - 2_000), Outcome(NOW, NOW - 500, failed=False)]
    assert step(Breaker(), outcomes, under_way=talking).why == "2 of 3 streams failed in 60 s"


def test_one_failure_among_talking_callers_does_not_open_it_again():
    tried = step(step(Breaker(), ended("xxx")), now_ms=NOW + 30_000)
    began = NOW + 30_000
    now = began + 4_000
    talking = [began + 200, began + 600, began + 1_200]
    assert step(tried, failed(began + 2_000), now_ms=now, under_way=talking) == tried
    before = [began - 5_000, began - 4_000]
    assert step(tried, failed(began + 2_000), now_ms=now, under_way=before).state is OPEN


def test_one_failure_of_many_does_not():
    breaker = step(step(Breaker(), ended("xxx")), now_ms=NOW + 30_000)
    of_many = ended("x....", NOW + 40_000)
    assert step(breaker, of_many, now_ms=NOW + 40_000) == breaker


def test_the_last_of_a_pool_that_goes_well_while_it_is_open_is_let_in():
    """It gets calls all the same, and shows that it can."""
    opened = step(Breaker(), ended("xxx"))
    well = [Outcome(NOW + 5_000, NOW + 1_000, failed=False)]
    assert step(opened, well, now_ms=NOW + 5_000).state is HALF_OPEN


def test_the_cool_down_grows_no_longer_than_ten_times():
    assert cool_down_s(Breaker(opened=99), SETTINGS) == 30 * MOST_COOL_DOWNS


@given(st.text("x.", max_size=60), st.booleans(), st.integers(1, 20))
def test_dead_ones_are_out_after_the_least_number_whatever_was_before(before, probed, least):
    settings = BreakerSettings(enabled=True, least=least)
    unreachable = "refused" if probed else ""
    outcomes = ended(before + ("" if probed else "x" * least))
    assert step(Breaker(), outcomes, unreachable, settings=settings).state is OPEN


@given(st.lists(st.tuples(st.integers(0, 90_000), st.text("x.", max_size=4), st.booleans())))
def test_a_share_is_always_one_of_the_known(steps):
    breaker, now, outcomes = Breaker(), NOW, []
    for wait, ends, unreachable in steps:
        now += wait
        outcomes += ended(ends, now)
        breaker = step(breaker, outcomes, "refused" if unreachable else "", now)
        assert breaker.share in {0.0, *SHARES, 1.0}
        assert (breaker.share == 0.0) is (breaker.state is OPEN)


@pytest.mark.parametrize(
    ("state", "acts", "words"),
    [
        (BreakerState.OPEN, True, "open"),
        (BreakerState.OPEN, False, "would be open"),
        (BreakerState.HALF_OPEN, True, "half-open"),
        (BreakerState.HALF_OPEN, False, "would be half-open"),
        (BreakerState.CLOSED, True, "closed"),
        (BreakerState.CLOSED, False, "closed"),
    ],
)
def test_a_breaker_that_only_reports_would_be(state, acts, words):
    assert state.words(acts=acts) == words
