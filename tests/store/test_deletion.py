"""Forgetting: a number leaves the store and its file; old streams go in steps, counted."""

import msgspec
import pytest

from kept_receipts import START_MS, Kept, fold, query, receipt
from store.test_sqlite import content
from switchhook.journal.receipt import RecordKind, StatusReceived, encode
from switchhook.store import SqliteStore, rebuild
from switchhook.streams.names import Names
from switchhook.streams.search.query import Query
from switchhook.streams.search.syntax import parse_query

NUMBER = "+919876543210"
"""Whose it is, in any spelling below."""


class Journal:
    """A journal in which records are changed or gone, as after an erasure or retention."""

    def __init__(self, reader):
        self._reader = reader
        self.changed, self.gone = {}, set()

    def __getattr__(self, name):
        return getattr(self._reader, name)

    def _now(self, records):
        return [self.changed.get(r.seq, r) for r in records if r.seq not in self.gone]

    def read(self, after_seq, limit):
        return self._now(self._reader.read(after_seq, limit))

    def get_many(self, seqs):
        return {r.seq: r for r in self._now(self._reader.get_many(seqs).values())}

    def mask(self, *seqs):
        for record in self._reader.get_many(seqs).values():
            body = record.body.replace(b"9876543210", b"erasedxxxx")
            assert body != record.body
            self.changed[record.seq] = msgspec.structs.replace(record, body=body)


def inbound(n, caller, status="completed", sid=None, **more):
    raw = query(f"c{n}", sid or f"s{n}", status, StreamUrl="wss://a.example/x", **more)
    return receipt(raw + f"&CallFrom={caller}&CallTo=08047112233&Direction=incoming".encode())


@pytest.fixture
def kept(tmp_path):
    kept = Kept(tmp_path / "journal")
    yield kept
    kept.close()


@pytest.fixture
def journal(kept):
    return Journal(kept.reader)


@pytest.fixture
def store(tmp_path, journal):
    store = SqliteStore(tmp_path / "store", journal)
    store.open()
    yield store
    store.close()


def bytes_of(folder):
    return b"".join(path.read_bytes() for path in folder.glob("store-*"))


def test_a_number_is_erased_and_the_rest_stays_as_a_rebuild_makes_it(
    kept, journal, store, tmp_path
):
    kept.keep(
        inbound(1, "09000012345"),
        inbound(2, "09876543210", "in-progress"),
        inbound(3, "%2B919876543210"),
        inbound(2, "09876543210", DisconnectedBy="bot"),
        inbound(4, "08047119999", sid="s4"),
        receipt(query("c5", "s5") + b"&CallFrom=08047112233&CallTo=919876543210"
                b"&Direction=outbound-dial"),
        receipt(query("c6", "s6") + b"&CallFrom=08047110000&CallTo=09876543210"),
        receipt(query("c7", "s7") + b"&Legs[0][Number]=09876543210&CallFrom=08047110000"),
    )  # fmt: skip
    callback = StatusReceived(1, "main", b"CallSid=c2&Status=completed&From=09876543210",
                              "application/x-www-form-urlencoded")  # fmt: skip
    kept.record(RecordKind.STATUS, encode(callback), at=START_MS + 60_000)
    kept.keep(inbound(8, "09000012345"))
    fold(store, journal, 2)
    assert store.holds_number(NUMBER) > 0
    assert NUMBER[3:].encode() in bytes_of(tmp_path / "store")
    hit = [2, 3, 4, 6, 7, 8, 9]
    journal.mask(*hit)
    assert store.erase_number(NUMBER, hit[:2]) == len(hit)
    assert store.holds_number(NUMBER) == 0
    assert b"9876543210" not in bytes_of(tmp_path / "store")
    assert b"0123456789" not in bytes_of(tmp_path / "store")
    assert store.search(parse_query("number:9876543210", 0), Names()).rows == []
    assert len(store.search(Query(), Names()).rows) == 8
    assert store.notes("c2") == [9]
    store.close()
    kept_by_it = content(tmp_path / "store")
    rebuild(tmp_path / "store", journal)
    anew = content(tmp_path / "store")
    forms = 5  # requests are counted as they came, and a rebuild sees them masked
    assert anew[:forms] + anew[forms + 1 :] == kept_by_it[:forms] + kept_by_it[forms + 1 :]
    store.open()


def test_what_the_journal_deleted_leaves_the_store_and_its_counts(kept, journal, store, tmp_path):
    kept.keep(
        inbound(1, "09876543210", "in-progress"),
        inbound(2, "09000012345"),
        inbound(1, "09876543210", DisconnectedBy="bot"),
    )
    fold(store, journal, 1)
    journal.gone |= {1, 3}
    store.erase_number(NUMBER, [])
    assert [row.seq for row in store.search(Query(), Names()).rows] == [2]
    assert sum(use.streams for use in store.uses()) == 1
    assert sum(each.streams for each in store.tallies(0, 2**60)) == 1
    assert store.holds_number(NUMBER) == 0


def test_a_longer_number_is_another_one(kept, journal, store):
    kept.keep(receipt(query("c1") + b"&CallFrom=%2B4498765432101&Direction=incoming"))
    fold(store, journal)
    assert store.erase_number(NUMBER, []) == 0
    assert store.holds_number(NUMBER) == 0
    assert len(store.search(parse_query("from:+449876", 0), Names()).rows) == 1


def test_old_streams_go_in_steps_and_the_tallies_with_them(kept, journal, store, tmp_path):
    kept.keep(*(inbound(n, "09000012345") for n in range(1, 11)))
    kept.keep(inbound(10, "09000012345", DisconnectedBy="user"))
    fold(store, journal)
    before = START_MS + 7 * 1000
    gone = []
    while (count := store.remove(before, 2)) > 0:
        gone.append(count)
        assert sum(use.streams for use in store.uses()) == 10 - sum(gone)
        assert sum(each.streams for each in store.tallies(0, 2**60, hours=True)) == 10 - sum(gone)
    assert gone == [2, 2, 2]
    assert store.oldest_ms() == before
    assert [row.seq for row in store.search(Query(), Names()).rows] == [10, 9, 8, 7]
    assert store.remove(2**60, 100) == 4
    assert store.oldest_ms() is None
    assert store.uses() == []
    assert store.remove(2**60, 100) == 0
    kept.keep(inbound(11, "09000012345"))
    fold(store, journal)
    assert [row.seq for row in store.search(Query(), Names()).rows] == [12]


def test_a_stream_told_of_again_after_it_went_is_a_new_one(kept, journal, store):
    kept.keep(inbound(1, "09000012345", "in-progress"))
    fold(store, journal)
    assert store.remove(2**60, 10) == 1
    kept.keep(inbound(1, "09000012345", DisconnectedBy="bot"))
    fold(store, journal)
    (row,) = store.search(Query(), Names()).rows
    assert (row.seq, row.facet.cause) == (2, "bot_done")


def test_erasing_works_while_another_thread_looks(kept, journal, store):
    kept.keep(*(inbound(n, "09876543210") for n in range(50)))
    fold(store, journal)
    looking = store.search(Query(), Names(), limit=5)
    journal.mask(*range(1, 51))
    store.erase_number(NUMBER, range(1, 51))
    assert len(looking.rows) == 5
    rows = store.search(Query(), Names()).rows
    assert len(rows) == 50
    assert all("987654" not in str(row.story) for row in rows)
