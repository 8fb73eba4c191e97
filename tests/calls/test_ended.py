"""EndedCalls: each told once, of the right account, and none that is old or held no place."""

from __future__ import annotations

import pytest

from kept_receipts import START_MS, parsed, query, receipt
from switchhook.calls.ended import EndedCalls
from switchhook.calls.sources import GIVE_UP_MS
from switchhook.exotel.wire.status_callback import StatusCallback, build_minimal
from switchhook.journal.receipt import RecordKind, StatusReceived, encode
from switchhook.journal.segment import Record
from switchhook.streams.fold import Folded


def record(kind, body):
    return Record(1, kind, START_MS, None, None, None, body)


class Heard:
    def __init__(self, accounts, now_ms=START_MS + 1000):
        self.streams, self.calls = [], []
        outer = self

        class Streams:
            def ended(self, account, at_ms, lasted_s):
                outer.streams.append((account, at_ms, lasted_s))

        class Calls:
            def ended(self, call_sid, account, at_ms):
                outer.calls.append((call_sid, account, at_ms))

        self.ended_calls = EndedCalls(lambda: accounts, Streams(), Calls(), lambda: now_ms)

    def fold(self, *records):
        self.ended_calls.folded(Folded(tuple(parsed(*records)), 9))


def passthru(raw, **changes):
    found = receipt(raw, received_us=START_MS * 1000, **changes)
    return record(RecordKind.PASSTHRU, encode(found))


def callback(status, call_sid="c7"):
    kind, body = build_minimal(StatusCallback(call_sid=call_sid, status=status), json=False)
    received = StatusReceived(START_MS * 1000, "main", body, kind)
    return record(RecordKind.STATUS, encode(received))


ACCOUNTS = {"default": "main"}


def test_a_stream_that_ran_is_told_with_its_length():
    told = Heard(ACCOUNTS)
    told.fold(passthru(query(Duration="65")))
    assert told.streams == [("main", START_MS, 65.0)]
    assert told.calls == [("c1", "main", START_MS)]


@pytest.mark.parametrize("status", ["failed", "cancelled", "completed"])
def test_one_that_held_no_place_is_a_call_but_no_length(status):
    told = Heard(ACCOUNTS)
    told.fold(passthru(query(status=status)))
    assert told.streams == []
    assert told.calls == [("c1", "main", START_MS)]


@pytest.mark.parametrize(
    "told_of",
    [
        passthru(query(status="in-progress", Duration="5")),
        passthru(query(status=None)),
        passthru(b"CallSid=c1"),
        passthru(query(), endpoint="other"),
        passthru(query(), method="HEAD"),
        passthru(query(), repeat_of="x"),
        record(RecordKind.PASSTHRU, b"garbage"),
        record(RecordKind.STATUS, b"garbage"),
        record(99, b""),
        callback("in-progress"),
        callback("completed", call_sid=None),
    ],
)
def test_what_tells_of_no_end_of_ours_is_passed_over(told_of):
    told = Heard(ACCOUNTS)
    told.fold(told_of)
    assert (told.streams, told.calls) == ([], [])


def test_a_stream_told_of_again_counts_once():
    told = Heard(ACCOUNTS)
    told.fold(passthru(query(Duration="65")), passthru(query(Duration="65")))
    told.fold(passthru(query(Duration="65")), passthru(query(sid="s2", Duration="5")))
    assert [lasted for _, _, lasted in told.streams] == [65.0, 5.0]


def test_callbacks_tell_of_the_call_itself():
    told = Heard(ACCOUNTS)
    told.fold(callback("Completed"))
    assert told.calls == [("c7", "main", START_MS)]
    assert told.streams == []


def test_what_is_old_is_passed_over():
    told = Heard(ACCOUNTS, now_ms=START_MS + GIVE_UP_MS + 1)
    told.fold(passthru(query(Duration="65")), callback("completed"))
    assert (told.streams, told.calls) == ([], [])


def test_without_accounts_nothing_is_told():
    told = Heard({})
    told.fold(passthru(query(Duration="65")))
    assert (told.streams, told.calls) == ([], [])
