"""The filter that says whether a stream was ever seen."""

from __future__ import annotations

import pytest

from switchhook.store.bloom_filter import BloomFilter
from switchhook.store.digest import STORY, hash_of


def keys(prefix: str, count: int) -> list[int]:
    return [hash_of(STORY, f"{prefix}{number}") for number in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("expected", [0, 250_000])
def test_it_knows_whatever_it_was_told_and_little_else(expected):
    """Within its first filter and beyond it."""
    recall = BloomFilter(expected)
    told = keys("told", 250_000)
    for key in told:
        recall.add(key)

    assert all(key in recall for key in told)
    in_vain = sum(key in recall for key in keys("other", 100_000))
    assert in_vain < 200


def test_what_was_told_nothing_knows_nothing():
    recall = BloomFilter()

    assert not any(key in recall for key in keys("a", 1000))


@pytest.mark.slow
def test_its_size_has_a_bound_and_it_forgets_nothing():
    """Where it is full, it is only in vain more often."""
    recall = BloomFilter(most_bits=1 << 20)
    told = keys("told", 200_000)
    for key in told:
        recall.add(key)

    assert all(key in recall for key in told)
    assert sum(len(bits) for bits, _ in recall._filters) <= 1 << 17
