"""The parameters of a passthru: order, formats and quirks of the captures (exotel-platform A.5)."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import parse_qsl

import msgspec
import pytest

from switchhook import judge, parse_passthru
from switchhook.emulator.call.parameters import (
    CallParameters,
    Dialled,
    DialledLeg,
    StreamParameters,
    dynamic_url_pairs,
    encode,
    national,
    passthru_pairs,
)
from switchhook.emulator.plan.behaviour import Behaviour
from switchhook.exotel.times import IST

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=IST)
SID = "ab" * 14 + "1a15"
CALL = CallParameters(
    call_sid=SID,
    from_="+919876543210",
    exophone="+918047112233",
    outbound=False,
    created=NOON,
    started=NOON + timedelta(seconds=2),
    now=NOON + timedelta(seconds=40),
    flow_id="228040",
    tenant_id="67291",
)
STREAM = StreamParameters(
    sid=SID, status="completed", duration_s=28, url="wss://bot.example/media", disconnected_by="bot"
)
DIALECTS = ["flat", "raw-bracket", "json", "double-encoded", "mixed", "lower-case"]


def changed(**fields):
    return msgspec.structs.replace(CALL, **fields)


def test_after_gather_it_is_the_capture_key_for_key():
    pairs = passthru_pairs(changed(digits="215250"), Behaviour(shared_to="+919513880000"))
    assert pairs == [
        ("CallSid", SID),
        ("CallFrom", "09876543210"),
        ("CallTo", "08047112233"),
        ("Direction", "incoming"),
        ("Created", "Mon, 05 Jan 2026 12:00:00"),
        ("DialCallDuration", "0"),
        ("StartTime", "2026-01-05 12:00:02"),
        ("EndTime", "1970-01-01 05:30:00"),
        ("CallType", "call-attempt"),
        ("DialWhomNumber", ""),
        ("flow_id", "228040"),
        ("tenant_id", "67291"),
        ("From", "09876543210"),
        ("To", "09513880000"),
        ("CurrentTime", "2026-01-05 12:00:40"),
        ("digits", '"215250"'),
    ]
    query = encode(pairs, None, Behaviour())
    assert b"Created=Mon%2C+05+Jan+2026+12%3A00%3A00" in query
    assert query.endswith(b"&digits=%22215250%22")


def test_a_dynamic_url_is_asked_with_the_keys_of_its_captures():
    call = changed(outbound=True, custom_field="x" * 200, passthru_url="https://me.example/p?key=1")
    pairs = dict(dynamic_url_pairs(call, Behaviour()))
    assert list(pairs) == [
        "CallSid", "CallFrom", "CallTo", "Direction", "Created", "DialWhomNumber",
        "HangupLatencyStartTimeExocc", "HangupLatencyStartTime", "ServerCode", "passthru",
        "From", "To", "CurrentTime", "CustomField",
    ]  # fmt: skip
    assert pairs["Direction"] == "outbound-dial"
    assert pairs["passthru"] == r'"https:\/\/me.example\/p?key=1"'
    assert len(pairs["CustomField"]) == 128


def test_after_connect_the_legs_are_told():
    leg = DialledLeg(
        number="+919000000001", parallel=False, talk_s=20, cause="16", cause_code="NORMAL_CLEARING"
    )
    dialled = Dialled(
        status="completed", seconds=25, legs=(leg,), call_type="completed", recording_url="http://r"
    )
    told = parse_passthru(
        encode(passthru_pairs(changed(dialled=dialled), Behaviour()), None, Behaviour())
    )
    assert told.dial_status == "completed"
    assert told.dial_duration_s == 25
    assert told.call_type == "completed"
    assert told.dial_whom_number == "09000000001"
    assert told.recording_url == "http://r"
    assert [(leg.number, leg.on_call_duration_s, leg.cause_code) for leg in told.legs] == [
        ("09000000001", 20, "NORMAL_CLEARING")
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_backend_reads_every_dialect_as_the_same_stream(dialect):
    behaviour = Behaviour(dialect=dialect)
    told = parse_passthru(encode(passthru_pairs(CALL, behaviour), STREAM, behaviour))
    assert told.dialect == dialect
    assert told.call_sid == SID
    assert told.stream.sid == SID
    assert told.stream.url == "wss://bot.example/media"
    assert told.stream.duration_s == 28
    assert judge(told).cause == "bot_done"


def test_json_has_the_order_and_escaped_slashes_of_the_seed():
    pairs = dict(parse_qsl(encode([], STREAM, Behaviour(dialect="json")).decode()))
    assert pairs["Stream"] == (
        f'{{"StreamSID":"{SID}","Status":"completed","Duration":"28",'
        r'"StreamUrl":"wss:\/\/bot.example\/media","DisconnectedBy":"bot"}'
    )


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (Behaviour(numbers="zero"), b"CallFrom=09876543210"),
        (Behaviour(numbers="e164"), b"CallFrom=%2B919876543210"),
        (Behaviour(numbers="plus-as-space"), b"CallFrom=+919876543210"),
        (Behaviour(direction="seed"), b"Direction=inbound"),
        (Behaviour(change={"CallSid": "other"}), b"CallSid=other&"),
        (Behaviour(change={"NewKey": "1"}), b"&NewKey=1"),
        (Behaviour(change={"Stream[Status]": "paused"}), b"Stream%5BStatus%5D=paused"),
    ],
)
def test_quirks_show_on_the_wire(behaviour, expected):
    assert expected in encode(passthru_pairs(CALL, behaviour), STREAM, behaviour)


def test_any_parameter_can_be_left_out():
    behaviour = Behaviour(leave_out=("CallSid", "Stream[StreamSID]"))
    query = encode(passthru_pairs(CALL, behaviour), STREAM, behaviour)
    assert b"CallSid" not in query
    assert b"StreamSID" not in query
    assert b"Stream%5BStatus%5D" in query


@pytest.mark.parametrize(
    ("number", "written"),
    [("+919876543210", "09876543210"), ("+6591234567", "+6591234567"), ("sip:a@b", "sip:a@b")],
)
def test_only_indian_numbers_get_a_zero(number, written):
    assert national(number) == written


def test_a_wrong_patch_names_what_is_wrong():
    with pytest.raises(msgspec.ValidationError, match="dialect"):
        Behaviour().changed({"dialect": "xml"})
    with pytest.raises(msgspec.ValidationError, match="no_such"):
        Behaviour().changed({"no_such": 1})
