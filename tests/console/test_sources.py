"""What four sources said of a call, from journal, store and ledger."""

from __future__ import annotations

from datetime import datetime

import pytest

from kept_receipts import START_MS, Kept, query, receipt
from switchhook.call_sources import Due, KeptDetails, Source
from switchhook.console.sources import SourcesOfCall
from switchhook.ledger import Ledger
from switchhook.ledger.calls import SqliteCalls
from switchhook.receipt import HeartbeatReceived, Kind, StatusReceived, encode
from switchhook.store import SqliteStore
from switchhook.wire.calls import CallRecord, build_call
from switchhook.wire.status_callback import (
    Heartbeat,
    StatusCallback,
    build_full,
    build_heartbeat,
)

RECORD = CallRecord(
    sid="c1",
    account_sid="acme",
    from_="09811100001",
    to=None,
    phone_number_sid="08047112233",
    status="failed",
    direction="inbound",
    created=datetime(2026, 11, 18, 16),
    updated=None,
)


@pytest.fixture
def kept(tmp_path):
    journal = Kept(tmp_path / "journal")
    yield journal
    journal.close()


@pytest.fixture
def calls(tmp_path):
    ledger = Ledger(tmp_path)
    yield SqliteCalls(ledger)
    ledger.close()


@pytest.fixture
def of(tmp_path, kept, calls):
    store = SqliteStore(tmp_path / "store", kept.reader)
    store.open()

    def told(call_sid="c1"):
        assert kept.writer.flush(10)
        while records := kept.reader.read(store.position(), 1000):
            store.fold(store.position(), records)
        return SourcesOfCall(store, kept.reader, calls).of(call_sid)

    yield told
    store.close()


def call_back(kept, status="completed", **fields):
    kind, body = build_full(StatusCallback(call_sid="c1", status=status, **fields), json=True)
    at = START_MS + 5000
    return kept.record(Kind.STATUS, encode(StatusReceived(at * 1000, "main", body, kind)), at=at)


def beat(kept, at_ms=START_MS, **fields):
    body = build_heartbeat(Heartbeat(timestamp="", **fields))
    kept.record(Kind.HEARTBEAT, encode(HeartbeatReceived(at_ms * 1000, "main", body)))


def fetched(calls, body=None, at_ms=START_MS + 9000):
    due = Due("main", "c1", 0, 0)
    text = build_call(RECORD, xml=False, details=True).decode() if body is None else body
    calls.looked(due, None, KeptDetails("main", "c1", at_ms, text))


def test_nothing_told_is_none(of):
    assert of() is None


def test_four_sources_are_one_story(of, kept, calls):
    raw = query() + b"&CallFrom=09811100001&CallTo=08047112233&Direction=incoming"
    kept.keep(receipt(raw), receipt(raw, method="HEAD"))
    seq = call_back(kept, from_="+919811100001")
    beat(kept, status_type="CRITICAL", incoming_affected=("+918047112233",))
    beat(kept, status_type="OK")
    fetched(calls)
    told = of()
    assert told.sources.disagreements == ("status: completed by callback, failed by call details",)
    assert [each.source for each in told.sources.field("from").said] == list(Source)
    assert told.sources.troubles == ("heartbeat: Exotel said CRITICAL for this call's number",)
    assert [(each.seq, each.callback.status) for each in told.callbacks] == [(seq, "completed")]
    assert told.details[0].record == RECORD
    assert [each.heartbeat.status_type for each in told.beats] == ["CRITICAL"]


def test_any_one_of_them_is_enough(of, kept, calls):
    call_back(kept)
    assert of().sources.field("status").source is Source.CALLBACK


def test_details_alone_are_enough(of, calls):
    fetched(calls)
    assert of().sources.field("status").source is Source.DETAILS


def test_what_can_not_be_read_is_there_and_says_nothing(of, calls):
    fetched(calls, "erased")
    told = of()
    assert told.sources.fields == ()
    assert told.details[0].record is None


def test_a_beat_of_another_time_is_not_its(of, kept):
    kept.keep(receipt(query()))
    beat(kept, START_MS - 3_600_000, status_type="CRITICAL")
    told = of()
    assert (told.sources.troubles, told.beats) == ((), ())
