"""What releasing a folder would do: only what is new, and nothing that was taken back."""

from __future__ import annotations

import pytest

from releases.made import DEFAULT, runs, standing, text
from switchhook.releases.apply_plan import Aim, FolderText, plan_of
from switchhook.releases.release import ReleaseAct
from switchhook.releases.release import ReleaseState as S

OTHER = "rules/other"
BUILT_IN = {DEFAULT: text("built in"), OTHER: text("built in")}
CANARY = Aim(ReleaseAct.CANARY, 500)
SHADOW = Aim(ReleaseAct.SHADOW)


def plan(*texts, standings=(), aim=Aim(), running=None, problems=()):  # noqa: B008
    return plan_of(
        [FolderText(subject, said, f"{subject}.toml") for subject, said in texts],
        aim,
        running=[runs(text("A"))] if running is None else running,
        standings=standings,
        subjects=(DEFAULT, OTHER),
        built_in=BUILT_IN,
        check=lambda subject, said: problems,
    )


def one(*texts, **more):
    (found,) = plan(*texts, **more)
    return found


def test_what_runs_already_needs_nothing():
    found = one((DEFAULT, text("A")), standings=[standing(1, S.FULL, "A")], problems=("x",))
    assert (found.does, found.problems, found.runs) == (False, (), 1)


def test_what_is_new_is_told_in_words():
    found = one((DEFAULT, text("B")))
    assert found.does
    assert found.says == ("all callers now go to B (before: go to A)",)
    first = plan((OTHER, text("B")), running=[])[0]
    assert first.says == ("it is the first",)


def test_what_does_not_check_out_is_not_done():
    found = one((DEFAULT, text("B")), problems=("no pool b",))
    assert (found.does, found.problems) == (False, ("no pool b",))


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        ("rules/nowhere", "there is no endpoint 'nowhere' in the configuration"),
        ("pools", "there are no pools in the configuration"),
    ],
)
def test_what_is_not_configured_is_not_done(subject, problem):
    found = plan((subject, text("B")), running=[])[0]
    assert found.problems == (problem,)


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (S.FROZEN, "release 2 has this text, and harmed callers: release it by itself"),
        (
            S.ROLLED_BACK,
            "release 2 has this text, and was rolled back by asha: "
            "`switchhook release promote 2` if it is meant",
        ),
    ],
)
def test_what_was_taken_back_comes_by_itself_never_again(state, problem):
    """A run of CI in the night must not undo what a person, or harm, has undone."""
    taken_back = standing(2, state, "B", by="asha")
    found = one((DEFAULT, text("B")), standings=[standing(1, S.FULL, "A"), taken_back])
    assert (found.does, found.problems) == (False, (problem,))


def test_another_candidate_is_in_the_way():
    tried = [standing(1, S.FULL, "A"), standing(2, S.CANARY, "C", share=500)]
    found = one((DEFAULT, text("B")), standings=tried)
    assert found.problems == ("release 2 is in canary at 5 %: `switchhook release stop 2` first",)


@pytest.mark.parametrize(
    ("state", "share", "aim", "does"),
    [
        (S.CANARY, 500, CANARY, False),
        (S.CANARY, 2_500, CANARY, False),
        (S.CANARY, 100, CANARY, True),
        (S.SHADOW, 0, CANARY, True),
        (S.SHADOW, 0, SHADOW, False),
        (S.CANARY, 500, SHADOW, False),
        (S.CANARY, 500, Aim(), True),
        (S.CHECKED, 0, SHADOW, True),
    ],
)
def test_a_candidate_is_taken_further_and_never_back(state, share, aim, does):
    tried = [standing(1, S.FULL, "A"), standing(2, state, "B", share=share)]
    assert one((DEFAULT, text("B")), standings=tried, aim=aim).does is does


def test_what_has_no_file_would_go_and_says_what_follows():
    full = standing(3, S.FULL, "B", subject=OTHER)
    found = plan(
        (DEFAULT, text("A")),
        running=[runs(text("A")), runs(text("B"), OTHER)],
        standings=[full],
    )
    assert [(each.subject, each.does, each.goes) for each in found] == [
        (DEFAULT, False, False),
        (OTHER, True, True),
    ]
    assert found[1].text == BUILT_IN[OTHER]
    assert found[1].runs == 3
    assert found[1].says == ("all callers now go to b (before: go to B)",)


def test_nothing_goes_where_texts_are_tried_alone():
    found = plan((DEFAULT, text("A")), running=[runs(text("B"), OTHER)], aim=SHADOW)
    assert [each.subject for each in found] == [DEFAULT]


def test_built_in_rules_have_no_file_and_stay():
    found = plan((DEFAULT, text("A")), running=[runs(text("A")), runs(BUILT_IN[OTHER], OTHER)])
    assert [each.subject for each in found] == [DEFAULT]


def test_pools_come_last():
    found = plan(("pools", ""), (OTHER, text("B")), (DEFAULT, text("B")))
    assert [each.subject for each in found] == [DEFAULT, OTHER, "pools"]
