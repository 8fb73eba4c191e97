from __future__ import annotations

from fractions import Fraction
from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.releases.risk import GRID, Failures, RiskTest, chance, log_mean_exp, mean_of_exp

RHOS = st.sampled_from([0.01, 0.05, 0.2105, 0.25, 0.5])
FAILED = st.lists(st.tuples(RHOS, st.booleans()), max_size=40)
TOLERATED = st.sampled_from([1.0, 1.2, 2.0])


def test_of(failed, **terms) -> RiskTest:
    test = RiskTest(**terms)
    for rho, canary in failed:
        test.failed(rho, canary)
    return test


test_of.__test__ = False  # type: ignore[attr-defined]


def slowly(failed, tolerated: float = 1.0) -> Fraction:
    """facts as they stand: products of likelihoods, one failure after another, in whole numbers."""
    total = Fraction(0)
    for each in GRID:
        product = Fraction(1)
        for rho, canary in failed:
            share, none = Fraction(rho), Fraction(tolerated)
            harm = none * Fraction(each)
            theta = share * harm / (share * harm + 1 - share)
            before = share * none / (share * none + 1 - share)
            product *= theta / before if canary else (1 - theta) / (1 - before)
        total += product
    return total / len(GRID)


@given(FAILED, TOLERATED)
def test_it_is_the_mean_of_the_likelihood_ratios(failed, tolerated):
    expected = float(slowly(failed, tolerated))
    assert test_of(failed, tolerated=tolerated).e == pytest.approx(expected, rel=1e-9)


@given(FAILED, RHOS, TOLERATED)
def test_where_nothing_changed_it_grows_by_nothing_on_average(failed, rho, tolerated):
    """What makes it an e-value: a failure is as likely to speak against harm as for it."""
    likely = chance(tolerated, rho)
    by_canary = test_of([*failed, (rho, True)], tolerated=tolerated).e
    by_control = test_of([*failed, (rho, False)], tolerated=tolerated).e
    before = test_of(failed, tolerated=tolerated).e
    assert likely * by_canary + (1 - likely) * by_control == pytest.approx(before)


@given(st.permutations([(0.05, True), (0.05, False), (0.25, True), (0.2105, False)] * 3))
def test_the_order_of_failures_changes_no_bit(failed):
    assert test_of(failed).e == test_of(sorted(failed)).e


@given(FAILED)
def test_what_is_kept_goes_on_as_before(failed):
    test = test_of(failed)
    again = RiskTest(test.failures)
    assert (again.e, again.failures) == (test.e, test.failures)


@pytest.mark.parametrize(
    "failed, e",
    [  # worked out by the formula with another program
        ([], 1.0),
        ([(0.5, True)], sum(2 * each / (1 + each) for each in GRID) / 10),
        ([(0.5, False)], sum(2 / (1 + each) for each in GRID) / 10),
    ],
)
def test_a_few_failures(failed, e):
    assert test_of(failed).e == pytest.approx(e)


def test_a_canary_that_always_fails_is_found_after_a_few_callers():
    """facts: 3 to 6 canary callers at base rates up to 10 %."""
    before_each = [(0.05, False)] * 2  # at a base of 10 %: 19 control callers to each canary caller
    needed = next(k for k in range(1, 20) if test_of([*before_each, (0.05, True)] * k).e >= 100)
    assert needed <= 6


@pytest.mark.parametrize("ratio", [0.3, 1.0, 3.0, 10.0])
def test_the_interval_holds_the_ratio_that_made_the_failures(ratio):
    theta = chance(ratio, 0.25)
    failures = (Failures(0.25, round(400 * theta), round(400 * (1 - theta))),)
    low, high = RiskTest(failures).interval(0.01)
    estimate = RiskTest(failures).estimate()
    assert high is not None
    assert estimate == pytest.approx(ratio, rel=0.05)
    assert ratio / 2.5 < low < ratio < high < ratio * 2.5


def test_the_bounds_are_where_the_evidence_is_enough():
    """At the lower bound, the test that tolerates just so much finds just enough."""
    failures = (Failures(0.05, 30, 60), Failures(0.25, 20, 15))
    low, _ = RiskTest(failures).interval(0.02)
    assert RiskTest(failures, tolerated=low).e == pytest.approx(100, rel=1e-6)


def test_no_failure_bounds_nothing():
    assert RiskTest().interval(0.01) == (0.0, None)
    assert RiskTest().estimate() is None


def test_failures_of_one_side_bound_one_side():
    low, high = RiskTest((Failures(0.05, 8, 0),)).interval(0.01)
    assert low > 1
    assert high is None
    assert RiskTest((Failures(0.05, 8, 0),)).estimate() is None


def test_overwhelming_evidence_is_a_number():
    assert RiskTest((Failures(0.01, 10_000, 0),)).e == 1e300


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=10))
def test_means_of_logarithms(logs):
    assert exp(log_mean_exp(logs)) == pytest.approx(mean_of_exp(logs))
    assert log(mean_of_exp(logs)) <= max(logs) + 1e-9
