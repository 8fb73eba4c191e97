from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.releases import callers
from switchhook.releases.callers import Counted, Heavy, caller_of
from switchhook.rules.rollout import BUCKETS, RolloutSeen

SHARES = st.integers(1, BUCKETS - 1)


def seen(share: int, bucket: int) -> RolloutSeen:
    return RolloutSeen(number=12, hash="", share=share, bucket=bucket)


@given(st.lists(SHARES, min_size=1, max_size=6), st.integers(0, BUCKETS - 1))
def test_the_chance_is_that_of_the_buckets_added_by_those_left(shares, bucket):
    """Counted as control up to a share, a caller is one of those above it, each as likely."""
    counted, known = Counted(), 0
    for share in shares:
        rho = counted.count(0, 7, seen(share, bucket))
        if share <= known:
            assert rho is None  # known to be above it, or below it for ever
            continue
        left = range(known, BUCKETS)
        assert rho == pytest.approx(sum(each < share for each in left) / len(left))
        known = BUCKETS if bucket < share else share


def test_a_caller_counts_once_a_share():
    counted = Counted()
    assert counted.count(0, 1, seen(500, 700)) == 0.05
    assert counted.count(0, 1, seen(500, 700)) is None


def test_purposes_count_by_themselves():
    counted = Counted()
    rhos = [counted.count(purpose, 1, seen(500, 700)) for purpose in (0, 1, 3)]
    assert rhos == [0.05] * 3
    assert len(counted) == 1


def test_nobody_is_asked_when_everybody_has_the_candidate():
    assert Counted().count(0, 1, seen(BUCKETS, 3)) is None


def test_a_full_table_counts_no_new_caller_and_goes_on_with_the_others(monkeypatch):
    monkeypatch.setattr(callers, "CALLERS_AT_MOST", 2)
    counted = Counted()
    for caller in (1, 2):
        counted.count(0, caller, seen(500, 9_000))
    assert counted.full
    assert counted.count(0, 3, seen(500, 1)) is None
    assert counted.count(0, 1, seen(2_500, 9_000)) == pytest.approx(2_000 / 9_500)


@given(
    st.lists(
        st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2), SHARES, st.integers(0, 9_999)),
        max_size=30,
    )
)
def test_what_is_kept_goes_on_as_before(events):
    counted = Counted()
    for caller, purpose, share, bucket in events:
        counted.count(purpose, caller, seen(share, bucket))
        counted = Counted(counted.state())
    whole = Counted()
    for caller, purpose, share, bucket in events:
        whole.count(purpose, caller, seen(share, bucket))
    assert counted.state() == whole.state()


def test_a_table_that_was_cut_off_is_refused():
    counted = Counted()
    counted.count(0, 1, seen(500, 1))
    state = counted.state()
    with pytest.raises(ValueError):
        Counted(callers.CountedState(state.callers + b"12345678", state.levels))


def test_another_rollout_knows_a_caller_by_another_number():
    assert caller_of("rules/a\n1", "+919800000001") != caller_of("rules/a\n2", "+919800000001")
    assert 0 <= caller_of("", "") < 2**64


def test_a_switchboard_is_found_among_many_callers():
    heavy, chance = Heavy(), random.Random(1)
    found = set()
    for _ in range(5_000):
        caller = 7 if chance.random() < 0.05 else chance.randrange(100, 10**9)
        if heavy.called(caller):
            found.add(caller)
    assert found == {7}
    assert heavy.share_of(7) == pytest.approx(0.05, abs=0.01)


def test_nobody_is_heavy_among_the_first_calls_or_by_redialling_a_little():
    heavy = Heavy()
    assert not any(heavy.called(1) for _ in range(199))
    heavy = Heavy()
    assert not any(heavy.called(at // 3) for at in range(5_000) if at > 200)


def test_heavy_callers_are_found_in_bounded_memory():
    heavy = Heavy()
    for caller in range(10_000):
        heavy.called(caller)
    assert len(heavy.counts) <= 256
    again = Heavy(heavy.calls, heavy.counts)
    assert (again.calls, again.counts) == (heavy.calls, heavy.counts)
    assert Heavy().share_of(3) == 0.0
