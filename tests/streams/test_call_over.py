"""What says that a call is over, and of which call."""

from __future__ import annotations

import pytest

from kept_receipts import query, receipt
from switchhook.journal import Record
from switchhook.journal.receipt import RecordKind, StatusReceived, encode
from switchhook.streams.call_over import says_over
from switchhook.streams.parsed_record import parse_record


def passthru(more, **given):
    body = encode(receipt(query("c1", "s1", "in-progress") + more, **given))
    return parse_record(Record(1, RecordKind.PASSTHRU, 1_700_000_000_000, 0, None, None, body))


def callback(raw):
    body = encode(StatusReceived(1, "main", raw, "application/x-www-form-urlencoded"))
    return parse_record(Record(1, RecordKind.STATUS, 1_700_000_000_000, 0, None, None, body))


@pytest.mark.parametrize(
    "parsed, over",
    [
        (passthru(b""), False),
        (passthru(b"&EndTime=1970-01-01+05%3A30%3A00&CallStatus=in-progress"), False),
        (passthru(b"&EndTime=0000-00-00+00%3A00%3A00"), False),
        (passthru(b"&EndTime=2026-11-29+03%3A00%3A00"), True),
        (passthru(b"&CallStatus=completed"), True),
        (passthru(b"&CallStatus=completed", method="HEAD"), False),
        (callback(b"CallSid=c1&Status=completed"), True),
        (callback(b"CallSid=c1&Status=no-answer"), True),
        (callback(b"CallSid=c1&Status=in-progress"), False),
        (callback(b"CallSid=c1&Status=null&EndTime=1970-01-01+05%3A30%3A00"), False),
        (callback(b"CallSid=c2&Status=completed"), False),
        (callback(b"nonsense"), False),
    ],
)
def test_what_says_that_a_call_is_over(parsed, over):
    assert says_over(parsed, "c1") is over
