"""Status callbacks and heartbeats: what is built is read (exotel-platform E.3, E.7)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.request import Request
from switchhook.exotel.wire.scalar import clean
from switchhook.exotel.wire.status_callback import (
    Heartbeat,
    StatusCallback,
    build_full,
    build_heartbeat,
    build_minimal,
    parse,
    parse_heartbeat,
)

from .odd_json import odd_bodies

TEXT = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=30
).filter(clean)
FIELDS = [name for name in StatusCallback.__struct_fields__ if name != "legs"]
CALLBACKS = st.fixed_dictionaries(
    {"call_sid": TEXT, "status": TEXT},
    optional={name: TEXT for name in FIELDS if name not in ("call_sid", "status")},
).map(lambda said: msgspec.convert(said, StatusCallback))


@pytest.mark.parametrize(
    "body",
    [
        b"CallSid=c1&Status=busy&From=null&To=&From=09876543210",
        b'{"CallSid": "c1", "Status": "busy", "From": null, "To": "null", "from": "09876543210"}',
    ],
)
def test_null_and_nothing_are_not_said(body):
    """Not even before a word of the same name that says something."""
    found = parse(Request(b"", "POST", None, body))
    assert found == StatusCallback(call_sid="c1", status="busy", from_="09876543210")


@given(CALLBACKS, st.booleans())
def test_what_is_built_is_read(callback, json):
    content_type, body = build_full(callback, json=json)
    assert parse(Request(b"", "POST", content_type, body)) == callback


@pytest.mark.parametrize("json", [True, False])
def test_legs_are_told_in_both_forms(json):
    legs = ({"OnCallDuration": "7", "Status": "completed"}, {"Status": "busy"})
    callback = StatusCallback(call_sid="a", status="completed", legs=legs)
    content_type, body = build_full(callback, json=json)
    assert parse(Request(b"", "POST", content_type, body)) == callback


@pytest.mark.parametrize("legs", ["[[true]]", "[[null]]", "[[7]]", "[true]", "[]", '["ab"]'])
def test_legs_that_are_none_hide_nothing_else(legs):
    body = f"CallSid=a&Status=completed&Legs={legs}".encode()
    callback = parse(Request(b"", "POST", "application/x-www-form-urlencoded", body))
    assert callback is not None
    assert callback.call_sid == "a"
    assert not any(callback.legs)


def test_the_minimal_form_leaves_out_what_is_not_there():
    callback = StatusCallback(call_sid="a", status="completed", date_updated="now", to="x")
    _, body = build_minimal(callback, json=True)
    assert body == b'{"CallSid":"a","Status":"completed","DateUpdated":"now"}'


@given(
    st.binary(max_size=200) | odd_bodies("Legs", "CallSid", "Status", "data"),
    st.sampled_from([None, "application/json", "multipart/form-data"]),
)
def test_it_never_raises(body, content_type):
    parse(Request(b"", "POST", content_type, body))
    parse_heartbeat(body)


def test_a_heartbeat_is_read_as_built():
    beat = Heartbeat(timestamp="2026-01-05T10:00:00+05:30", status_type="OK", data={"a": 1})
    assert parse_heartbeat(build_heartbeat(beat)) == beat
    assert parse_heartbeat(b"{}") is None


@pytest.mark.parametrize("cut", [9_000, 20_000, 30_000, 40_000])
def test_a_heartbeat_that_was_cut_off_says_what_it_can(cut):
    numbers = tuple(f"0804711{number:04d}" for number in range(1500))
    whole = Heartbeat(
        timestamp="2026-11-25T10:00:00Z",
        status_type="CRITICAL",
        incoming_affected=numbers,
        outgoing_affected=numbers,
        data={"x": "y" * 5000},
    )
    read = parse_heartbeat(build_heartbeat(whole)[:cut])
    assert read is not None
    assert (read.timestamp, read.status_type) == (whole.timestamp, whole.status_type)
    for some in (read.incoming_affected, read.outgoing_affected):
        assert some == numbers[: len(some)]
    assert len(read.incoming_affected) == min(1500, (cut - 80) // 14)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"timestamp":"x"', b'["timestamp"', b'x{"timestamp":"x","status_type":"OK"',
     b'{"timestamp":1,"status_type":2}', b'{"timestamp":"x","status_type":7}', b"[" * 60_000,
     b'{"' + b'"timestamp":[' * 5000],
)  # fmt: skip
def test_what_is_no_heartbeat_is_none(body):
    assert parse_heartbeat(body) is None
