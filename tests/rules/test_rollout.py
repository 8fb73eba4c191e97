from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switchhook.rules.rollout import BUCKETS, Rollout, bucket_of, salt_of, seen_by, subject_of

HASH = "ab" * 32


def rollout(share: int) -> Rollout:
    return Rollout(subject=subject_of("sales"), number=7, hash=HASH, share=share)


def test_buckets_are_those_that_the_documentation_says():
    """Kept for ever: another draw would move callers who are in a canary."""
    assert bucket_of(salt_of("rules/sales", HASH), "+919820000001") == 2897
    assert bucket_of("", "") == 3132


@given(st.text(), st.integers(0, BUCKETS), st.integers(0, BUCKETS))
def test_who_is_in_the_canary_stays_as_the_share_grows(key, one, other):
    less, more = sorted((one, other))
    assert not seen_by(rollout(less), key).canary or seen_by(rollout(more), key).canary


@given(st.text())
def test_nobody_has_a_share_of_none_and_everybody_the_whole(key):
    assert not seen_by(rollout(0), key).canary
    assert seen_by(rollout(BUCKETS), key).canary


def test_a_share_is_that_part_of_the_callers():
    seen = [seen_by(rollout(500), f"+9198{number:08}").canary for number in range(20_000)]
    assert 900 < sum(seen) < 1_100


def test_candidates_are_drawn_independently_of_each_other():
    keys = [f"+9198{number:08}" for number in range(20_000)]
    one, other = salt_of("rules/sales", HASH), salt_of("rules/sales", "cd" * 32)
    both = sum(bucket_of(one, k) < 5_000 and bucket_of(other, k) < 5_000 for k in keys)
    assert 4_700 < both < 5_300
