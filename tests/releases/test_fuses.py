from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.releases.fuses import Mix, Sudden, fault_test, split_test


def test_failures_close_together_are_found_after_a_long_good_time():
    """A bot that breaks on the second day: the test over the whole rollout has seen much good."""
    sudden, chance = Sudden(), random.Random(3)
    for _ in range(500):
        sudden.failed(0.05, chance.random() < 0.05)
    found = next(n for n in range(1, 30) if sudden.failed(0.05, canary=True) >= 2_000)
    assert found <= 10


@given(st.lists(st.booleans(), max_size=60))
def test_what_is_kept_of_sudden_failures_goes_on_as_before(sides):
    whole, resumed = Sudden(), Sudden()
    for canary in sides:
        assert whole.failed(0.25, canary) == resumed.failed(0.25, canary)
        resumed = Sudden(resumed.state)


def test_a_dead_canary_is_found():
    """No canary caller of many: (1 - 0.05)^n."""
    split = split_test()
    needed = 0
    while split.e < 100:
        split.failed(0.05, canary=False)
        needed += 1
    assert needed <= 150


@pytest.mark.parametrize("part, broken", [(0.05, False), (0.12, True), (0.01, True)])
def test_a_split_that_is_not_its_share_is_broken(part, broken):
    split, chance = split_test(), random.Random(5)
    most = 0.0
    for _ in range(3_000):
        split.failed(0.05, chance.random() < part)
        most = max(most, split.e)
    assert (most >= 2_000) is broken


def test_a_few_faults_of_the_candidate_alone_are_enough():
    test = fault_test()
    for _ in range(4):
        test.failed(0.05, canary=True)
    assert test.e > 4_000


def test_decisions_may_move_within_what_is_tolerated():
    mix, chance = Mix({"A": 0.9, "B": 0.1}), random.Random(2)
    most = max(mix.decided("B" if chance.random() < 0.15 else "A") for _ in range(5_000))
    assert most < 100


def test_a_decision_far_above_what_was_foretold_is_named():
    mix = Mix({"A": 0.97, "B": 0.03})
    assert mix.furthest() is None
    most = max(mix.decided("B" if n % 3 == 0 else "A") for n in range(200))
    assert most >= 2_000
    far = mix.furthest()
    assert far is not None
    assert far[0] == "B"
    assert Mix({"A": 0.97, "B": 0.03}, mix.counts).furthest() == far


def test_a_decision_that_nobody_foretold_is_another_one():
    mix = Mix({"A": 1.0})
    assert max(mix.decided("B by new") for _ in range(40)) >= 2_000
    assert mix.furthest() == ("", 1.0, 0.0)
