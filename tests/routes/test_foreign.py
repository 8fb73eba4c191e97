"""What is not ours, by the polls: never below zero, nothing where all is ours."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.routes.foreign import LOOK_AFTER_MS, ForeignStreams, Lost

NOW = 1_790_000_000_000
S = 1_000


def always(count):
    return lambda _at_ms: count


def fed(foreign, figures, ours=None, poll_s=3):
    """Polls one after the other, each looked at when its time has come; how many were lost."""
    lost = 0
    for number, active in enumerate(figures):
        at_ms = NOW + number * poll_s * S
        foreign.polled(at_ms, active)
        found = foreign.look(at_ms + LOOK_AFTER_MS, ours or always(0))
        lost += found.count if found is not None else 0
    return lost


def test_a_poll_is_looked_at_once_its_ends_are_known():
    foreign = ForeignStreams()
    foreign.polled(NOW, 30)
    assert foreign.look(NOW + LOOK_AFTER_MS - 1, always(20)) is None
    assert foreign.streams == 0
    foreign.look(NOW + LOOK_AFTER_MS, always(20))
    assert foreign.streams == 10
    (compared,) = foreign.compared
    assert (compared.active, compared.ours, compared.residual, compared.guessed) == (30, 20, 10, 0)


def test_it_is_an_average_of_twenty_seconds():
    foreign = ForeignStreams()
    fed(foreign, [0] * 20 + [10] * 3)
    assert foreign.streams == pytest.approx(30 / 7)
    fed(foreign, [10] * 30)
    assert foreign.streams == 10
    assert not foreign.all_ours


def test_how_old_the_figures_are_is_learnt():
    """A figure of two seconds ago differs least from what ran two seconds ago."""
    foreign = ForeignStreams()

    def ours(at_ms):
        return round(40 + 30 * math.sin((at_ms - NOW) / 20_000))

    fed(foreign, [ours(NOW + n * 3_000 - 2_000) + 7 for n in range(140)], ours)
    assert foreign.age_ms == 2_000
    assert foreign.streams == 7
    assert foreign.reserve(NOW + 420 * S) == 0


def test_nothing_is_kept_free_while_all_is_ours():
    foreign = ForeignStreams()
    fed(foreign, [20, 21, 19, 20] * 20, always(20))
    assert foreign.all_ours
    assert foreign.reserve(NOW) == 0


def test_the_reserve_follows_the_spread_of_what_is_not_ours():
    calm, wild = ForeignStreams(), ForeignStreams()
    fed(calm, [20, 22] * 40)
    fed(wild, [10, 30] * 40)
    assert calm.reserve(NOW) == pytest.approx(2 * math.sqrt(2 / 7), rel=0.1)
    assert wild.reserve(NOW) == pytest.approx(10 * calm.reserve(NOW))


def test_a_throttle_raises_it_at_once_and_it_decays_over_minutes():
    foreign = ForeignStreams()
    foreign.throttled(NOW, 1.0)
    foreign.throttled(NOW, 1.0)
    assert foreign.reserve(NOW) == 2
    assert foreign.reserve(NOW + 120 * S) == pytest.approx(1)
    foreign.throttled(NOW + 120 * S, 1.0)
    assert foreign.reserve(NOW + 120 * S) == pytest.approx(2)
    assert foreign.reserve(NOW + 3600 * S) < 0.01


def test_fewer_than_ours_for_half_a_minute_are_lost_ends():
    foreign = ForeignStreams()
    assert fed(foreign, [17] * 10, always(20)) == 0
    assert foreign.streams == 0
    foreign = ForeignStreams()
    assert fed(foreign, [17] * 11, always(20)) == 3
    foreign = ForeignStreams()
    assert fed(foreign, [17, 20] * 20, always(18)) == 0
    foreign = ForeignStreams()
    assert fed(foreign, [10, 10, 10, 18] + [12] * 6 + [19], always(20)) == 1


@pytest.mark.parametrize("poll_s, after", [(10, 4), (12, 4), (45, 4)])
def test_slow_polls_tell_of_lost_ends_too(poll_s, after):
    assert fed(ForeignStreams(), [17] * (after - 1), always(20), poll_s) == 0
    assert fed(ForeignStreams(), [17] * after, always(20), poll_s) == 3


def test_after_a_time_without_polls_half_a_minute_is_waited_for_again():
    foreign, found = ForeignStreams(), []
    for second in (*range(0, 12, 3), *range(90, 132, 3)):
        foreign.polled(NOW + second * S, 17)
        if foreign.look(NOW + second * S + LOOK_AFTER_MS, always(20)) is not None:
            found.append(second)
    assert found == [120, 123, 126, 129]


def test_polls_that_are_not_compared_yet_keep_their_streams():
    foreign = ForeignStreams()
    fed(foreign, [10] * 10, always(20))
    foreign.polled(NOW + 30 * S, 10)
    foreign.polled(NOW + 33 * S, 15)
    assert foreign.look(NOW + 35 * S, always(20)) == Lost(5, NOW + 21 * S)


def test_what_was_given_up_is_given_up_once_and_leaves_what_is_not_ours():
    foreign, ours = ForeignStreams(), 100
    for number in range(60):
        at_ms = NOW + number * 3 * S
        foreign.polled(at_ms, 5)
        lost = foreign.look(at_ms + LOOK_AFTER_MS, always(ours))
        if lost is not None:
            assert (number, lost.count) == (10, 95)
            ours -= 98
            foreign.gave_up(Lost(98, lost.since_ms))
            assert [each.residual for each in foreign.compared] == [-95] * 7 + [3] * 4
    assert (ours, foreign.streams) == (2, 3)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=60),
    st.integers(1, 60),
    st.lists(st.integers(0, 10**6), max_size=5),
)
def test_no_figure_is_ever_below_zero_or_endless(polls, poll_s, throttles):
    foreign = ForeignStreams()
    for each in throttles:
        foreign.throttled(NOW + each, 1.0)
    at_ms = NOW
    for active, ours in polls:
        foreign.polled(at_ms, active)
        lost = foreign.look(at_ms + LOOK_AFTER_MS, always(ours))
        assert lost is None or 0 < lost.count <= 500
        assert 0 <= foreign.streams <= 500
        assert 0 <= foreign.reserve(at_ms) < 1_500
        at_ms += poll_s * S
