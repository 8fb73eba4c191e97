"""A call by its status callbacks alone."""

from __future__ import annotations

import itertools

from switchhook.journal import Record
from switchhook.journal.receipt import RecordKind, StatusReceived, encode
from switchhook.streams.callback_story import callback_story
from switchhook.streams.parsed_record import parse_record


def callback(seq, raw):
    at = 1_700_000_000_000 + 1000 * seq
    body = encode(StatusReceived(at * 1000, "main", raw, "application/x-www-form-urlencoded"))
    return parse_record(Record(seq, RecordKind.STATUS, at, 0, None, None, body))


SAID = [
    callback(1, b"CallSid=c1&Status=queued&From=09876543210&To=08047112233&Direction=outbound-api"),
    callback(2, b"CallSid=c1&Status=no-answer&From=09876543210&To=null&EndTime=0000-00-00+00:00"),
    callback(3, b"CallSid=c1&Status=ringing&From=&To=&StartTime=2026-11-29+03:00:00"),
    callback(4, b"CallSid=c2&Status=busy&From=09876543219"),
    callback(5, b"nonsense"),
]


def test_the_order_changes_nothing_and_what_is_known_stays():
    for order in itertools.permutations(SAID):
        story = callback_story("c1", order, 7)
        assert story is not None
        assert story.text("call_status") == "no-answer"
        assert story.text("from_") == "+919876543210"
        assert story.text("to") == "+918047112233"
        assert story.text("direction") == "outbound"
        assert story.text("started_raw") == "2026-11-29 03:00:00"
        assert story.text("ended_raw") is None
        assert (story.first.received_us, story.last.received_us) == (
            1_700_000_001_000_000,
            1_700_000_003_000_000,
        )
        assert not story.streams


def test_nobody_told_of_it():
    assert callback_story("c9", SAID, 7) is None
