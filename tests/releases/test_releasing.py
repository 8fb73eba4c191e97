"""What is wanted of releases is put in place and kept, and what runs otherwise is recorded."""

from __future__ import annotations

import pytest

from releases.made import DEFAULT, NOW, InMemory, runs, text, wanted
from switchhook.access.audit import AuditFilter, Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.errors import DataFolderError, ReleaseError
from switchhook.releases.ledger import LedgerReleases
from switchhook.releases.release import ReleaseAct as A
from switchhook.releases.release import ReleaseState as S
from switchhook.releases.releasing import Releasing, short, subject_said


@pytest.fixture
def running():
    return InMemory(runs(text("A")), runs(text("B"), "rules/other", by="built in", at_ms=0))


@pytest.fixture
def releasing(ledger, running):
    return Releasing(LedgerReleases(ledger), running, lambda: NOW)


def note(what, subject, details):
    return Deed(who="asha", what=what, subject=subject, details=details)


def add(releasing, of, subject=DEFAULT):
    standing, _ = releasing.add(subject, text(of), "asha", "try it", note)
    return standing.release.number


def act(releasing, number, what, **more):
    return releasing.act(number, wanted(what, **more), note)


def states(releasing, subject=DEFAULT):
    return {e.release.number: e.state for e in releasing.releases.standings(subject)}


def test_what_runs_is_release_1(releasing):
    releasing.reconcile()
    first, second = releasing.releases.standings()
    assert (first.state, first.release.by_file, first.release.author) == (S.FULL, True, "start")
    assert first.release.reason == "it ran already"
    assert second.release.author == "built in"
    assert releasing.reconcile() == ()


def test_a_canary_stands_beside_what_runs_and_then_runs(releasing, running):
    number = add(releasing, "C")
    act(releasing, number, A.CANARY, share=500)
    assert running.proposed == {DEFAULT: number}
    act(releasing, number, A.PROMOTE)
    assert running.proposed == {}
    assert running.runs[DEFAULT].text == text("C")
    assert (running.runs[DEFAULT].release, running.runs[DEFAULT].by) == (number, "asha")
    act(releasing, number, A.ROLL_BACK)
    assert running.runs[DEFAULT].text == text("A")
    assert states(releasing) == {1: S.FULL, number: S.ROLLED_BACK}


def test_a_shadow_is_in_no_answer_process(releasing, running):
    number = add(releasing, "C")
    act(releasing, number, A.SHADOW)
    assert running.proposed == {}


def test_an_edit_in_place_ends_the_canary_in_the_data_folder_too(releasing, running):
    number = add(releasing, "C")
    act(releasing, number, A.CANARY, share=500)
    running.edit(text("D"))
    changed = releasing.reconcile()
    assert {each.release.number: each.state for each in changed} == {
        1: S.RETIRED,
        number: S.CHECKED,
        number + 1: S.FULL,
    }
    assert running.proposed == {}
    assert releasing.reconcile() == ()


def test_what_a_crash_has_left_between_is_mended(releasing, running):
    """It ran before it was kept; or it was proposed, and never kept."""
    number = add(releasing, "C")
    running.run(releasing.releases.standing(number).release, "asha")
    releasing.reconcile()
    assert states(releasing) == {1: S.RETIRED, number: S.FULL}
    running.propose(DEFAULT, releasing.releases.standing(1).release)
    releasing.reconcile()
    assert running.proposed == {}


def test_what_cannot_be_put_in_place_is_not_kept(releasing, running, monkeypatch):
    def full(_release, _by):
        raise DataFolderError("data", "it is full", "make room")

    number = add(releasing, "C")
    monkeypatch.setattr(running, "run", full)
    with pytest.raises(DataFolderError):
        act(releasing, number, A.PROMOTE)
    assert states(releasing)[number] is S.CHECKED


def test_a_draft_says_what_is_wrong_and_can_be_released_once_it_is_not(releasing, running):
    running.problems[text("C")] = ("there is no pool b",)
    number = add(releasing, "C")
    assert releasing.releases.standing(number).state is S.DRAFT
    with pytest.raises(ReleaseError, match="there is no pool b"):
        act(releasing, number, A.PROMOTE)
    running.problems.clear()
    act(releasing, number, A.PROMOTE)
    assert states(releasing)[number] is S.FULL


def test_what_is_doubtful_is_no_new_release_and_may_run_again(releasing, running):
    number = add(releasing, "C")
    act(releasing, number, A.PROMOTE)
    running.doubts = {text("A"), text("C"), text("D")}
    act(releasing, number, A.ROLL_BACK)
    act(releasing, number, A.PROMOTE, reason="B has people now")
    assert states(releasing) == {1: S.RETIRED, number: S.FULL}
    assert releasing.releases.standing(add(releasing, "D")).state is S.DRAFT


def test_there_are_releases_only_of_what_is_configured(releasing):
    with pytest.raises(ReleaseError) as raised:
        add(releasing, "C", "rules/nowhere")
    assert str(raised.value) == (
        "there is no endpoint 'nowhere' in the configuration (known: default, other)"
    )


def test_deeds_are_in_the_audit_log(releasing, ledger):
    number = add(releasing, "C")
    act(releasing, number, A.CANARY, share=500, reason="small first")
    made, canary = LedgerAudit(ledger).entries(AuditFilter(), 9)[::-1]
    assert (made.what, made.subject) == ("made a release", "release 3 of rules/default")
    assert canary.what == "put a release in canary"
    assert '"share":"5 %"' in canary.details
    assert '"reason":"small first"' in canary.details


def test_a_subject_is_said_by_its_name():
    known = ["pools", "rules/pools", "rules/sales"]
    assert subject_said("sales", known) == "rules/sales"
    assert subject_said("rules/sales", known) == "rules/sales"
    assert subject_said("pools", known) == "pools"
    assert subject_said("rules/pools", known) == "rules/pools"
    assert subject_said("other", known) is None
    assert [short(each) for each in known] == ["pools", "rules/pools", "sales"]
