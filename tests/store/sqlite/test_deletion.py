"""Forgetting: a number leaves the store and its file."""

import pytest

from kept_receipts import START_MS, fold, query, receipt
from store.masked_journal import NUMBER, Journal, inbound
from store.sqlite.test_store import content
from switchhook.journal.receipt import RecordKind, StatusReceived, encode
from switchhook.store import SqliteStore, rebuild
from switchhook.streams.names import Names
from switchhook.streams.search.query import Query
from switchhook.streams.search.syntax import parse_query


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
