"""The journal of several nodes in the store: times that do not ascend, and numbers of each own."""

from contextlib import closing

import pytest

from handed_over import FENCE, Shared, now_ms, record
from kept_receipts import fold, query, receipt
from switchhook.cluster.merged_journal import MergedJournal
from switchhook.journal.receipt import Late, RecordKind, encode, id_of, receipt_id
from switchhook.store import PostgresqlStore, buckets
from switchhook.streams.names import Names
from switchhook.streams.search.query import Moment, Query
from switchhook.streams.store import Marks, StreamFilter

HOUR_MS = 3_600_000


@pytest.fixture
def shared(postgresql_schema):
    with closing(Shared(postgresql_schema)) as shared:
        yield shared


@pytest.fixture
def journal(shared):
    with closing(MergedJournal(shared.url)) as journal:
        yield journal


@pytest.fixture
def store(shared, journal):
    with closing(PostgresqlStore(shared.url, journal, fence=FENCE)) as store:
        store.open()
        yield store


def streams(start, node, numbers):
    """A stream a minute, as a node's own records."""
    return [
        record(
            number,
            start + number * 60_000,
            encode(receipt(query(f"c{node}-{number}", f"s{node}-{number}"))),
            RecordKind.PASSTHRU,
        )
        for number in numbers
    ]


def in_time(store, since_ms, until_ms):
    asked = Query(since=Moment("", since_ms), until=Moment("", until_ms))
    return {row.story.call_sid for row in store.search(asked, Names(), limit=1000).rows}


def test_what_a_node_hands_over_late_is_found_at_its_time(shared, journal, store, monkeypatch):
    """One was cut off for hours: its receipts come after those that others had meanwhile."""
    monkeypatch.setattr(buckets, "STRETCH_BITS", 3)
    start = now_ms() - 5 * HOUR_MS
    shared.hand_over(1, streams(start, 1, range(1, 101)))
    shared.place()
    fold(store, journal, 7)
    shared.hand_over(2, streams(start, 2, range(1, 41)))
    shared.hand_over(1, streams(start, 1, range(101, 121)))
    shared.place()
    fold(store, journal, 7)
    for first, last in ((0, 10), (5, 6), (30, 60), (95, 130), (120, 121)):
        since, until = start + first * 60_000, start + last * 60_000
        expected = {
            f"c{node}-{number}"
            for node, most in ((1, 120), (2, 40))
            for number in range(1, most + 1)
            if first <= number < last
        }
        assert in_time(store, since, until) == expected
        low, high = store.seqs_between(since, until)
        listed = store.receipts(StreamFilter(from_seq=low, before_seq=high, limit=1000))
        records = journal.get_many(listed)
        at = {seq: each.at for seq, each in records.items()}
        assert {seq for seq in at if since <= at[seq] < until} == {
            seq for seq in listed if since <= at[seq] < until
        }
        assert sum(since <= each < until for each in at.values()) == len(expected)


def test_a_mark_names_a_receipt_by_its_nodes_own_number(shared, journal, store):
    start = now_ms() - HOUR_MS
    shared.hand_over(1, streams(start, 1, range(1, 4)))
    shared.hand_over(2, streams(start, 2, range(1, 4)))
    late = record(4, start + 300_000, encode(Late(2, 40)), RecordKind.LATE)
    lost = record(5, start + 300_000, encode(Late(77, 40)), RecordKind.LATE)
    shared.hand_over(2, [late, lost])
    shared.place()
    fold(store, journal)
    [place] = [place for place, node, seq in shared.places() if (node, seq) == (2, 2)]
    assert store.marks(range(20)) == {place: Marks(40)}
    assert store.quarantined(5)[0] == 0


def test_ids_are_those_of_the_nodes(shared, journal, store):
    start = now_ms() - HOUR_MS
    first, second = (streams(start, node, [1])[0] for node in (1, 2))
    again = record(
        2,
        start + 90_000,
        encode(receipt(query("c1-1", "s1-1", "completed", DisconnectedBy="bot"))),
        RecordKind.PASSTHRU,
    )
    shared.hand_over(1, [first])
    shared.hand_over(2, [second, again])
    shared.place()
    fold(store, journal)
    ids = [receipt_id(first.at, 1, 1), receipt_id(second.at, 2, 1), receipt_id(again.at, 2, 2)]
    assert sorted(id_of(each, 0) for each in journal.read(0, 10)) == sorted(ids)
    told = {
        id
        for _, story in store.streams(StreamFilter(call_sid="c1-1"))
        for id in ids
        if story is not None and id.encode() in encode(story)
    }
    assert told == {ids[0], ids[2]}
