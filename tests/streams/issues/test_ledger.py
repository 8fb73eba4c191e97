"""What people say of issues is kept, all of it, and noted in the audit log."""

from __future__ import annotations

import pytest

from switchhook.access.audit import AuditFilter, Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.server.tables import open_ledger
from switchhook.streams.issues.issues import IssueNote, IssueState
from switchhook.streams.issues.ledger import SqliteMarks

DEED = Deed(who="asha", what="acknowledged an issue", subject="i1")


@pytest.fixture
def ledger(tmp_path):
    ledger = open_ledger(tmp_path / "ledger")
    yield ledger
    ledger.close()


def test_the_last_word_counts_and_the_others_are_kept(ledger):
    marks = SqliteMarks(ledger)
    first = IssueNote("i1", 1000, IssueState.ACKNOWLEDGED, "asha", "ticket 7")
    last = IssueNote("i1", 1000, IssueState.RESOLVED, "ravi")
    for mark in (first, IssueNote("i2", 5, IssueState.RESOLVED, "asha"), last):
        marks.add(mark, DEED)
    assert marks.latest()["i1"] == last
    assert marks.history("i1") == [last, first]
    assert len(LedgerAudit(ledger).entries(AuditFilter(), 10)) == 3
