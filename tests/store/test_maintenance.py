"""Forgetting: a number leaves the store; old streams go in steps, counted."""

import pytest

from kept_receipts import START_MS, fold, query, receipt
from store.masked_journal import NUMBER, Journal, inbound
from switchhook.journal.receipt import RecordKind, StatusReceived, encode
from switchhook.streams.names import Names
from switchhook.streams.search.query import Query
from switchhook.streams.search.syntax import parse_query
from switchhook.streams.store import StreamFilter


@pytest.fixture
def journal(kept):
    return Journal(kept.reader)


@pytest.fixture
def store(stores, journal):
    return stores.new(journal)


def test_a_number_is_erased_and_the_rest_stays_as_a_store_made_anew_has_it(
    kept, journal, store, stores
):
    kept.keep(
        inbound(1, "09000012345"),
        inbound(2, "09876543210", "in-progress"),
        inbound(3, "%2B919876543210"),
        inbound(2, "09876543210", DisconnectedBy="bot"),
    )
    callback = StatusReceived(1, "main", b"CallSid=c2&Status=completed&From=09876543210",
                              "application/x-www-form-urlencoded")  # fmt: skip
    kept.record(RecordKind.STATUS, encode(callback), at=START_MS + 60_000)
    kept.keep(inbound(8, "09000012345"))
    fold(store, journal, 2)
    assert store.holds_number(NUMBER) >= 4
    assert store.holds_number(NUMBER, 3) >= 2
    journal.mask(2, 3, 4, 5)
    assert store.erase_number(NUMBER, [2]) == 4
    assert store.holds_number(NUMBER) == 0
    assert store.search(parse_query("number:9876543210", 0), Names()).rows == []
    assert store.notes("c2") == [5]
    anew = stores.new(journal)
    fold(anew, journal)
    assert everything(store) == everything(anew)


def everything(store):
    rows = store.search(Query(), Names(), limit=1000).rows
    facets = sorted(store.uses(), key=str)
    return rows, facets, store.receipts(StreamFilter()), store.tallies(0, 2**60, hours=True)


def test_what_the_journal_deleted_leaves_the_store_and_its_counts(kept, journal, store):
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


def test_old_streams_go_in_steps_and_the_tallies_with_them(kept, journal, store):
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
    assert [store.remove(2**60, 3), store.remove(2**60, 3)] == [3, 1]
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
