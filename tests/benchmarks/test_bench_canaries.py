"""Simulated rollouts: what the bench reckons with, and that it tells harm from none."""

from __future__ import annotations

import pytest

from benchmarks.canaries import (
    BEGIN,
    END,
    PAGE,
    Delay,
    HarmlessRollout,
    Result,
    calls_until_found,
    harmless,
    table,
    upper_bound,
)
from switchhook.rules.rollout import BUCKETS


@pytest.mark.parametrize(
    "found, of, bound",
    [(0, 10_000, 1 - 0.01 ** (1 / 10_000)), (0, 1, 0.99), (50, 10_000, 0.00693), (1, 1, 1.0)],
)
def test_the_upper_bound_is_that_of_clopper_and_pearson(found, of, bound):
    assert upper_bound(found, of) == pytest.approx(bound, rel=0.01)


@pytest.mark.slow
def test_a_harmless_rollout_goes_through_its_stages_and_the_same_seed_makes_the_same():
    rollout = HarmlessRollout(18)
    ended = rollout.run()
    assert ended.because == ""
    assert ended.share == BUCKETS
    assert ended == harmless(18)


def test_a_bucket_is_a_callers_own_and_as_likely_as_any():
    rollout = HarmlessRollout(1)
    buckets = [rollout._bucket(key) for key in range(5_000)]
    assert buckets == [rollout._bucket(key) for key in range(5_000)]
    assert sum(each < 2_500 for each in buckets) == pytest.approx(1_250, abs=120)


def test_great_harm_is_found_within_few_calls():
    found = calls_until_found(2_500, 0.05, 0.5, 6, seed=1)
    assert found is not None
    assert found < 400


def test_the_table_has_a_row_for_each_share_and_base():
    delays = tuple(Delay(500, 0.05, harm, 1, 100, 120.0, 300.0, 1.0) for harm in (0.05, 0.5))
    result = Result(
        at="2026-01-01T00:00:00+00:00",
        seconds=1,
        rollouts=1_000,
        rolled_back=3,
        because={"split": 1, "stream_failed": 2},
        upper_99=0.01,
        reached_all=900,
        calls=5_000.0,
        delays=delays,
    )
    text = table(result)
    assert "3 rolled back (split 1, stream_failed 2), 0.30%; upper 99 % bound 1.00%" in text
    assert "| 5 % | 5% | 1 | 120 / 300 (1.20) | 120 / 300 (1.20) |" in text


def test_the_page_has_a_place_for_it():
    page = PAGE.read_text()
    assert page.index(BEGIN) < page.index(END)
