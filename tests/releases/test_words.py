"""Evidence in words: what harms is called so, what is not known is not called well."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.made import NOW
from switchhook.releases.judgement import Judgement
from switchhook.releases.release import ReleaseAct, ReleaseState, Step
from switchhook.releases.view import RolloutView, ShadowView, StageState, StageView
from switchhook.releases.words import (
    AXIS_HIGH,
    AXIS_LOW,
    chance_words,
    evidence_words,
    harm_level,
    harm_words,
    measure_words,
    place_of,
    ratio_words,
    shadow_words,
    stage_words,
    stages_shown,
    step_words,
    waiting_words,
)

MINUTE = 60_000
HAD = StageView(share=100, state=StageState.DONE, least_callers=200, least_ms=MINUTE, callers=212)


def judged(e=0.5, harm=False, high=1.8, **more):
    return Judgement(
        **{
            "e": e,
            "p": min(1.0, 1 / e),
            "harm": harm,
            "because": "stream-failed",
            "risk": None,
            "low": 0.4,
            "high": high,
            "measures": (),
            "fuses": (),
            "excluded": (),
            "callers": 10,
            "full": False,
            "began_ms": NOW,
            "at_ms": NOW,
            "words": "as it is",
            **more,
        }
    )


def rollout(said=None, **more):
    return RolloutView(**{"number": 4, "share": 500, "since_ms": NOW, "judged": said, **more})


@pytest.mark.parametrize(
    ("view", "level", "words"),
    [
        (rollout(), "live", "Too few callers have come to say whether release 4 harms anybody."),
        (
            rollout(judged(high=None)),
            "live",
            "Too few callers have come to say whether release 4 harms anybody.",
        ),
        (rollout(judged()), "good", "No harm by release 4 is seen."),
        (
            rollout(judged(high=115.0)),
            "live",
            "Too few callers have come to say whether release 4 harms anybody.",
        ),
        # Of the harm that a stage is to exclude, so many callers would have shown it.
        (
            rollout(judged(high=115.0), stages=(HAD,)),
            "good",
            "No harm by release 4 is seen.",
        ),
        (
            rollout(judged(e=6.4, high=None)),
            "warn",
            "Release 4 looks harmful, but that is not sure yet: E is 6.4, and harm is from 100 on.",
        ),
        (rollout(judged(e=134.0, harm=True)), "bad", "Release 4 harms callers."),
        # Once it was found it stays, whatever E is now.
        (rollout(judged(e=2.0, harm=True)), "bad", "Release 4 harms callers."),
        (
            rollout(judged(e=134.0, harm=True), ended_ms=NOW),
            "bad",
            "Release 4 harmed callers.",
        ),
        (rollout(judged(), unwatched="it lags"), "warn", "No harm by release 4 is seen."),
        (rollout(judged(e=20.0), harm_at=1000.0), "good", "No harm by release 4 is seen."),
    ],
)
def test_harm_is_said_as_surely_as_it_is_known(view, level, words):
    assert (harm_level(view), harm_words(view)) == (level, words)


@pytest.mark.parametrize(
    ("e", "said"),
    [(0.0, "0.0"), (0.44, "0.4"), (9.96, "10.0"), (23.4, "23"), (2e6, "over 1,000,000")],
)
def test_evidence_is_as_fine_as_it_matters(e, said):
    assert evidence_words(e) == said


@pytest.mark.parametrize(
    ("p", "said"),
    [(1.0, "always"), (0.5, "1 in 2"), (0.0074, "1 in 135"), (0.0, "1 in 1,000,000")],
)
def test_chance_is_one_in_so_many(p, said):
    assert chance_words(p) == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.0, None, "not known yet"),
        (1.9, None, "at least 1.9 times as often"),
        (0.0, 1.8, "at most 1.8 times as often"),
        (0.04, 1.8, "at most 1.8 times as often"),
        (0.4, 1.8, "0.4 to 1.8 times as often"),
        (0.2, 1_143.6, "0.2 to 1,144 times as often"),
    ],
)
def test_ratio_names_the_bounds_that_there_are(low, high, said):
    assert ratio_words(low, high) == said


def test_place_of_the_ends_and_of_as_often():
    assert (place_of(AXIS_LOW), place_of(AXIS_HIGH), place_of(None)) == (0.0, 100.0, 100.0)
    assert place_of(1.0) == pytest.approx(100 / 3, abs=0.1)


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_place_grows_with_the_ratio_and_stays_on_the_axis(one, other):
    low, high = sorted((one, other))
    assert 0.0 <= place_of(low) <= place_of(high) <= 100.0


def stage(state, **more):
    return StageView(
        **{
            "share": 500,
            "state": state,
            "least_callers": 1_390,
            "least_ms": 30 * MINUTE,
            "callers": 212,
            "begun_ms": NOW,
            **more,
        }
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            stage(StageState.NOW),
            "212 callers in 1 h 5 min so far, of 1,390 callers and 30 min at least",
        ),
        (stage(StageState.TO_COME), "then 1,390 callers and 30 min at least"),
        (stage(StageState.TO_COME, share=10_000), "then it decides for all callers"),
        (stage(StageState.DONE, ended_ms=NOW + 2_880 * MINUTE), "done: 212 callers in 2 days"),
        (stage(StageState.DONE), "done: 212 callers"),
        (stage(StageState.DONE, ended_ms=NOW + 52_000), "done: 212 callers in 52 s"),
        (
            stage(StageState.DONE, decided=66, callers=0, ended_ms=NOW + 3 * MINUTE),
            "done: 66 callers in 3 min, 0 of them judged",
        ),
        (
            stage(StageState.DONE, uncounted=True, decided=500, ended_ms=NOW + 3 * MINUTE),
            "done: 500 callers in 3 min, which count no more: another release ran",
        ),
        (
            stage(StageState.NOW, decided=300, callers=280, callers_before=500),
            "300 callers in 1 h 5 min so far, 280 of them judged, and 500 in earlier stages at this"
            " share, of 1,390 callers and 30 min at least",
        ),
    ],
)
def test_a_stage_says_how_far_it_is(found, said):
    assert stage_words(found, NOW + 65 * MINUTE) == said


def test_whose_outcome_is_awaited_is_said_and_until_when():
    stages = (stage(StageState.DONE, decided=40, callers=0), stage(StageState.NOW, decided=26))
    stages = (stages[0], msgspec.structs.replace(stages[1], callers=0))
    view = rollout(judged(high=None), stages=stages, known_after_min=10)
    assert harm_words(view).startswith("Too few callers can be judged yet to say whether")
    assert waiting_words(view) == (
        "66 callers were decided for so far, of whom 0 can be judged yet: a caller counts 10 min"
        " after the decision at the latest, once it is known whether they called again"
        " (releases.again_within_min)"
    )
    of_streams = msgspec.structs.replace(view, known_after_min=0)
    assert waiting_words(of_streams).endswith("what became of them, as when their stream ends")
    assert waiting_words(msgspec.structs.replace(view, ended_ms=NOW)) == ""
    known = msgspec.structs.replace(view, stages=(stage(StageState.NOW, decided=212),))
    assert waiting_words(known) == ""


def test_of_a_rollout_that_is_over_nothing_is_to_come():
    stages = (HAD, stage(StageState.NOW), stage(StageState.TO_COME))
    assert stages_shown(rollout(stages=stages)) == stages
    assert stages_shown(rollout(stages=stages, ended_ms=NOW)) == stages[:2]
    at = NOW + 65 * MINUTE
    assert stage_words(stages[1], at, over=True) == "212 callers in 1 h 5 min, then it ended"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"seen": 0, "different": 0}, "No request has come since it is in shadow."),
        (
            {"seen": 1_412, "different": 0},
            "It would have decided all 1,412 requests as they were decided.",
        ),
        (
            {"seen": 412, "different": 31, "unable": 2},
            "It would have decided 31 of 412 requests otherwise (7.5 %)."
            " 2 could not be decided by it.",
        ),
        (
            {"seen": 31, "different": 31},
            "It would have decided 31 of 31 requests otherwise (100 %).",
        ),
    ],
)
def test_a_shadow_says_how_much_would_have_been_different(more, said):
    assert shadow_words(ShadowView(number=4, since_ms=NOW, **more)) == said


def test_every_act_has_its_words():
    for act in ReleaseAct:
        step = Step(number=1, at_ms=NOW, act=act, to=ReleaseState.CANARY, by="asha", share=250)
        assert step_words(step)
        assert (act is ReleaseAct.CANARY) == ("2.5 %" in step_words(step))


def test_a_measure_begins_as_a_row_does():
    assert measure_words("next-stream_failed") == "Next stream failed"
