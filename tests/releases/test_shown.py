"""What the pages show of releases: what runs for whom stands first, and what can be pressed."""

from __future__ import annotations

import pytest

from releases.made import NOW, standing
from switchhook.releases.acts import Situation
from switchhook.releases.release import ReleaseAct, ReleaseState, Step
from switchhook.releases.shown import (
    FRESH_MS,
    LEVELS,
    SHARES,
    USUAL_SHARE,
    presses,
    subject_shown,
    subjects_shown,
    title_of,
    who_decides,
)

S, A = ReleaseState, ReleaseAct
SALES = "rules/sales"
RAN = (
    Step(number=1, at_ms=NOW - 9, act=A.PROMOTE, to=S.FULL, by="asha"),
    Step(number=1, at_ms=NOW - 5, act=A.SUPERSEDE, to=S.RETIRED, by="asha"),
    Step(number=2, at_ms=NOW - 5, act=A.PROMOTE, to=S.FULL, by="asha"),
)


def shown(*standings, steps=RAN, now_ms=NOW, subject=SALES):
    return subject_shown(subject, Situation(standings, steps), now_ms)


def pair(state=S.CANARY, **more):
    """A release that runs, one that ran, and one on its way."""
    return (
        standing(1, S.RETIRED),
        standing(2, S.FULL),
        standing(3, state, **more),
    )


@pytest.mark.parametrize(("subject", "title"), [("pools", "Pools"), (SALES, "Rules of sales")])
def test_title_says_what_a_subject_is(subject, title):
    assert title_of(subject) == title


@pytest.mark.parametrize(
    ("standings", "told", "said"),
    [
        ((), None, "What the configuration says decides for all callers."),
        ((standing(2, S.FULL),), None, "Release 2 decides for all callers."),
        (
            pair(S.SHADOW),
            None,
            "Release 2 decides for all callers. Release 3 decides beside it, and answers nobody.",
        ),
        (pair(share=500), None, "Release 3 decides for 5 % of callers, release 2 for the rest."),
        (pair(share=500), 250, "Release 3 decides for 2.5 % of callers, release 2 for the rest."),
        (
            pair(share=500),
            0,
            "Release 2 decides for all callers, and release 3 for none just now.",
        ),
        (
            (standing(3, S.CANARY, share=500),),
            None,
            "Release 3 decides for 5 % of callers, what the configuration says for the rest.",
        ),
    ],
)
def test_who_decides_says_it_as_answer_processes_know_it(standings, told, said):
    assert who_decides(shown(*standings), told) == said


def test_what_is_told_of_is_the_candidate():
    found = shown(*pair())
    assert found.told_of == found.candidate
    assert found.before == found.releases[2]


def test_what_is_told_of_is_what_was_frozen_until_another_is_full_or_a_day_has_gone():
    frozen = standing(3, S.FROZEN)
    assert shown(standing(2, S.FULL), frozen).told_of == frozen
    assert shown(standing(2, S.FULL), frozen, now_ms=NOW + FRESH_MS).told_of is None
    assert shown(standing(2, S.RETIRED), frozen, standing(4, S.FULL)).told_of is None


def test_subjects_with_harm_stand_first_then_those_with_something_on_its_way():
    found = subjects_shown(
        [
            standing(1, S.FULL, subject="rules/a"),
            standing(2, S.SHADOW, subject="rules/b"),
            standing(3, S.CANARY, subject="rules/c", share=100),
            standing(4, S.FROZEN, subject="rules/d"),
        ],
        [],
        NOW,
    )
    assert [each.subject for each in found] == ["rules/d", "rules/c", "rules/b", "rules/a"]


def acts_of(standing, subject):
    return [each.act for each in presses(standing, subject)]


def test_presses_of_a_canary_begin_with_its_end():
    subject = shown(*pair(share=500))
    found = presses(subject.candidate, subject)
    assert [each.act for each in found] == [A.STOP, A.CANARY, A.PROMOTE]
    assert found[0].danger
    assert "release 2 decides for all callers" in found[0].does


def test_presses_of_a_canary_offer_the_next_share_first():
    subject = shown(*pair(share=500))
    (canary,) = [each for each in presses(subject.candidate, subject) if each.act is A.CANARY]
    assert 500 not in canary.shares
    assert canary.chosen == 1_000


def test_presses_of_the_last_share_offer_one_below_it():
    subject = shown(*pair(share=SHARES[-1]))
    (canary,) = [each for each in presses(subject.candidate, subject) if each.act is A.CANARY]
    assert canary.chosen == SHARES[-2]


def test_presses_of_what_runs_go_back_to_what_ran_before():
    subject = shown(*pair(share=500))
    (back,) = presses(subject.full, subject)
    assert back.word == "Roll back to release 1"
    assert "Release 3 is stopped" in back.does
    assert not presses(*_alone())


def _alone():
    subject = shown(standing(2, S.FULL), steps=())
    return subject.full, subject


def test_presses_of_what_checks_out_offer_shadow_canary_and_all():
    checked = standing(4, S.CHECKED)
    subject = shown(standing(1, S.RETIRED), standing(2, S.FULL), checked)
    found = presses(checked, subject)
    assert [each.act for each in found] == [A.SHADOW, A.CANARY, A.PROMOTE]
    assert found[1].chosen == USUAL_SHARE
    assert not any(each.danger for each in found)


def test_presses_wait_while_another_release_is_on_its_way():
    checked = standing(4, S.CHECKED)
    assert acts_of(checked, shown(*pair(), checked)) == []


def test_presses_of_a_draft_check_it_again():
    draft = standing(4, S.DRAFT)
    assert acts_of(draft, shown(standing(2, S.FULL), draft)) == [A.CHECK]


def test_presses_of_what_ran_run_it_again():
    retired = standing(1, S.RETIRED)
    found = presses(retired, shown(retired, standing(2, S.FULL)))
    assert found[-1].word == "Run it again"


def test_presses_of_what_harmed_or_is_damaged_are_none():
    frozen, damaged = standing(3, S.FROZEN), standing(4, S.CHECKED, flaw="is damaged")
    subject = shown(standing(2, S.FULL), frozen, damaged)
    assert acts_of(frozen, subject) == acts_of(damaged, subject) == []


def test_every_state_has_a_look():
    assert LEVELS.keys() == set(ReleaseState)
