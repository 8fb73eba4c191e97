"""That issues and alerts know of each other who is on it."""

from __future__ import annotations

import pytest

from switchhook.access.audit import AuditFilter, Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.server.alerting import acknowledge_issue, presses_of
from switchhook.server.tables import open_ledger
from switchhook.streams.issues.issues import IssueNote, IssueState
from switchhook.streams.issues.ledger import LedgerIssueHistory


@pytest.fixture
def ledger(tmp_path):
    ledger = open_ledger(tmp_path)
    yield ledger
    ledger.close()


def test_an_issue_hears_who_is_on_its_alert_once(ledger):
    history = LedgerIssueHistory(ledger)
    for by in ("asha", "ravi"):
        acknowledge_issue(history, lambda: 1_000, "ab12", by)
    assert history.history("ab12") == [
        IssueNote("ab12", 1_000, IssueState.ACKNOWLEDGED, "asha", "on its alert")
    ]
    (entry,) = LedgerAudit(ledger).entries(AuditFilter(), 10)
    assert (entry.who, entry.what, entry.subject) == ("asha", "acknowledged an issue", "ab12")


def test_an_issue_that_was_resolved_and_came_back_hears_it_anew(ledger):
    heard = []
    history = LedgerIssueHistory(ledger, heard.append)
    gone = IssueNote("ab12", 1_000, IssueState.RESOLVED, "asha")
    history.add(gone, Deed(who="asha", what="resolved an issue"))
    acknowledge_issue(history, lambda: 2_000, "ab12", "ravi")
    assert [each.state for each in heard] == [IssueState.RESOLVED, IssueState.ACKNOWLEDGED]
    assert history.latest()["ab12"].by == "ravi"


def test_a_press_stands_beside_each_trouble_that_it_mends():
    """By the keys of the judges, and of the alerts of pools."""
    from routes.test_mending import view

    moved = presses_of(view(["vendor-a", "vendor-b"]), {"sales"})
    assert {
        "bot-fails:sales",
        "pool.degraded:sales",
        "member.out:vendor-a,sales",
        "member.silent_calls:vendor-b,sales",
    } <= moved.keys()
    assert moved["bot-fails:sales"].words == "Move its calls to backup"
    taken = presses_of(view(["vendor-b"]), {"sales"})
    assert taken["member.out:vendor-b,sales"].state == "out"
    assert "member.out:vendor-a,sales" not in taken
