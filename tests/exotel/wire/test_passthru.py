"""Real and hostile requests mean what is expected of them, and go round in every dialect."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.cause import judge
from switchhook.exotel.passthru import Dialect, Passthru
from switchhook.exotel.wire.build import build
from switchhook.exotel.wire.passthru import parse
from switchhook.exotel.wire.request import Request

CASES = [
    json.loads(line)
    for name in ("passthru", "hostile")
    for line in (Path(__file__).parent / f"cases/{name}.jsonl").read_text().splitlines()
]


def request_of(case: dict[str, Any]) -> Request:
    return Request(
        case["query"].encode(),
        case.get("method", "GET"),
        case.get("content_type"),
        (case.get("body") or "").encode(),
    )


def understood(passthru: Passthru) -> dict[str, object]:
    stream = passthru.stream
    said = {
        "call_sid": passthru.call_sid,
        "account_sid": passthru.account_sid,
        "direction": passthru.direction_raw,
        "from": passthru.from_raw,
        "to": passthru.to_raw,
        "digits": passthru.digits,
        "recording_url": passthru.recording_url,
        "call_type": passthru.call_type,
        "call_status": passthru.call_status,
        "dial_call_status": passthru.dial_status,
        "dial_call_duration_s": passthru.dial_duration_s,
        "legs": len(passthru.legs),
        "custom_field": passthru.custom_field,
        "flow_id": passthru.flow_id,
        "tenant_id": passthru.tenant_id,
        "event_type": passthru.event_type,
        "agent_status": passthru.agent_status,
        "end_time": passthru.ended_at,
        "forwarded_from": passthru.forwarded_from,
    }
    if stream is not None:
        said |= {
            "stream_sid": stream.sid,
            "status": stream.status,
            "duration_s": stream.duration_s,
            "stream_url": stream.url,
            "recording_url": stream.recording_url or passthru.recording_url,
            "disconnected_by": stream.disconnected_by_raw,
            "detailed_status": stream.detailed_status,
            "error": stream.error,
        }
    return said


def bare(passthru: Passthru) -> Passthru:
    """Without what a change of form may change."""
    return msgspec.structs.replace(passthru, dialect=Dialect.FLAT, noted=())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_parse_understands_case(case):
    """Each case says what it is expected to say, or one of the alternatives."""
    said = understood(parse(request_of(case)))
    for key, value in {**case.get("expect", {}), **case.get("expect_std", {})}.items():
        assert said.get(key) in [value, *case.get("alt", {}).get(key, [])], key


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_build_goes_round(case, dialect):
    """What was parsed, built in any dialect and parsed again, is the same."""
    passthru = parse(request_of(case))
    assert bare(parse(build(passthru, dialect))) == bare(passthru)


@given(
    st.binary(max_size=300),
    st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
    st.sampled_from(
        [None, "application/json", "multipart/form-data; boundary=x", "text/plain", "a/b; c"]
    ),
    st.binary(max_size=300),
)
def test_parse_is_total(query, method, content_type, body):
    """Nothing that a sender can put into a request makes parse, judge or the properties raise."""
    passthru = parse(Request(query, method, content_type, body))
    assert judge(passthru).advice
    assert isinstance(passthru.defects, tuple)


@pytest.mark.parametrize(
    ("query", "stream", "call"),
    [
        ("CallSid=abc&Status=cancelled&DisconnectedBy=user", "cancelled", None),
        ("CallSid=abc&Status=failed&DetailedStatus=Streaming_call_throttled", "failed", None),
        ("CallSid=abc&Status=completed&StreamUrl=wss://b.example/x", "completed", None),
        ("CallSid=abc&Status=completed", None, "completed"),
        ("CallSid=abc&Status=completed&CallStatus=busy&DisconnectedBy=bot", None, "busy"),
    ],
)
def test_a_bare_status_is_the_streams_beside_what_only_a_stream_has(query, stream, call):
    found = parse(Request(query.encode()))
    assert (found.stream.status if found.stream else None) == stream
    assert found.call_status == call


def test_a_bare_status_beside_an_agents_word_is_the_agents():
    found = parse(Request(b"CallSid=a&EventType=Dial&Status=busy&DisconnectedBy=user"))
    assert found.agent_status == "busy"


def test_the_seeds_first_test_is_a_caller_who_left():
    found = parse(Request(b"CallSid=abc&Status=cancelled&DisconnectedBy=user"))
    assert judge(found).cause == "caller_left_early"
