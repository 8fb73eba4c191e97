"""What people say of issues is kept, all of it, and noted in the audit log."""

from __future__ import annotations

from switchhook.access.audit import AuditFilter, Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.streams.issues.issues import IssueNote, IssueState
from switchhook.streams.issues.ledger import LedgerIssueHistory

DEED = Deed(who="asha", what="acknowledged an issue", subject="i1")


def test_the_last_word_counts_and_the_others_are_kept(ledger):
    history = LedgerIssueHistory(ledger)
    first = IssueNote("i1", 1000, IssueState.ACKNOWLEDGED, "asha", "ticket 7")
    last = IssueNote("i1", 1000, IssueState.RESOLVED, "ravi")
    for note in (first, IssueNote("i2", 5, IssueState.RESOLVED, "asha"), last):
        history.add(note, DEED)
    assert history.latest()["i1"] == last
    assert history.history("i1") == [last, first]
    assert len(LedgerAudit(ledger).entries(AuditFilter(), 10)) == 3
