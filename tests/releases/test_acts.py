"""What follows from an act on a release, and in which words it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.made import DEFAULT, NOW, fits, standing, wanted
from switchhook.errors import ReleaseError
from switchhook.releases.acts import (
    Situation,
    change_of,
    reason_of,
    share_words,
    state_words,
    subject_words,
)
from switchhook.releases.release import (
    CANDIDATE,
    NEXT,
    ReleaseAct,
    ReleaseState,
    Step,
    ran_before,
)

S, A = ReleaseState, ReleaseAct


def step(number, act, to):
    return Step(number=number, at_ms=NOW, act=act, to=to, by="asha")


RAN = (
    step(1, A.PROMOTE, S.FULL),
    step(1, A.SUPERSEDE, S.RETIRED),
    step(2, A.PROMOTE, S.FULL),
)
THERE = Situation(
    (standing(1, S.RETIRED), standing(2, S.FULL), standing(3, S.CHECKED)),
    RAN,
)


def there(*standings, steps=RAN):
    return Situation(tuple(standings), steps)


def change(number, act, situation=THERE, check=fits, **more):
    return change_of(number, wanted(act, **more), situation, check)


def moved(changed):
    return {(move.number, move.to) for move in changed.moves}


def test_a_canary_stands_beside_what_runs():
    changed = change(3, A.CANARY, share=500)
    assert moved(changed) == {(3, S.CANARY)}
    assert (changed.proposes, changed.runs, changed.withdraws) == (
        THERE.standings[2].release,
        None,
        False,
    )
    assert changed.said == "release 3 decides for 5 % of callers"


def test_a_canary_of_pools_says_whose_callers_it_has():
    pools = there(standing(3, S.CHECKED, subject="pools"), steps=())
    assert change(3, A.CANARY, pools, share=25).said == (
        "release 3 decides for 0.25 % of the callers of voicebot endpoints"
    )


def test_promoting_retires_what_ran():
    changed = change(3, A.PROMOTE)
    assert moved(changed) == {(2, S.RETIRED), (3, S.FULL)}
    assert changed.runs == THERE.standings[2].release
    assert not changed.withdraws
    assert changed.said == (
        "release 3 decides for all callers of the rules of default, in place of release 2"
    )


def test_promoting_a_canary_withdraws_it_once_it_runs():
    canary = there(standing(2, S.FULL), standing(3, S.CANARY, share=500))
    changed = change(3, A.PROMOTE, canary)
    assert changed.withdraws
    assert changed.runs is not None
    assert changed.runs.number == 3


def test_the_first_of_a_subject_is_in_nobodys_place():
    first = there(standing(1, S.CHECKED), steps=())
    assert change(1, A.PROMOTE, first).said == (
        "release 1 decides for all callers of the rules of default"
    )


def test_rolling_back_lets_what_ran_before_run_again():
    changed = change(2, A.ROLL_BACK)
    assert moved(changed) == {(2, S.ROLLED_BACK), (1, S.FULL)}
    assert changed.runs == THERE.standings[0].release
    assert changed.said == "release 1 decides for all callers of the rules of default again"


def test_rolling_back_stops_what_was_held_against_it():
    both = there(standing(1, S.RETIRED), standing(2, S.FULL), standing(3, S.SHADOW))
    changed = change(2, A.ROLL_BACK, both)
    assert (3, S.CHECKED) in moved(changed)
    assert changed.withdraws
    assert changed.said.endswith("; release 3 is stopped, as it was held against release 2")


def test_one_can_roll_back_to_a_release_by_name():
    three = there(standing(1, S.RETIRED), standing(2, S.RETIRED), standing(3, S.FULL))
    assert moved(change(3, A.ROLL_BACK, three, to=1)) == {(3, S.ROLLED_BACK), (1, S.FULL)}


@pytest.mark.parametrize(
    ("act", "to", "words"),
    [
        (A.STOP, S.CHECKED, "release 3 is stopped: release 2 decides for all callers of"),
        (A.ROLL_BACK, S.ROLLED_BACK, "release 3 is rolled back: release 2 decides"),
        (A.FREEZE, S.FROZEN, "release 3 is frozen: release 2 decides"),
    ],
)
def test_a_canary_is_withdrawn(act, to, words):
    canary = there(standing(2, S.FULL), standing(3, S.CANARY, share=500))
    changed = change(3, act, canary)
    assert moved(changed) == {(3, to)}
    assert changed.withdraws
    assert changed.runs is None
    assert changed.said.startswith(words)


def test_a_draft_that_checks_out_by_now_goes_on():
    draft = there(standing(2, S.FULL), standing(3, S.DRAFT, problems=("no pool b",)))
    assert [move.to for move in change(3, A.CANARY, draft, share=1).moves] == [S.CHECKED, S.CANARY]
    assert moved(change(3, A.CHECK, draft)) == {(3, S.CHECKED)}


CANARY = there(
    *(standing(1, S.RETIRED), standing(2, S.FULL), standing(3, S.CANARY, share=500, by="ravi")),
    steps=(*RAN, Step(number=3, at_ms=NOW, act=A.CANARY, to=S.CANARY, by="ravi", share=500)),
)
GONE = lambda release: ("there is no pool b",) if release.number == 1 else ()  # noqa: E731
REFUSED = [
    (9, A.STOP, THERE, {}, "there is no release 9 (see: switchhook release list)"),
    (
        *(3, A.CANARY, THERE, {"share": 0}),
        "0 % of the callers is no canary (above 0 % and below 100 %; for all callers: "
        "switchhook release promote 3)",
    ),
    (
        *(3, A.CANARY, CANARY, {"share": 500}),
        "release 3 is in canary at 5 % already (there is nothing to change)",
    ),
    (
        *(1, A.SHADOW, CANARY, {}),
        "release 3 of the rules of default is in canary at 5 % "
        "(one at a time: `switchhook release stop 3` first)",
    ),
    (
        *(2, A.PROMOTE, THERE, {}),
        "release 2 is what runs already (there is nothing to change)",
    ),
    (
        *(2, A.CANARY, THERE, {"share": 5}),
        "release 2 is what runs, and can't be put in canary (it can: roll back)",
    ),
    (
        *(3, A.STOP, THERE, {}),
        "release 3 is checked, and can't be stopped (it can: canary, promote, shadow)",
    ),
    (
        *(3, A.PROMOTE, CANARY, {"seen_ms": NOW - 1}),
        "release 3 was put in canary by ravi meanwhile, and is in canary at 5 % now "
        "(look at it again)",
    ),
    (
        *(2, A.SUPERSEDE, THERE, {}),
        "a release is superseded by another alone (promote the other)",
    ),
]


@pytest.mark.parametrize(
    ("number", "act", "situation", "more", "words"),
    REFUSED,
)
def test_what_is_refused_says_why_and_what_to_do(number, act, situation, more, words):
    with pytest.raises(ReleaseError) as raised:
        change(number, act, situation, **more)
    assert str(raised.value) == words


def test_a_frozen_release_does_nothing_any_more():
    frozen = there(standing(2, S.FULL), standing(3, S.FROZEN))
    for act in (A.CANARY, A.PROMOTE, A.SHADOW, A.STOP, A.CHECK):
        with pytest.raises(ReleaseError, match="it harmed callers in its canary"):
            change(3, act, frozen, share=5)


def test_what_does_not_check_out_now_does_not_run():
    with pytest.raises(ReleaseError, match=r"release 3 doesn't check out: no pool b, and 1 more"):
        change(3, A.PROMOTE, check=lambda release: ("no pool b", "no pool c"))


def test_a_rollback_to_rules_whose_pool_is_gone_leaves_what_runs():
    with pytest.raises(ReleaseError) as raised:
        change(2, A.ROLL_BACK, check=GONE)
    assert str(raised.value).startswith("release 1 doesn't check out: there is no pool b")
    assert "release 2 goes on running" in raised.value.hint


def test_nothing_goes_back_to_a_damaged_release():
    damaged = there(standing(1, S.RETIRED, flaw="is damaged in the ledger"), standing(2, S.FULL))
    with pytest.raises(ReleaseError, match="release 1 is damaged in the ledger"):
        change(2, A.ROLL_BACK, damaged)
    with pytest.raises(ReleaseError, match="release 1 is damaged in the ledger"):
        change(1, A.PROMOTE, damaged)


def test_a_first_release_has_nothing_to_go_back_to():
    first = there(standing(1, S.FULL), steps=RAN[:1])
    with pytest.raises(ReleaseError, match="nothing ran before it"):
        change(1, A.ROLL_BACK, first)


def test_a_rollback_goes_further_back_each_time():
    ran = [
        step(1, A.PROMOTE, S.FULL),
        step(1, A.SUPERSEDE, S.RETIRED),
        step(2, A.PROMOTE, S.FULL),
        step(2, A.SUPERSEDE, S.RETIRED),
        step(3, A.PROMOTE, S.FULL),
    ]
    assert ran_before(ran) == [1, 2, 3]
    ran += [step(3, A.ROLL_BACK, S.ROLLED_BACK), step(2, A.PROMOTE, S.FULL)]
    assert ran_before(ran) == [1, 2]
    ran += [step(2, A.ROLL_BACK, S.ROLLED_BACK), step(1, A.PROMOTE, S.FULL)]
    assert ran_before(ran) == [1]


def test_what_a_person_promotes_again_has_what_it_replaced_behind_it():
    ran = [step(number, A.PROMOTE, S.FULL) for number in (1, 2, 1)]
    assert ran_before(ran) == [1, 2, 1]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("", "it has no reason"),
        (" \t\n", "it has no reason"),
        ("x" * 301, "its reason is too long"),
    ],
)
def test_a_reason_can_be_read(said, problem):
    with pytest.raises(ReleaseError, match=problem):
        reason_of(said)


def test_a_reason_names_no_number():
    assert "98765" not in reason_of("a caller complained: +919876543210")


@pytest.mark.parametrize(
    ("share", "words"), [(500, "5 %"), (1, "0.01 %"), (9_999, "99.99 %"), (1_050, "10.5 %")]
)
def test_a_share_in_words(share, words):
    assert share_words(share) == words


def test_every_state_and_subject_has_words():
    assert subject_words("pools") == "the pools"
    assert subject_words(DEFAULT) == "the rules of default"
    said = [state_words(standing(1, state)) for state in S]
    assert all(said)
    assert len(set(said)) == len(S)


ACTS = st.tuples(st.integers(1, 4), st.sampled_from(A), st.integers(1, 9_999))


@given(st.lists(ACTS, max_size=30))
def test_whatever_is_done_one_release_runs_and_one_is_tried(acts):
    """Every step is one of the table's; what is refused changes nothing."""
    now = {number: standing(number, S.CHECKED) for number in range(1, 5)}
    steps: list[Step] = []
    for number, act, share in acts:
        situation = Situation(tuple(now.values()), tuple(steps))
        try:
            changed = change(number, act, situation, share=share)
        except ReleaseError:
            continue
        for move in changed.moves:
            before = now[move.number]
            assert NEXT[before.state, move.act] is move.to
            now[move.number] = standing(move.number, move.to, share=move.share)
            steps.append(step(move.number, move.act, move.to))
        assert sum(each.state is S.FULL for each in now.values()) <= 1
        assert sum(each.state in CANDIDATE for each in now.values()) <= 1
        full = [each.release.number for each in now.values() if each.state is S.FULL]
        assert ran_before(steps)[-1:] == full
        if changed.runs is not None:
            assert [changed.runs.number] == full
        tried = [each.release.number for each in now.values() if each.state in CANDIDATE]
        assert not (changed.withdraws and tried)
        if changed.proposes is not None:
            assert tried == [changed.proposes.number]
