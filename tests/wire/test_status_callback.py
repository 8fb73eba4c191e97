"""Status callbacks and heartbeats: what is built is read, in both forms (platform.md E.3, E.7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.wire.request import Request
from switchhook.wire.status_callback import (
    Heartbeat,
    StatusCallback,
    build_full,
    build_heartbeat,
    build_minimal,
    parse,
    parse_heartbeat,
)

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=30)
FIELDS = [name for name in StatusCallback.__struct_fields__ if name != "legs"]
CALLBACKS = st.fixed_dictionaries(
    {"call_sid": TEXT, "status": TEXT},
    optional={name: TEXT for name in FIELDS if name not in ("call_sid", "status")},
).map(lambda said: StatusCallback(**said))


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


def test_the_minimal_form_leaves_out_what_is_not_there():
    callback = StatusCallback(call_sid="a", status="completed", date_updated="now", to="x")
    _, body = build_minimal(callback, json=True)
    assert body == b'{"CallSid":"a","Status":"completed","DateUpdated":"now"}'


@given(st.binary(max_size=200), st.sampled_from([None, "application/json", "multipart/form-data"]))
def test_it_never_raises(body, content_type):
    parse(Request(b"", "POST", content_type, body))
    parse_heartbeat(body)


def test_a_heartbeat_is_read_as_built():
    beat = Heartbeat(timestamp="2026-01-05T10:00:00+05:30", status_type="OK", data={"a": 1})
    assert parse_heartbeat(build_heartbeat(beat)) == beat
    assert parse_heartbeat(b"{}") is None
