"""What one stream's end says of whom."""

from __future__ import annotations

import msgspec
import pytest

from kept_receipts import query, receipt
from switchhook.exotel.cause import Cause
from switchhook.journal.receipt import RecordKind, encode
from switchhook.journal.segment import Record
from switchhook.streams.facet import Facet
from switchhook.streams.names import Bot, NamedAccount, Names
from switchhook.streams.parsed_record import PassthruRecord, parse_record
from switchhook.troubles.outcomes import EndedStream, Measure, UsualTalk, ended_stream, outcomes

NAMES = Names(accounts=(NamedAccount("Main", "sid"),), bots=(Bot("Sales", hosts=("a.example",)),))
AT = 1_795_000_000_000


def said(cause, seconds=60, usual=None):
    """Whom it tells of, and whether it went badly, by measure."""
    facet = Facet("sales", "", str(cause), "A", host="a.example")
    found = outcomes(EndedStream(AT, facet, seconds=seconds), "Sales", NAMES, usual)
    return {subject.measure: (subject.name, outcome.failed) for subject, outcome in found}


@pytest.mark.parametrize("cause", [Cause.CONNECT_FAILED, Cause.BOT_DROPPED])
def test_a_bot_that_can_t_be_reached_or_drops_the_talk_fails(cause):
    assert said(cause)[Measure.BOT_FAILS] == ("Sales", True)
    assert said(cause)[Measure.LIMIT] == ("Main", False)


def test_a_throttled_stream_says_nothing_of_the_bot():
    assert said(Cause.THROTTLED) == {Measure.LIMIT: ("Main", True)}


def test_a_caller_who_left_early_says_nothing_of_whether_the_bot_fails():
    assert said(Cause.CALLER_LEFT_EARLY) == {
        Measure.LIMIT: ("Main", False),
        Measure.CALLERS_LEAVE: ("Sales", True),
    }


@pytest.mark.parametrize(
    ("cause", "seconds", "left"),
    [
        (Cause.BOT_DONE, 0, True),
        (Cause.BOT_DONE, 3, True),
        (Cause.BOT_DONE, 4, False),
        (Cause.BOT_DONE, None, False),
        (Cause.CALLER_LEFT, 1, False),
    ],
)
def test_a_bot_that_ends_the_talk_at_once_leaves(cause, seconds, left):
    assert said(cause, seconds)[Measure.BOT_LEAVES] == ("Sales", left)
    assert said(cause, seconds)[Measure.BOT_FAILS] == ("Sales", False)


def test_a_talk_that_neither_ended():
    assert said(Cause.ENDED_BY_SYSTEM)[Measure.NOBODY_ENDED] == ("Sales", True)
    assert said(Cause.BOT_DONE)[Measure.NOBODY_ENDED] == ("Sales", False)


@pytest.mark.parametrize(
    ("cause", "seconds", "short"),
    [
        (Cause.CALLER_LEFT, 14, True),
        (Cause.CALLER_LEFT, 15, False),
        (Cause.CALLER_LEFT, 0, True),
        (Cause.BOT_DONE, 4, True),
        (Cause.BOT_DONE, 60, False),
    ],
)
def test_a_talk_that_is_much_shorter_than_usual(cause, seconds, short):
    assert said(cause, seconds, UsualTalk(15, 60))[Measure.TALKS_SHORT] == ("Sales", short)
    assert Measure.TALKS_SHORT not in said(cause, seconds), "where nothing is usual"


@pytest.mark.parametrize(
    ("cause", "seconds"),
    [
        (Cause.BOT_DONE, 3),  # it left at once, which is told by itself
        (Cause.CALLER_LEFT, None),
        (Cause.CALLER_LEFT_EARLY, 2),
        (Cause.BOT_DROPPED, 2),
        (Cause.CONNECT_FAILED, 0),
        (Cause.ENDED_BY_SYSTEM, 2),
    ],
)
def test_what_is_no_whole_talk_says_nothing_of_how_long_they_last(cause, seconds):
    assert Measure.TALKS_SHORT not in said(cause, seconds, UsualTalk(15, 60))


@pytest.mark.parametrize("cause", [Cause.UNKNOWN, Cause.NO_STREAM])
def test_what_is_not_known_says_nothing(cause):
    assert said(cause) == {}


def test_every_cause_but_those_says_something():
    silent = {cause for cause in Cause if not said(cause)}
    assert silent == {Cause.UNKNOWN, Cause.NO_STREAM}


# What a passthru tells of a stream's end.


def stream_of(raw, **changes):
    body = encode(msgspec.structs.replace(receipt(raw), **changes))
    parsed = parse_record(Record(1, RecordKind.PASSTHRU, AT, None, None, None, body))
    assert isinstance(parsed, PassthruRecord)
    return ended_stream(parsed, AT)


def test_a_stream_that_runs_has_not_ended():
    assert stream_of(query("c1", "s1", "in-progress")) is None
    assert stream_of(query("c1", None, None)) is None


def test_a_repeat_tells_nothing_new():
    assert stream_of(query("c1", "s1", "completed"), repeat_of="r") is None
    assert stream_of(query("c1", "s1", "completed"), method="HEAD") is None


def test_whose_stream_it_was_and_how_long():
    stream = stream_of(query("c1", "s1", "completed", Duration="7", DisconnectedBy="bot"))
    assert (stream.at_ms, stream.key, stream.seconds) == (AT, ("c1", "s1"), 7)
    assert stream.facet.cause == Cause.BOT_DONE


def test_a_caller_is_the_one_who_is_no_exophone_and_no_number_is_kept():
    numbers = b"&CallFrom=09876543210&CallTo=08047112233&Direction="
    calls = stream_of(query("c1", "s1", "failed") + numbers + b"incoming")
    again = stream_of(query("c2", "s2", "failed") + numbers + b"incoming")
    called = stream_of(query("c3", "s3", "failed") + numbers + b"outbound-dial")
    assert calls.caller == again.caller != called.caller
    assert "9876543210" not in repr(calls).replace(repr(calls.facet), "")
    unknown = stream_of(query("c4", "s4", "failed"))
    assert unknown.caller == hash("c4")
