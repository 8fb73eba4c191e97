"""When something fails, how much, since when, and when it is over; by seeded outcomes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.troubles.judge import LAPSE_MS, Burn, Judge, Outcome, Phase, Terms

START, MINUTE, HOUR = 1_795_000_000_000, 60_000, 3_600_000
TERMS = Terms()
TRAFFIC = pytest.mark.parametrize("a_minute", [1, 30, 1000])


class Traffic:
    """Outcomes that come as calls do: by chance, so many a minute."""

    def __init__(self, a_minute, terms=TERMS, seed=7):
        self.judge = Judge(terms)
        self.chance = random.Random(seed)
        self.now = float(START)
        self.pace = a_minute / MINUTE
        self.calls = 0

    def one(self, share):
        self.now += self.chance.expovariate(self.pace)
        self.calls += 1
        failed = self.chance.random() < share
        self.judge.take(Outcome(int(self.now), failed, caller=self.calls))
        return self.standing()

    def go(self, calls, share):
        for _ in range(calls):
            found = self.one(share)
        return found

    def until(self, wanted, share, most=5000):
        """Calls and seconds until the standing is as wanted."""
        begun, calls = self.now, self.calls
        while not wanted(self.one(share)):
            assert self.calls - calls < most, "it never was"
        return self.calls - calls, (self.now - begun) / 1000

    def standing(self):
        return self.judge.standing(int(self.now))


def bad(standing):
    return standing is not None and standing.bad


@TRAFFIC
def test_one_odd_call_is_no_trouble(a_minute):
    traffic = Traffic(a_minute)
    for _ in range(20):
        assert traffic.go(100, 0.0) is None
        assert traffic.go(1, 1.0) is None


@TRAFFIC
def test_a_dead_bot_is_bad_within_ten_calls(a_minute):
    traffic = Traffic(a_minute)
    traffic.go(200, 0.01)
    began = traffic.now
    calls, _ = traffic.until(bad, 1.0)
    assert calls <= 7
    standing = traffic.standing()
    assert began < standing.since_ms <= traffic.now
    assert (standing.failed, standing.cases, standing.streak) == (calls, calls, calls)
    assert standing.callers == calls


@TRAFFIC
def test_of_a_bot_that_fails_half_the_median_is_within_ten_calls_or_twenty_seconds(a_minute):
    took = []
    for seed in range(31):
        traffic = Traffic(a_minute, seed=seed)
        traffic.go(200, 0.01)
        took.append(traffic.until(bad, 0.5))
    calls, seconds = sorted(took)[15]
    assert calls <= 10 or seconds <= 20


@TRAFFIC
def test_a_bot_that_was_never_well_is_found_as_soon(a_minute):
    assert Traffic(a_minute).until(bad, 1.0)[0] <= 7


@TRAFFIC
def test_it_goes_well_again_and_is_over(a_minute):
    """Five good calls and a minute after the mend: within two minutes, or what five calls take."""
    traffic = Traffic(a_minute)
    traffic.go(200, 0.0)
    traffic.go(40, 1.0)
    last_failed = int(traffic.now)
    calls, _ = traffic.until(lambda found: found.phase is Phase.RECOVERING, 0.0)
    assert calls == 5
    standing = traffic.standing()
    assert (standing.last_failed_ms, standing.well, standing.bad) == (last_failed, 5, True)
    traffic.go(max(a_minute // 2, 1), 0.0)
    assert traffic.judge.standing(int(traffic.now)) is not None or a_minute == 1
    assert traffic.judge.standing(standing.last_ms + MINUTE) is None


@TRAFFIC
def test_the_failures_that_are_usual_don_t_keep_a_trouble_alive(a_minute):
    traffic = Traffic(a_minute)
    traffic.go(500, 0.02)
    traffic.go(40, 1.0)
    _, seconds = traffic.until(lambda found: found is None, 0.02)
    assert seconds <= max(300, 20 * 60 / a_minute)


@pytest.mark.parametrize(("a_minute", "days"), [(1, 30), (30, 1), (1000, 0.03)])
@pytest.mark.parametrize("share", [0.0, 0.005, 0.02])
def test_what_is_usual_is_one_warning_in_a_month_at_most(a_minute, days, share):
    traffic, troubles, before = Traffic(a_minute), 0, None
    for _ in range(int(a_minute * 1440 * days)):
        found = traffic.one(share)
        assert not bad(found)
        troubles += found is not None and before is None
        before = found
    assert troubles <= 1


def test_what_is_usual_is_learned():
    """A bot of which one call in ten fails is not told of as if it were new each time."""
    traffic = Traffic(30)
    traffic.go(3000, 0.1)
    assert 0.07 < traffic.judge.usual < 0.13
    troubles = 0
    for _ in range(20_000):
        before = traffic.standing()
        troubles += traffic.one(0.1) is not None and before is None
    assert troubles <= 2


def test_since_is_the_first_failure_and_does_not_move():
    judge = Judge(TERMS)
    for second in range(60):
        judge.take(Outcome(START + second * 1000, False))
    for second in range(60, 90):
        judge.take(Outcome(START + second * 1000 + 321, True))
    assert judge.standing(START + 90_000).since_ms == START + 60_321
    judge.take(Outcome(START + 90_500, False))
    judge.take(Outcome(START + 91_000, True))
    assert judge.standing(START + 92_000).since_ms == START + 60_321


def test_a_caller_who_tries_again_counts_once():
    judge = Judge(TERMS)
    for call in range(20):
        judge.take(Outcome(START + call * 1000, True, caller=call % 3))
    judge.take(Outcome(START + 30_000, True))  # nobody knows who
    standing = judge.standing(START + 30_000)
    assert (standing.failed, standing.callers) == (21, 4)


def test_what_the_failures_met_is_counted_from_the_first_on():
    judge = Judge(TERMS)
    judge.take(Outcome(START, True, traits=(("kind", "tls"),)))
    for call in range(1, 40):
        judge.take(Outcome(START + call * 1000, False))
    for call in range(40, 50):
        kind = "refused" if call < 47 else "timeout"
        judge.take(Outcome(START + call * 1000, True, traits=(("kind", kind), ("host", "a"))))
    standing = judge.standing(START + 50_000)
    assert standing.most("kind") == (("refused", 7), ("timeout", 3))
    assert standing.most("host") == (("a", 10),)
    assert standing.most("else") == ()


def test_what_comes_from_outside_has_a_ceiling():
    judge = Judge(TERMS)
    for call in range(500):
        judge.take(Outcome(START + call, True, traits=(("host", f"h{call % 300}"),)))
    assert len(judge.standing(START + 500).most("host")) == 100


def test_nobody_calls_any_more_is_no_recovery():
    judge = Judge(TERMS)
    for call in range(10):
        judge.take(Outcome(START + call * 1000, True))
    standing = judge.standing(START + 3 * HOUR)
    assert (standing.phase, standing.last_ms) == (Phase.FAILING, START + 9000)
    assert judge.standing(START + 9000 + LAPSE_MS) is None


def test_what_comes_and_goes_stays_longer_each_time():
    traffic = Traffic(30)
    traffic.go(100, 0.0)
    calm = []
    for _ in range(4):
        traffic.until(bad, 1.0)
        calm.append(traffic.until(lambda found: found is None, 0.0)[1])
    assert [round(seconds / 60) for seconds in calm] == [1, 2, 4, 8]
    traffic.until(bad, 1.0)
    assert traffic.standing().returns == 4


def test_a_slow_burn_is_a_warning_and_ends_by_what_goes_well():
    """A third fails where a tenth usually does: no streak, but six times the budget."""
    terms = Terms(burns=(Burn(HOUR, 5 * MINUTE, 6.0),), usual=0.2)
    judge = Judge(terms)
    at = START
    for call in range(240):
        at += 15_000
        judge.take(Outcome(at, call % 3 == 0))
    standing = judge.standing(at)
    assert (standing.phase, standing.bad) == (Phase.FAILING, False)
    assert standing.share == pytest.approx(1 / 3, abs=0.02)
    for _ in range(60):
        at += 15_000
        judge.take(Outcome(at, False))
    assert judge.standing(at) is None


@pytest.mark.parametrize("of", [6, 5])
def test_a_slow_burn_is_told_by_all_that_burned(of):
    """And not by the last failure alone, which chance leaves of it."""
    judge, at = Judge(Terms(usual=0.2)), START
    calls = 0
    while (standing := judge.standing(at)) is None:
        at += 20_000
        judge.take(Outcome(at, calls % of == 0, caller=calls))
        calls += 1
        assert calls < 1000
    assert standing.since_ms == START + 20_000
    assert (standing.failed, standing.cases) == (1 + (calls - 1) // of, calls)
    assert standing.callers == standing.failed


@pytest.mark.parametrize("failed", [5, 9])
def test_what_fails_first_as_it_ends_first_is_no_slow_burn(failed):
    """A line begins to call: what fails is known after a second, what goes well after a minute."""
    judge = Judge(Terms(usual=0.2))
    outcomes = [at % 4 == 0 for at in range(4 * failed)] + [False] * 200
    for at, each in enumerate(outcomes):
        judge.take(Outcome(START + at * 250, each))
        assert judge.standing(START + at * 250) is None


@pytest.mark.parametrize("a_minute", [30, 1000])
def test_a_second_time_it_is_over_as_soon_and_counts_its_own(a_minute):
    """What failed a while ago is no evidence: neither for a new trouble, nor for an old one."""
    traffic = Traffic(a_minute)
    traffic.go(200, 0.0)
    traffic.go(120, 1.0)
    traffic.until(lambda found: found is None, 0.0)
    assert traffic.go(1, 1.0) is None, "one odd call, while an hour's share is still high"
    traffic.until(bad, 1.0)
    traffic.go(100, 1.0)
    again = traffic.standing()
    assert again.failed == again.cases
    assert traffic.now - again.since_ms < 1.5 * again.cases * MINUTE / a_minute
    calls, _ = traffic.until(lambda found: found.phase is Phase.RECOVERING, 0.0)
    assert calls <= 6
    traffic.until(lambda found: found is None, 0.0, most=10 * a_minute)


def test_what_fails_a_little_and_then_altogether_becomes_bad_within_ten_calls():
    traffic = Traffic(30, Terms(bad_share=0.7))
    traffic.go(100, 0.0)
    traffic.go(600, 0.35)
    assert traffic.standing().bad is False
    assert traffic.until(bad, 1.0)[0] <= 10


def test_where_one_is_enough_the_first_warns_and_many_are_bad():
    judge = Judge(Terms(usual=0.002, bad_share=0.1, first=True))
    for call in range(100):
        judge.take(Outcome(START + call * 1000, False))
    judge.take(Outcome(START + 100_000, True))
    assert judge.standing(START + 100_000).bad is False
    for call in range(101, 160):
        judge.take(Outcome(START + call * 1000, call % 5 == 0))
    assert judge.standing(START + 160_000).bad


@given(st.lists(st.tuples(st.integers(0, 10 * MINUTE), st.booleans()), max_size=200))
@settings(max_examples=200, deadline=None)
def test_whatever_comes_a_standing_adds_up(outcomes):
    judge, now = Judge(TERMS), START
    for step, failed in outcomes:
        now += step
        judge.take(Outcome(now, failed, caller=step % 7))
        found = judge.standing(now)
        if found is None:
            continue
        assert 0 < found.failed <= found.cases
        assert found.callers <= min(found.failed, 7)
        assert found.since_ms <= found.last_failed_ms <= found.last_ms == now
        assert (found.well == 0) == (found.streak > 0) == failed
