"""What bots report: taken apart whole or not at all, and read without ever raising."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.journal.bot_report import LONGEST_EVENT, MOST_EVENTS, BotEvent, read, split

EVENT = {"call_sid": "c1", "stream_sid": "s1", "event": "started", "at": 1_795_000_000.5}


def body(*events: object) -> bytes:
    return json.dumps(list(events)).encode()


@pytest.mark.parametrize("given_", [json.dumps(EVENT).encode(), body(EVENT)])
def test_one_event_or_a_list_is_understood(given_):
    (raw,), problem = split(given_)
    report = read(raw)
    assert problem == ""
    assert report is not None
    assert (report.call_sid, report.stream_sid, report.event) == ("c1", "s1", BotEvent.STARTED)
    assert (report.at_us, report.defects) == (1_795_000_000_500_000, ())


@pytest.mark.parametrize(
    ("given_", "problem"),
    [
        (b"", "the body is no JSON"),
        (b"\xff", "the body is no JSON"),
        (b"[" * 5000, "the body is no JSON"),
        (b"[]", "the list is empty"),
        (b"7", "it is no JSON object"),
        (b"{}", "it has neither call_sid nor stream_sid"),
        (b'{"call_sid": 7, "event": "ended"}', "it has neither call_sid nor stream_sid"),
        (
            b'{"call_sid": "c1"}',
            "it has no event: started, first_in, first_out, ended, error",
        ),
        (
            body(EVENT, {**EVENT, "event": "barged_in"}),
            "event 2: event 'barged_in' is not known: started, first_in, first_out, ended, error",
        ),
        *(
            (
                json.dumps({**EVENT, "at": at}).encode(),
                f"at {json.dumps(at)} is no time from 2001 to 2286: RFC 3339, or Unix seconds",
            )
            for at in (0, 12, -5, 99_999_999_999, "1970-01-01T00:00:00Z", "soon", True, [])
        ),
        (body(EVENT, 7), "event 2: it is no JSON object"),
        (body(*[EVENT] * (MOST_EVENTS + 1)), "101 events, of which at most 100 are taken at once"),
        (
            body({**EVENT, "error": "x" * LONGEST_EVENT}),
            "event 1: it has more than 2,048 bytes",
        ),
    ],
)
def test_what_is_not_understood_is_refused_whole_with_why(given_, problem):
    assert split(given_) == ([], problem)


@pytest.mark.parametrize(
    ("said", "at_us"),
    [
        (1_795_000_000, 1_795_000_000_000_000),
        (1_795_000_000_250, 1_795_000_000_250_000),
        ("1795000000.25", 1_795_000_000_250_000),
        ("2026-11-18T11:06:40Z", 1_795_000_000_000_000),
        ("2026-11-18T16:36:40+05:30", 1_795_000_000_000_000),
        ("2026-11-18 11:06:40", 1_795_000_000_000_000),
    ],
)
def test_times_are_read_in_every_form_that_bots_have_at_hand(said, at_us):
    report = read(json.dumps({**EVENT, "at": said}).encode())
    assert report is not None
    assert (report.at_us, report.defects) == (at_us, ())


@pytest.mark.parametrize("said", ["now", "", True, [], 1e400, 12, -5, "9999-12-31T23:59:59-23:59"])
def test_a_time_that_is_none_is_a_defect(said):
    report = read(json.dumps({**EVENT, "at": said}).encode().replace(b"Infinity", b"1e400"))
    assert report is None or (report.at_us is None and report.defects)


def test_an_event_of_a_later_release_is_kept_by_its_own_word():
    report = read(b'{"call_sid": "c1", "event": "barged_in", "by": "bot", "error": "none"}')
    assert report is not None
    assert (report.event, report.said, report.by) == (BotEvent.OTHER, "barged_in", "bot")
    assert [each.field for each in report.defects] == ["event"]


@given(st.binary(max_size=200) | st.recursive(st.none(), st.lists).map(lambda v: body(v)))
def test_whatever_comes_nothing_is_raised(given_):
    kept, problem = split(given_)
    assert bool(kept) != bool(problem)
    read(given_)
