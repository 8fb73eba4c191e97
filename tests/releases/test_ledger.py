"""Releases are kept, one act after the other, and what is damaged of them says so."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text as sql

from releases.made import DEFAULT, NOW, do, new, runs, text
from switchhook.access.audit import AuditFilter, Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.errors import DataFolderError, ReleaseError
from switchhook.releases.ledger import LARGEST_TEXT, LedgerReleases, hash_of
from switchhook.releases.reconcile import Taken
from switchhook.releases.release import ReleaseAct, ReleaseState

S, A = ReleaseState, ReleaseAct


@pytest.fixture
def releases(ledger):
    return LedgerReleases(ledger)


def add(releases, of="A", **more):
    standing, _ = releases.add(new(text(of), **more), NOW)
    return standing.release.number


def states(releases, subject=DEFAULT):
    return {each.release.number: each.state for each in releases.standings(subject)}


def test_a_release_is_kept_whole(releases):
    standing, is_new = releases.add(new("# ü\n" + text(), problems=()), NOW)
    assert is_new
    assert releases.standing(1) == standing
    assert standing.state is S.CHECKED
    release = standing.release
    assert release.text == "# ü\n" + text()
    assert release.hash == hash_of(release.text)
    assert (release.author, release.reason, release.made_ms) == ("asha", "try it", NOW)


def test_what_does_not_check_out_is_a_draft_and_says_why(releases):
    standing, _ = releases.add(new(problems=("there is no pool b",)), NOW)
    assert standing.state is S.DRAFT
    assert standing.problems == ("there is no pool b",)
    assert releases.add(new(problems=("there is no pool c",)), NOW) == (
        releases.standing(1),
        False,
    )
    assert releases.standing(1).problems == ("there is no pool c",)


def test_the_same_text_of_a_subject_is_the_same_release(releases):
    assert add(releases) == add(releases, author="ravi") == 1
    assert add(releases, subject="rules/other") == 2
    assert [each.release.number for each in releases.standings()] == [1, 2]


def test_a_frozen_text_can_be_released_anew(releases):
    number = add(releases)
    do(releases, number, A.CANARY, share=500)
    do(releases, number, A.FREEZE)
    assert add(releases) == 2
    assert states(releases) == {1: S.FROZEN, 2: S.CHECKED}


def test_numbers_count_over_all_subjects_and_parents_say_what_ran(releases):
    do(releases, add(releases, "A"), A.PROMOTE)
    add(releases, "B", subject="pools")
    standing, _ = releases.add(new(text("B")), NOW)
    assert (standing.release.number, standing.release.parent) == (3, 1)


def test_an_act_moves_releases_and_is_told(releases):
    do(releases, add(releases, "A"), A.PROMOTE)
    do(releases, add(releases, "B"), A.CANARY, NOW + 1, share=500, reason="small first")
    assert states(releases) == {1: S.FULL, 2: S.CANARY}
    standing = releases.candidate(DEFAULT)
    assert (standing.share, standing.by, standing.reason) == (500, "asha", "small first")
    assert standing.since_ms == NOW + 1
    do(releases, 2, A.PROMOTE, NOW + 2)
    assert releases.full(DEFAULT).release.number == 2
    assert [(s.number, s.act, s.to, s.share) for s in releases.steps()] == [
        (1, A.PROMOTE, S.FULL, 0),
        (2, A.CANARY, S.CANARY, 500),
        (1, A.SUPERSEDE, S.RETIRED, 0),
        (2, A.PROMOTE, S.FULL, 0),
    ]
    assert [s.act for s in releases.steps(1)] == [A.PROMOTE, A.SUPERSEDE]
    assert [s.act for s in releases.steps(limit=1)] == [A.PROMOTE]
    do(releases, 2, A.ROLL_BACK, NOW + 3)
    assert states(releases) == {1: S.FULL, 2: S.ROLLED_BACK}


def test_candidates_of_all_subjects(releases):
    add(releases, "A")
    do(releases, 1, A.SHADOW)
    do(releases, add(releases, "B", subject="pools"), A.CANARY, share=1)
    add(releases, "C", subject="rules/other")
    assert [each.release.number for each in releases.candidates()] == [1, 2]
    assert releases.situation("pools").candidate.release.number == 2


def test_evidence_stays_with_a_freeze(releases):
    do(releases, add(releases), A.CANARY, share=500)
    do(releases, 1, A.FREEZE, by="Switchhook", evidence="E is 130")
    assert releases.steps(1)[-1].evidence == "E is 130"


def test_what_cannot_be_applied_is_not_kept(releases, ledger):
    def refuse(change):
        raise DataFolderError("data", "it is full", "make room")

    add(releases)
    with pytest.raises(DataFolderError, match="full"):
        do(releases, 1, A.PROMOTE, apply=refuse, deed=lambda change: Deed(who="a", what="b"))
    assert states(releases) == {1: S.CHECKED}
    assert releases.steps() == []
    assert LedgerAudit(ledger).entries(AuditFilter(), 9) == []


def test_what_is_done_is_in_the_audit_log(releases, ledger):
    releases.add(new(), NOW, lambda standing: Deed(who="asha", what="made a release"))
    releases.add(new(), NOW, lambda standing: Deed(who="asha", what="made a release"))
    do(releases, 1, A.PROMOTE, deed=lambda change: Deed(who="asha", what=change.said))
    noted = LedgerAudit(ledger).entries(AuditFilter(), 9)
    assert [each.what for each in noted] == [
        "release 1 decides for all callers of the rules of default",
        "made a release",
    ]


def test_of_two_who_act_at_once_the_second_hears_of_the_first(releases):
    """Whoever comes second decides by what the first has left."""
    add(releases, "A")
    add(releases, "B")
    said, ready = [], threading.Barrier(2)

    def act(number):
        ready.wait()
        try:
            said.append(do(releases, number, A.CANARY, share=500).said)
        except ReleaseError as error:
            said.append(error.problem)

    both = [threading.Thread(target=act, args=(number,)) for number in (1, 2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    (one,) = releases.candidates()
    number = one.release.number
    assert sorted(said) == sorted(
        [
            f"release {number} decides for 5 % of callers",
            f"release {number} of the rules of default is in canary at 5 %",
        ]
    )


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("x" * (LARGEST_TEXT + 1), "a text of 1,000,001 characters is no release"),
        ("a\0b", "characters that no text has"),
        ("\udc80", "characters that no text has"),
    ],
)
def test_what_is_no_text_is_no_release(releases, said, problem):
    with pytest.raises(ReleaseError, match=problem):
        releases.add(new(said), NOW)
    assert releases.standings() == ()


def test_a_release_has_a_reason(releases):
    with pytest.raises(ReleaseError, match="it has no reason"):
        releases.add(new(reason=" "), NOW)


@pytest.mark.parametrize(
    "damage",
    ["text = 'other'", "hash = 'ab'", "made = '{'", "said = '[]'", "state = 'flying'"],
)
def test_a_damaged_row_says_so_and_does_not_run(releases, ledger, damage):
    add(releases, "A")
    add(releases, "B")
    with ledger.writing() as connection:
        connection.execute(sql(f"UPDATE releases SET {damage} WHERE number = 1"))
    assert releases.standing(1).flaw == "is damaged in the ledger"
    with pytest.raises(ReleaseError, match="release 1 "):
        do(releases, 1, A.PROMOTE)
    do(releases, 2, A.PROMOTE)
    assert releases.full(DEFAULT).release.number == 2
    # Its text can be released anew.
    assert add(releases, "A") == 3


def test_a_text_that_an_erasure_has_masked_says_that(releases, ledger):
    add(releases)
    with ledger.writing() as connection:
        connection.execute(sql("UPDATE releases SET text = '# 98•••••••0'"))
    assert releases.standing(1).flaw == ("had something masked in it when a number was erased")


def test_a_damaged_step_hides_no_other(releases, ledger):
    do(releases, add(releases, "A"), A.PROMOTE)
    do(releases, add(releases, "B"), A.PROMOTE)
    with ledger.writing() as connection:
        connection.execute(sql("UPDATE release_steps SET said = '{' WHERE id = 1"))
        connection.execute(sql("UPDATE release_steps SET act = 'fly' WHERE id = 2"))
    assert [step.number for step in releases.steps()] == [1, 2]
    assert "damaged" in releases.steps()[0].evidence
    assert releases.situation(DEFAULT).before.release.number == 1


def test_of_each_kind_of_report_the_newest_is_kept(releases):
    releases.report(1, "backtest", b"a", NOW)
    releases.report(1, "backtest", b"b", NOW + 1)
    releases.report(1, "shadow", b"c", NOW)
    releases.report(2, "shadow", b"d", NOW)
    found = releases.reports(1)
    assert {kind: (each.body, each.at_ms) for kind, each in found.items()} == {
        "backtest": (b"b", NOW + 1),
        "shadow": (b"c", NOW),
    }


def test_what_runs_unreleased_is_recorded_once(releases):
    def decide(standings):
        if any(each.release.hash == hash_of(text("B")) for each in standings):
            return ()
        return (Taken(subject=DEFAULT, runs=runs(text("B"), by="changed file"), retires=1),)

    do(releases, add(releases, "A"), A.PROMOTE)
    before, taken = releases.reconcile(decide, NOW + 1)
    assert before.state is S.RETIRED
    assert taken.release.by_file
    assert taken.release.parent == 1
    assert states(releases) == {1: S.RETIRED, 2: S.FULL}
    assert releases.reconcile(decide, NOW + 2) == ()
    assert [step.by for step in releases.steps(2)] == ["changed file"]
    do(releases, 2, A.ROLL_BACK)
    assert states(releases) == {1: S.FULL, 2: S.ROLLED_BACK}


def test_a_text_of_before_that_runs_again_stops_what_was_held_against_the_other(releases):
    do(releases, add(releases, "A"), A.PROMOTE)
    do(releases, add(releases, "B"), A.PROMOTE)
    do(releases, add(releases, "C"), A.SHADOW)
    taken = Taken(subject=DEFAULT, runs=runs(text("A")), number=1, retires=2, stops=3, why="so")
    told = []
    releases.reconcile(lambda standings: (taken,), NOW, told.append)
    assert states(releases) == {1: S.FULL, 2: S.RETIRED, 3: S.CHECKED}
    assert releases.steps(3)[-1].evidence == "so"
    assert told == [[]]


def test_what_ran_before_can_be_rolled_back_to(releases):
    earlier = tuple((runs(text(of), at_ms=NOW - 9), None) for of in "AB")
    taken = Taken(subject=DEFAULT, runs=runs(text("C"), at_ms=NOW + 9), earlier=earlier)
    releases.reconcile(lambda standings: (taken,), NOW)
    assert states(releases) == {1: S.RETIRED, 2: S.RETIRED, 3: S.FULL}
    first, _, last = releases.standings()
    assert (first.release.made_ms, last.release.made_ms) == (NOW - 9, NOW)
    assert [e.release.reason for e in (first, last)] == [
        "it ran already",
        "it was changed in place",
    ]
    do(releases, 3, A.ROLL_BACK)
    do(releases, 2, A.ROLL_BACK)
    assert releases.full(DEFAULT).release.text == text("A")


def test_whether_anything_was_done_is_told_cheaply(releases):
    assert releases.newest() == (0, 0)
    add(releases)
    assert releases.newest() == (1, 0)
    do(releases, 1, A.SHADOW)
    assert releases.newest() == (1, 1)


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, -(2**63) - 1, 10**23])
def test_no_release_has_a_number_that_no_ledger_can_count_to(releases, number):
    add(releases)
    assert releases.standing(number) is None
