"""The journal of all nodes for who looks through all of it, and masks."""

from __future__ import annotations

from contextlib import closing

import pytest

from handed_over import EPOCH, FENCE, now_ms, record
from switchhook.cluster import searched_journal
from switchhook.cluster.merged_journal import MergedJournal
from switchhook.cluster.searched_journal import SearchedJournal
from switchhook.errors import JournalError
from switchhook.exotel.times import DAY_MS
from switchhook.journal.closed import SegmentState
from switchhook.journal.masking import ERASED_ASKED
from switchhook.journal.source import Origin

NUMBER = b"+919876543210"


def mask(body):
    return body.replace(NUMBER, b"x" * len(NUMBER)), body.count(NUMBER)


def count(body):
    return body.count(NUMBER)


@pytest.fixture
def journal(shared):
    now = now_ms()
    for node in (1, 2):
        some = [
            record(seq, now - seq * DAY_MS, b"from " + (NUMBER if seq == node else b"-"), asked=5)
            for seq in range(1, 5)
        ]
        shared.hand_over(node, some)
    shared.hand_over(3, [record(1, 5, NUMBER * 2)], undated=True)
    shared.place()
    with closing(MergedJournal(shared.url)) as journal:
        yield journal


@pytest.fixture
def searched(shared, journal):
    return SearchedJournal(journal, shared.url, FENCE)


def closed(searched):
    searched.ask_roll(9)
    (segment,) = searched.segments()
    assert segment.state is SegmentState.SEALED
    return segment


def test_stretches_are_closed_when_they_are_full_or_asked_for(searched, shared, monkeypatch):
    monkeypatch.setattr(searched_journal, "STRETCH", 4)
    found = [(each.first_seq, each.last_seq, each.state) for each in searched.segments()]
    sealed, opened = SegmentState.SEALED, SegmentState.OPEN
    assert found == [(1, 4, sealed), (5, 8, sealed), (9, 9, opened)]
    searched.ask_roll(9)
    assert [each.state for each in searched.segments()] == [sealed] * 3
    shared.hand_over(1, [record(5, now_ms())])
    shared.place()
    found = [(each.first_seq, each.last_seq, each.state) for each in searched.segments()]
    assert found[2:] == [(9, 9, sealed), (10, 10, opened)]
    assert sum(each.bytes for each in searched.segments()) > 0


def test_a_stretch_ends_where_it_is_asked_to(searched, shared, monkeypatch):
    """Also in the midst of a full one, and in a database that was restored since."""
    monkeypatch.setattr(searched_journal, "STRETCH", 8)
    for seq in (9, 3):
        searched.ask_roll(seq)
    sealed, opened = SegmentState.SEALED, SegmentState.OPEN
    found = [(each.first_seq, each.last_seq, each.state) for each in searched.segments()]
    assert found == [(1, 3, sealed), (4, 8, sealed), (9, 9, sealed)]
    shared.connection.execute("DELETE FROM cluster_place WHERE place > 5")
    shared.connection.execute("UPDATE cluster_last_place SET place = 5")
    found = [(each.first_seq, each.last_seq, each.state) for each in searched.segments()]
    assert found == [(1, 3, sealed), (4, 5, opened)]


def test_it_finds_and_masks_in_all_tables(searched, journal, shared):
    name = closed(searched).name
    found = searched.scan(name, count)
    assert (found.records, found.last_seq, found.damaged) == (9, None, [])
    assert sorted(times for _, times in found.hits) == [1, 1, 2]
    seqs = [seq for seq, _ in found.hits]
    assert searched.mask(name, seqs, mask) == 4
    assert searched.scan(name, count).hits == []
    assert [each.damage for each in journal.read(0, 99)] == [""] * 9
    assert journal.get(journal.seq_of(Origin(1, 1))).asked == ERASED_ASKED
    assert dict(searched.bodies(name, seqs)) == {seq: journal.get(seq).body for seq in seqs}
    assert searched.leftovers(name, count) == 3
    searched.rewrite(name)
    assert searched.leftovers(name, count) == 0
    assert searched.mask(name, seqs, mask) == 0  # it may be done again


def test_a_scan_goes_on_where_it_was(searched):
    name, seen, after = closed(searched).name, [], 0
    while after is not None:
        found = searched.scan(name, lambda _: 1, after_seq=after, max_bytes=1)
        seen += [seq for seq, _ in found.hits]
        after = found.last_seq
    assert seen == list(range(1, 10))
    assert [seq for seq, _ in searched.scan(name, lambda _: 1, until_seq=3).hits] == [1, 2, 3]


def test_what_was_damaged_is_masked_and_stays_so(searched, journal, shared):
    name = closed(searched).name
    place = journal.seq_of(Origin(1, 1))
    body = NUMBER + b" and more"
    sql = "UPDATE cluster_receipt SET body = %s WHERE node = 1 AND seq = 1"
    shared.connection.execute(sql, (body,))
    assert searched.scan(name, count).damaged == [(place, place)]
    searched.mask(name, [place], mask)
    (left,) = [each for each in journal.read(0, 99) if each.damage]
    assert left.seq == place
    assert NUMBER not in left.body


def test_all_or_nothing_and_only_for_who_leads(searched, journal, shared):
    name = closed(searched).name
    seqs = [seq for seq, _ in searched.scan(name, count).hits]
    calls = iter([1, 2])

    def failing(body):
        next(calls)
        return mask(body)

    with pytest.raises(RuntimeError, match="StopIteration"):
        searched.mask(name, seqs, failing)
    assert len(searched.scan(name, count).hits) == 3
    shared.connection.execute("UPDATE cluster_lease SET epoch = %s", (EPOCH + 1,))
    with pytest.raises(JournalError, match="leads no more"):
        searched.mask(name, seqs, mask)
    assert len(searched.scan(name, count).hits) == 3


def test_what_retention_removed_is_known_as_such(searched, shared):
    assert not searched.removed(4)
    shared.connection.execute("DELETE FROM cluster_place WHERE place = 4")
    assert searched.removed(4)


def test_a_stretch_that_is_gone_is_named(searched, shared):
    with pytest.raises(JournalError, match="is gone"):
        searched.scan("places-77", count)
    assert searched.refused.names() == []
