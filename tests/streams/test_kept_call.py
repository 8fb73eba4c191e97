"""A call as it is kept: what is known of each receipt, also of one that can't be read."""

from __future__ import annotations

import pytest

from kept_receipts import START_MS, Kept, fold, query, receipt
from patience import PATIENCE_S
from switchhook.journal.receipt import (
    Keep,
    OneCopy,
    RecordKind,
    encode,
    parse_receipt_id,
    receipt_id,
)
from switchhook.store import SqliteStore
from switchhook.streams.kept_call import KeptReceipt, masked_numbers
from switchhook.streams.parsed_record import UnreadableRecord
from switchhook.streams.queries import StreamQueries

NUMBERS = b"&CallFrom=09876543210&CallTo=08047112233&Direction=incoming"


@pytest.fixture
def kept(tmp_path):
    found = Kept(tmp_path / "journal")
    yield found
    found.close()


@pytest.fixture
def queries(kept, tmp_path):
    """What is asked of a call that a passthru told of, then a repeat of it, then a second one."""
    (first,) = kept.keep(receipt(query("c1", "s1", "in-progress") + NUMBERS))
    kept.keep(receipt(query("c1", "s1", "in-progress") + NUMBERS, repeat_of=first))
    kept.keep(receipt(query("c1", "s1") + NUMBERS))
    store = SqliteStore(tmp_path / "store", kept.reader)
    store.open()
    fold(store, kept.reader)
    yield StreamQueries(kept.reader, store)
    store.close()


def test_a_receipt_says_how_many_copies_there_were_when_it_was_answered(kept, tmp_path):
    """Where two were asked for: else there is nothing to say."""
    twice = receipt(query("c1", "s1"), keep=Keep.TWO_COPIES)
    ids = kept.keep(twice, twice, receipt(query("c1", "s1")))
    kept.record(RecordKind.ONE_COPY, encode(OneCopy(2)))
    assert kept.writer.flush(PATIENCE_S)
    store = SqliteStore(tmp_path / "store", kept.reader)
    store.open()
    fold(store, kept.reader)
    queries = StreamQueries(kept.reader, store)
    assert [each.copies for each in queries.kept_call("c1").receipts] == [2, 1, None]
    assert [queries.receipt(each)["copies"] for each in ids] == [2, 1, None]
    store.close()


def test_a_call_has_its_receipts_in_order_and_one_story(queries, kept):
    call = queries.kept_call("c1")
    assert [each.id for each in call.receipts] == kept.ids
    (story,) = call.story.streams_in_order
    assert (story.sid, story.stream.status) == ("s1", "completed")
    assert call.more is False
    assert queries.kept_call("c2") is None


def test_of_a_repeat_the_first_receipt_decided(queries):
    first, repeat, _ = queries.kept_call("c1").receipts
    assert repeat.first == repeat.deciding == first.receipt
    assert first.first is None
    assert first.deciding == first.receipt


def test_the_apis_call_is_the_same_one(queries):
    call, told = queries.kept_call("c1"), queries.call("c1")
    assert [each["id"] for each in told["passthrus"]] == [each.id for each in call.receipts]
    assert told["from"] == call.story.text("from_") == "+919876543210"


def test_the_id_of_a_receipt_stands_for_the_sids_that_it_names(queries, kept):
    """Of any of them, and of no other node's, of none that is not kept, and of no other text."""
    for id in kept.ids:
        assert (queries.call_named(id), queries.stream_named(id)) == ("c1", "s1")
    assert queries.call(kept.ids[-1])["call_sid"] == "c1"
    assert queries.stream(kept.ids[0])["sid"] == "s1"
    at_ms, node, seq = parse_receipt_id(kept.ids[0])
    strange = [(at_ms, node + 1, seq), (at_ms + 1, node, seq), (at_ms, node, 99)]
    for name in ("c1", "", "x" * 26, *(receipt_id(*each) for each in strange)):
        assert (queries.call_named(name), queries.stream_named(name)) == (name, name)


def test_what_can_not_be_read_says_when_it_came_and_why(kept):
    seq = kept.record(RecordKind.PASSTHRU, b"garbage about 09876543210")
    assert kept.writer.flush(PATIENCE_S)
    record = kept.reader.get(seq)
    unreadable = KeptReceipt("x", UnreadableRecord(record, "DecodeError: 09876543210"))
    assert (unreadable.receipt, unreadable.passthru, unreadable.deciding) == (None, None, None)
    assert unreadable.at_us == record.at * 1000 == START_MS * 1000 + 1_000_000
    (defect,) = unreadable.defects
    assert (defect.field, defect.problem) == ("receipt", "can't be read (DecodeError)")


def test_a_clock_that_was_wrong_moves_a_receipt_not_what_it_said(queries):
    first = queries.kept_call("c1").receipts[0]
    moved = KeptReceipt("x", first.read, placed_ms=START_MS)
    assert moved.at_us == START_MS * 1000
    assert moved.received_us == first.received_us


def test_a_reveal_tells_masked_numbers(queries):
    assert masked_numbers(queries.kept_call("c1")) == {
        "from": "+91••••••••10",
        "to": "+91••••••••33",
    }
    assert masked_numbers(None) == {}
