"""What speaks against an act on a release: its text was taken back, its canary is not done."""

from __future__ import annotations

import pytest

from releases.made import NOW, fits, standing, wanted
from releases.test_words import judged, rollout
from switchhook.errors import ReleaseError
from switchhook.releases.acts import Situation, change_of
from switchhook.releases.doubts import (
    SWITCHHOOK,
    strength_of,
    taken_back,
    unfinished_words,
    why_words,
)
from switchhook.releases.release import ReleaseAct, ReleaseState, Step
from switchhook.releases.view import StageState, StageView

S, A = ReleaseState, ReleaseAct
EVIDENCE = "E = 239 (harm from 100 on; by chance: 1 in 239): stream failed: 14 of 120"
HARMED = standing(9, S.FROZEN, "B", evidence=EVIDENCE)
MINUTE = 60_000


def step(number, act, to, by="asha", reason=""):
    return Step(number=number, at_ms=NOW, act=act, to=to, by=by, reason=reason)


def there(state, *steps, of="B", **more):
    ours = standing(10, state, of, **more)
    return Situation((standing(1, S.FULL, "A"), HARMED, ours), steps)


def change(act, situation, number=10, **more):
    return change_of(number, wanted(act, **more), situation, fits)


def share_of(act):
    return {"share": 500} if act is A.CANARY else {}


@pytest.mark.parametrize("act", [A.SHADOW, A.CANARY, A.PROMOTE])
def test_a_text_that_harmed_callers_comes_again_by_nobodys_accident(act):
    again, more = there(S.CHECKED), share_of(act)
    for said in ({}, {"reason": "again"}, {"again": True}):
        with pytest.raises(ReleaseError) as raised:
            change(act, again, **more, **said)
        assert str(raised.value) == (
            "this text is release 9's, which harmed callers (E = 239) "
            "(to go on all the same, say so by --again and why by --reason, in the API by `again`"
            " and `reason`)"
        )
    done = change(act, again, again=True, reason="the bot was down", **more)
    assert done.warnings == ("this text is release 9's, which harmed callers (E = 239)",)


def test_another_text_is_not_doubted():
    assert change(A.PROMOTE, there(S.CHECKED, of="C")).warnings == ()


def test_a_check_says_it():
    said = change(A.CHECK, there(S.DRAFT)).warnings
    assert said == ("this text is release 9's, which harmed callers (E = 239)",)


def test_its_canary_needs_it_to_be_promoted_and_not_for_another_share():
    canary = there(S.CANARY, share=500)
    assert change(A.CANARY, canary, share=100).moves
    with pytest.raises(ReleaseError, match="harmed callers"):
        change(A.PROMOTE, canary, reason="in a hurry")
    assert change(A.PROMOTE, canary, by=SWITCHHOOK).moves


def test_going_through_all_stages_acquits_a_text_and_a_hand_does_not():
    by_hand = step(10, A.PROMOTE, S.FULL)
    assert change(A.PROMOTE, there(S.RETIRED, step(10, A.PROMOTE, S.FULL, SWITCHHOOK))).moves
    with pytest.raises(ReleaseError, match="harmed callers"):
        change(A.PROMOTE, there(S.RETIRED, by_hand))


@pytest.mark.parametrize("act", [A.CANARY, A.PROMOTE])
def test_what_a_person_took_back_needs_a_reason(act):
    back = step(10, A.ROLL_BACK, S.ROLLED_BACK, reason="too many to B")
    situation = there(S.ROLLED_BACK, back, of="C")
    with pytest.raises(ReleaseError) as raised:
        change(act, situation, **share_of(act))
    assert str(raised.value) == (
        "release 10 was rolled back by asha: too many to B "
        "(to go on all the same, say why by --reason, in the API by `reason`)"
    )
    done = change(act, situation, reason="B has people now", **share_of(act))
    assert done.warnings == ("release 10 was rolled back by asha: too many to B",)


def test_a_rollback_is_remembered_after_a_stop_and_over_once_it_ran_again():
    back = step(10, A.ROLL_BACK, S.ROLLED_BACK)
    stopped = (back, step(10, A.CANARY, S.CANARY, reason="x"), step(10, A.STOP, S.CHECKED))
    with pytest.raises(ReleaseError, match="rolled back by asha"):
        change(A.PROMOTE, there(S.CHECKED, *stopped, of="C"))
    ran = (back, step(10, A.PROMOTE, S.FULL, reason="x"), step(10, A.SUPERSEDE, S.RETIRED))
    assert change(A.PROMOTE, there(S.RETIRED, *ran, of="C")).warnings == ()


def test_a_text_that_is_no_release_yet_is_known_by_its_hash():
    back = taken_back(HARMED.release.hash, (HARMED,), ())
    assert back is not None
    assert back.words() == "this text is release 9's, which harmed callers (E = 239)"
    assert back.words(9) == "release 9 harmed callers (E = 239)"


def test_evidence_that_is_told_otherwise_has_no_strength():
    assert strength_of("it was so") == ""
    assert strength_of(EVIDENCE) == "E = 239"


def stage(**more):
    whole = {"least_callers": 433, "least_ms": 30 * MINUTE, "begun_ms": NOW, **more}
    return StageView(**{"share": 500, "state": StageState.NOW, **whole})


@pytest.mark.parametrize(
    ("canary", "after", "words"),
    [
        (None, 0, "nothing is known of the canary's callers yet"),
        (rollout(judged()), 0, "nothing is known of the canary's callers yet"),
        (rollout(judged(), stages=(stage(callers=12),)), 0, "the canary has 12 of 433 callers"),
        (
            *(rollout(judged(), stages=(stage(callers=0, decided=66),)), 0),
            "the canary has 0 of 433 callers; 66 more came, and can't be judged yet",
        ),
        (rollout(judged(), stages=(stage(callers=12, callers_before=421),)), 30 * MINUTE, ""),
        (
            *(rollout(judged(), stages=(stage(callers=433),)), 10 * MINUTE),
            "the canary has lasted 10 min of 30 min",
        ),
        (rollout(judged(), stages=(stage(callers=433),)), 30 * MINUTE, ""),
        (
            *(rollout(judged(), stages=(stage(callers=12),), ended_ms=NOW), 0),
            "nothing is known of the canary's callers yet",
        ),
    ],
)
def test_a_canary_that_is_promoted_before_its_stage_is_done_says_so(canary, after, words):
    assert unfinished_words(canary, NOW + after) == words


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (HARMED, "harmed callers: E = 239"),
        (standing(1, S.FROZEN), "harmed callers"),
        (standing(1, S.ROLLED_BACK, by="asha"), "rolled back by asha, without a reason"),
        (standing(1, S.ROLLED_BACK, by="asha", reason="too many"), "too many"),
        (standing(1, S.CANARY, reason="small first"), "small first"),
        (standing(1, S.CHECKED), "try it"),
    ],
)
def test_why_a_release_is_as_it_is(of, words):
    assert why_words(of) == words
