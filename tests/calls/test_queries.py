"""Which calls only status callbacks told of, a page at a time, and by number."""

from __future__ import annotations

import pytest

from kept_receipts import Kept, fold, query, receipt
from patience import PATIENCE_S
from switchhook.calls.queries import callback_calls
from switchhook.journal.receipt import AdmissionGiven, RecordKind, StatusReceived, encode
from switchhook.rules.decide import Decision, Option
from switchhook.store import SqliteStore


@pytest.fixture
def kept(tmp_path):
    journal = Kept(tmp_path / "journal")
    yield journal
    journal.close()


@pytest.fixture
def store(tmp_path, kept):
    store = SqliteStore(tmp_path / "store", kept.reader)
    store.open()
    yield store
    store.close()


def call_back(kept, call, status, number="09876543210", to="08047112233"):
    raw = f"CallSid={call}&Status={status}&From={to}&To={number}&Direction=outbound-api".encode()
    body = StatusReceived(1, "main", raw, "application/x-www-form-urlencoded")
    return kept.record(RecordKind.STATUS, encode(body))


def sids(found):
    return [each.story.call_sid for each in found.calls]


@pytest.fixture
def told(kept, store):
    call_back(kept, "c1", "queued")
    call_back(kept, "c2", "busy", number="09811100001")
    call_back(kept, "c3", "completed")
    call_back(kept, "c1", "no-answer", number="null")
    kept.keep(receipt(query("c3", "s3", "completed", DisconnectedBy="bot")))
    kept.record(RecordKind.STATUS, encode(StatusReceived(1, "main", b"nonsense")))
    assert kept.writer.flush(PATIENCE_S)
    fold(store, kept.reader)
    return kept.reader, store


def test_each_is_listed_once_by_what_was_told_last(told):
    found = callback_calls(*told)
    assert sids(found) == ["c1", "c2"]
    assert [each.account for each in found.calls] == ["main", "main"]
    assert found.calls[0].story.text("call_status") == "no-answer"
    assert found.calls[0].story.text("to") == "+919876543210"
    assert found.next is None


def test_pages_follow_each_other(told):
    one = callback_calls(*told, limit=1)
    assert sids(one) == ["c1"]
    two = callback_calls(*told, limit=1, before_seq=one.next)
    assert sids(two) == ["c2"]
    assert not callback_calls(*told, before_seq=two.next).calls


@pytest.mark.parametrize(
    "number, found",
    [
        ("+919876543210", ["c1"]),
        ("98111", ["c2"]),
        ("*0001", ["c2"]),
        ("08047", ["c1", "c2"]),
        ("777", []),
    ],
)
def test_they_are_found_by_either_number(told, number, found):
    assert sids(callback_calls(*told, number=number)) == found


def test_what_was_asked_before_the_stream_hides_no_callback(kept, store):
    """Nor does a call become one of callbacks alone by it."""
    call_back(kept, "c1", "busy")
    asked = AdmissionGiven(
        received_us=1,
        endpoint="gate",
        method="GET",
        raw=b"CallSid=c1&CallFrom=09811100001",
        decision=Decision(Option.A, "default", "r", "why"),
        http_status=200,
    )
    kept.record(RecordKind.ADMISSION, encode(asked))
    assert kept.writer.flush(PATIENCE_S)
    fold(store, kept.reader)
    assert sids(callback_calls(kept.reader, store)) == ["c1"]
