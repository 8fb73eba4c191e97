"""Answers with one copy count from the moment they left, not once the database has them."""

from __future__ import annotations

from switchhook.cluster.one_copies import OneCopies
from switchhook.journal.record_kind import RecordKind
from switchhook.journal.segment import Record


class Journal:
    def __init__(self):
        self.records = []
        self.read_after = []

    def add(self, kind):
        self.records.append(Record(len(self.records) + 1, kind, 0, None, None, None, b""))

    def read(self, after_seq, limit):
        self.read_after.append(after_seq)
        return self.records[after_seq : after_seq + limit]


def test_marks_that_wait_are_counted_until_they_are_handed_over():
    journal = Journal()
    copies = OneCopies(journal)
    assert copies.waiting(0) == 0
    for kind in (1, RecordKind.ONE_COPY, 1, RecordKind.ONE_COPY, 1):
        journal.add(kind)
    assert copies.waiting(0) == 2
    assert copies.waiting(2) == 1
    assert copies.waiting(5) == 0
    assert copies.waiting(5) == 0


def test_what_is_handed_over_is_not_read():
    journal = Journal()
    for _ in range(9):
        journal.add(1)
    copies = OneCopies(journal)
    assert copies.waiting(9) == 0
    assert journal.read_after == [9]


def test_a_long_backlog_is_counted_by_and_by():
    journal = Journal()
    for _ in range(5_000):
        journal.add(RecordKind.ONE_COPY)
    copies = OneCopies(journal)
    assert [copies.waiting(0) for _ in range(4)] == [2_000, 4_000, 5_000, 5_000]
    assert copies.waiting(4_999) == 1
