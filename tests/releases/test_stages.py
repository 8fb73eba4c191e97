from __future__ import annotations

import random
from math import log
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS
from switchhook.releases.evidence import MEASURES_PART
from switchhook.releases.judgement import Judgement, MeasureJudged, ShareTally
from switchhook.releases.risk import RiskTest
from switchhook.releases.settings import Advance, RolloutSettings
from switchhook.releases.stages import (
    Stage,
    Volume,
    callers_needed,
    next_stage,
    not_awaited,
    plan,
)

SETTINGS = RolloutSettings()


def simulated(share: float, base: float, harm: float, runs: int) -> list[int]:
    """Callers until the test itself finds harm, of many rollouts that have it."""
    chance, found = random.Random(1), []
    failing = share * (base + harm) + (1 - share) * base
    of_canary = share * (base + harm) / failing
    for _ in range(runs):
        test, callers = RiskTest(), 0
        while test.e < 100 / MEASURES_PART:
            callers += 1 + int(log(1 - chance.random()) / log(1 - failing))
            test.failed(share, chance.random() < of_canary)
        found.append(callers)
    return found


@pytest.mark.parametrize(
    "share, base, points",
    [(500, 0.05, 10), (500, 0.02, 20), (500, 0.1, 20), (2_500, 0.05, 10), (5_000, 0.05, 20)],
)
def test_as_many_callers_are_waited_for_as_find_the_harm_in_nine_of_ten_rollouts(
    share, base, points
):
    needed = callers_needed(share, base, RolloutSettings(exclude_points=points))
    simulated_most = quantiles(simulated(share / 10_000, base, points / 100, 400), n=10)[8]
    assert needed is not None
    assert 0.9 * simulated_most < needed.most < 1.35 * simulated_most


@given(
    st.sampled_from([100, 500, 2_500]), st.floats(0.01, 0.2), st.floats(2, 40), st.integers(1, 6)
)
def test_a_greater_share_or_harm_needs_fewer_callers_and_more_measures_need_more(
    share, base, points, measures
):
    settings = RolloutSettings(exclude_points=points)
    needed = callers_needed(share, base, settings, measures)
    more_share = callers_needed(share * 2, base, settings, measures)
    more_harm = callers_needed(share, base, RolloutSettings(exclude_points=points * 1.3), measures)
    more_measures = callers_needed(share, base, settings, measures + 1)
    if needed is None:
        return
    assert needed.median <= needed.most
    assert more_share is not None
    assert more_harm is not None
    assert more_measures is not None
    assert more_share.most <= needed.most
    assert more_harm.most <= needed.most
    assert more_measures.most >= needed.most


@pytest.mark.parametrize("share, base", [(0, 0.05), (10_000, 0.05), (500, 1.0)])
def test_some_harm_can_never_be_found(share, base):
    assert callers_needed(share, base, SETTINGS) is None


@pytest.mark.parametrize(
    "volume, shares, words",
    [
        (
            Volume(count=3_500, span_ms=7 * DAY_MS),
            [2_500, 5_000],
            "with your 500 callers a day 25 % takes 2 days, 50 % takes 45 h; too slow, so left out:"
            " 1 % would take 43 days, 5 % would take 9 days",
        ),
        (
            Volume(count=1_000, span_ms=DAY_MS // 50, sure=True),
            [100, 500, 2_500, 5_000],
            "with your 50,000 callers a day 1 % takes 10 h, 5 % takes 2 h, 25 % takes 34 min, 50 %"
            " takes 30 min",
        ),
        (
            Volume(count=500, span_ms=100_000),
            [100, 500, 2_500, 5_000],
            "how long each stage takes is known after an hour of calls, in 58 min (500 callers so"
            " far, in 100 s)",
        ),
        (
            Volume(count=3_600, span_ms=30 * MINUTE_MS, requests=True),
            [100, 500, 2_500, 5_000],
            "how long each stage takes is known after an hour of calls, in 30 min (3,600 requests"
            " so far, in 30 min)",
        ),
        (
            Volume(count=0, span_ms=0),
            [100, 500, 2_500, 5_000],
            "how long each stage takes is known after an hour of calls; nobody has called so far",
        ),
        (
            Volume(count=0, span_ms=7 * DAY_MS),
            [100, 500, 2_500, 5_000],
            "how long each stage takes is known after an hour of calls; nobody has called in the"
            " last 7 days",
        ),
        (
            None,
            [100, 500, 2_500, 5_000],
            "how long each stage takes is not known yet, as no calls can be read here",
        ),
    ],
)
def test_stages_go_by_the_volume_of_the_account(volume, shares, words):
    made = plan(SETTINGS, volume=volume)
    assert [each.share for each in made.stages] == shares
    assert made.words == words


def test_a_share_that_somebody_chose_is_the_first_however_long_it_takes():
    made = plan(SETTINGS, volume=Volume(count=500, span_ms=DAY_MS), first=1_000)
    assert [each.share for each in made.stages] == [1_000, 2_500, 5_000]


def measure(name: str = "stream-failed", share: int = 500, **counts: int) -> MeasureJudged:
    return MeasureJudged(name=name, tallies=(ShareTally(share, **counts),))


def judgement(*measures: MeasureJudged, e: float = 0.3, full: bool = False) -> Judgement:
    return Judgement(
        e=e,
        p=1.0,
        harm=False,
        because="",
        risk=None,
        low=0.0,
        high=None,
        measures=measures,
        fuses=(),
        excluded=(),
        callers=0,
        full=full,
        began_ms=0,
        at_ms=0,
        words="",
    )


STAGES = plan(SETTINGS, volume=Volume(count=50_000, span_ms=DAY_MS)).stages
ENOUGH = measure(canary=300, canary_failed=15, control=6_000, control_failed=300)
FEW = measure(canary=20, canary_failed=1, control=480, control_failed=24)
LATER = HOUR_MS


def step(judged: Judgement, *, now_ms: int = LATER, share: int = 500, **terms):
    settings = terms.pop("settings", SETTINGS)
    return next_stage(settings, STAGES, judged, share=share, since_ms=0, now_ms=now_ms, **terms)


def test_a_stage_with_callers_and_time_enough_is_left_for_the_next():
    found = step(judgement(ENOUGH))
    assert found.share == 2_500
    assert found.ready
    assert found.words == "6,300 callers came at 5 %, and nothing speaks for harm"


def test_after_the_last_stage_come_all_callers():
    last = measure(share=5_000, canary=3_000, control=3_000, control_failed=150)
    assert step(judgement(last), share=5_000).share == 10_000


def test_a_share_between_the_stages_goes_on_to_the_next_of_them():
    between = measure(share=1_000, canary=600, control=6_000, control_failed=300)
    assert step(judgement(between), share=1_000).share == 2_500


@pytest.mark.parametrize(
    "judged, terms, words",
    [
        (
            judgement(FEW),
            {},
            "stays at 5 %: 500 of the 4,642 callers that it needs can be judged; the others take"
            " about 8 h",
        ),
        (judgement(), {}, "stays at 5 %: 0 of the 4,481 callers that it needs can be judged"),
        (
            judgement(ENOUGH),
            {"now_ms": 10 * MINUTE_MS},
            "stays at 5 % for another 20 min",
        ),
        (
            judgement(ENOUGH, e=3.21),
            {},
            "held at 5 %: enough callers came, but E is 3.2; it goes on below 1",
        ),
        (
            judgement(ENOUGH),
            {"reasons_to_hold": ["the account is at its limit of 12 streams"]},
            "held at 5 %: the account is at its limit of 12 streams",
        ),
        (
            judgement(ENOUGH, full=True),
            {},
            "held at 5 %: it counted as many callers as it can; promote it, or stop it",
        ),
        (
            judgement(ENOUGH),
            {"settings": RolloutSettings(advance=Advance.HAND)},
            "25 % is next, and waits for a person to say so",
        ),
    ],
)
def test_a_stage_is_held_and_says_why(judged, terms, words):
    found = step(judged, **terms)
    assert found.share is None
    assert found.words == words
    assert found.ready is ("waits for a person" in words)


def test_the_measure_furthest_behind_decides_unless_it_is_seldom_known():
    slow = measure("called-again", canary=50, control=950, control_failed=50)
    seldom = measure("next_stream_failed", canary=5, control=95)
    assert step(judgement(ENOUGH, slow)).callers == 1_000
    judged = judgement(ENOUGH, seldom)
    assert step(judged).callers == 6_300
    assert not_awaited(SETTINGS, judged, 500) == (
        "watched, but not waited for: the next stream failed (known of too few callers, or too"
        " common anyway)"
    )
    assert not_awaited(SETTINGS, judgement(ENOUGH), 500) == ""


def test_what_happens_to_nearly_everybody_is_not_waited_for():
    common = measure("nobody-talked", canary=300, control=6_000, control_failed=5_900)
    assert step(judgement(ENOUGH, common)).callers == 6_300
    alone = step(judgement(common))
    assert (alone.callers, alone.needed) == (6_300, 50_000)


def test_a_stage_takes_its_least_time_however_many_callers_there_are():
    made = plan(SETTINGS, volume=Volume(count=10_000_000, span_ms=DAY_MS))
    assert {each.takes_ms for each in made.stages} == {SETTINGS.least_stage_ms}
    assert made.stages[0] == Stage(
        share=100,
        callers=made.stages[0].callers,
        least_ms=SETTINGS.least_stage_ms,
        takes_ms=SETTINGS.least_stage_ms,
    )
