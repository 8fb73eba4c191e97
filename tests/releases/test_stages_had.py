"""The stages that a canary had are those of the ledger, whoever saw them."""

from __future__ import annotations

from releases.made import NOW
from releases.test_words import judged, rollout
from switchhook.releases.release import ReleaseAct, ReleaseState, Step
from switchhook.releases.stages_had import StageHad, as_it_went, stages_had
from switchhook.releases.view import StageState, StageView

A, S = ReleaseAct, ReleaseState
MINUTE = 60_000


def step(minute, act, to, share=0):
    return Step(number=8, at_ms=NOW + minute * MINUTE, act=act, to=to, by="asha", share=share)


STEPS = (
    step(0, A.CHECK, S.CHECKED),
    step(1, A.CANARY, S.CANARY, 5_000),
    step(4, A.STOP, S.CHECKED),
    step(5, A.CANARY, S.CANARY, 5_000),
    step(6, A.CANARY, S.CANARY, 5_000),
    step(9, A.ROLL_BACK, S.ROLLED_BACK),
    step(10, A.CANARY, S.CANARY, 4_100),
    step(11, A.CANARY, S.CANARY, 6_000),
)


def had(share, begun, ended=None):
    return StageHad(share, NOW + begun * MINUTE, None if ended is None else NOW + ended * MINUTE)


def test_each_share_is_a_stage_until_another_or_none():
    found = stages_had(STEPS)
    assert found == (had(5_000, 1, 4), had(5_000, 5, 9), had(4_100, 10, 11), had(6_000, 11))
    assert stages_had((*STEPS, step(12, A.FREEZE, S.FROZEN)))[-1] == had(6_000, 11, 12)
    assert stages_had(STEPS[:1]) == ()


def seen(share, begun, state=StageState.NOW, **more):
    whole = {"least_callers": 400, "least_ms": MINUTE, "begun_ms": NOW + begun * MINUTE, **more}
    return StageView(**{"share": share, "state": state, **whole})


def test_what_a_console_missed_is_there_and_what_it_saw_keeps_its_callers():
    """It was killed in a stage of 41 %, which was in no list afterwards."""
    to_come = StageView(share=7_500, state=StageState.TO_COME, least_callers=9, least_ms=1)
    view = rollout(judged(), stages=(seen(5_000, 5, decided=300, callers=280), to_come))
    found = as_it_went(view, stages_had(STEPS))
    assert found.ended_ms is None
    assert [(each.share, each.state.value, each.decided) for each in found.stages] == [
        (5_000, "done", 0),
        (5_000, "done", 300),
        (4_100, "done", 0),
        (6_000, "now", 0),
        (7_500, "to come", 0),
    ]
    assert found.stages[1].ended_ms == NOW + 9 * MINUTE


def test_one_that_was_ended_while_nobody_looked_is_over_since_then():
    view = rollout(judged(), stages=(seen(6_000, 11), seen(7_500, 0, StageState.TO_COME)))
    found = as_it_went(view, stages_had((*STEPS, step(14, A.STOP, S.CHECKED))))
    assert found.ended_ms == NOW + 14 * MINUTE
    assert [each.state for each in found.stages][-1] is StageState.NOW
    assert found.stages[-1].ended_ms == found.ended_ms
    assert len(found.stages) == 4


def test_without_any_step_it_stays_as_it_was_kept():
    view = rollout(judged(), stages=(seen(500, 1),))
    assert as_it_went(view, ()) is view
