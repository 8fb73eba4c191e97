"""What is read by a known shape is what `parse` reads, for any bytes; ordinary requests are."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exotel.wire.test_passthru import CASES, request_of
from switchhook.exotel.wire import keys
from switchhook.exotel.wire.known_shapes import MOST, KnownShapes, QuickReader
from switchhook.exotel.wire.passthru import parse
from switchhook.exotel.wire.plain_query import LONGEST
from switchhook.exotel.wire.request import Request

ORDINARY = (
    b"CallSid=5f3c1e9b7a2d4c6e8f0a1b2c3d4e5f60&CallFrom=09812345678&CallTo=08047112233"
    b"&Direction=incoming&Created=Mon%2C+23+Nov+2026+14%3A13%3A00&DialCallDuration=0"
    b"&StartTime=2026-11-23+14%3A13%3A00&EndTime=1970-01-01+05%3A30%3A00&CallType=call-attempt"
    b"&digits=&flow_id=1234&tenant_id=1&From=%2B919812345678&To=08047112233&Wait=a%3Db"
    b"&Stream%5BStreamSID%5D=s1&Stream%5BStatus%5D=completed&Stream%5BDuration%5D=42"
    b"&Stream%5BStreamUrl%5D=wss%3A%2F%2Fbot.example.com%2Fm%3Frate%3D16000"
    b"&Stream%5BDisconnectedBy%5D=user"
)

shapes = KnownShapes()
"""One for all: that a shape is known must change nothing."""


def agree(request: Request) -> bool:
    """Whether the shape was taken; it has to be what `parse` gives, then."""
    for _ in range(2):
        found = shapes.read(request, "IN")
        assert found is None or found == parse(request)
    return found is not None


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_every_case_is_read_alike(case):
    agree(request_of(case))


@pytest.mark.parametrize(
    "query",
    [
        ORDINARY,
        ORDINARY.replace(b"%5B", b"[").replace(b"%5D", b"]"),
        ORDINARY.replace(b"completed", b""),
        b"CallSid=a&From=0981",
    ],
)
def test_what_exotel_sends_is_taken(query: bytes):
    assert agree(Request(query))


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"CallSid=a",
        b"CallSid=a&&From=1",
        b"CallSid=a&From",
        b"CallSid&From=a=b",
        b"CallSid=a;From=b&To=c",
        b"CallSid=a&From=+919812345678",
        b"CallSid=a&digits=%221%22",
        b"CallSid=a&digits=NuLl",
        b"CallSid=a&Stream={}",
        b"CallSid=a&Stream%5BStatus%5D=b&Stream%5BStatus%5D=c",
        b"CallSid=a&Status=b",
        b"callsid=a&from=b",
        b"CallSid=a&Legs%5B0%5D%5BType%5D=b",
        b"CallSid=a&From=",
        b"CallSid=a&x=%2541",
        b"CallSid=a&x=%zz",
        b"CallSid=a&x=%0A",
        b"CallSid=a&x=%1Eb%1Fc",
        b"CallSid%1fc1&Stream[Status]%1ffailed&From=1",
        b"CallSid=a%1eFrom=b",
        b"CallSid%1Fa%1EFrom=b&To%1fc",
        b"CallSid=a\x00From=b&c=d",
        b"CallSid=a&x=\xc3\xa9",
        b"CallSid=a&x=%C3%A9",
        b"CallSid=a&x+y=b",
        b"CallSid=a&x%3Dy=b",
        b"CallSid=a&x=b+",
        b"CallSid=a&x=b?CallSid=c",
        b"CallSid=a&x=" + b"b" * LONGEST,
    ],
)
def test_what_is_odd_is_left(query: bytes):
    assert not agree(Request(query))


def test_a_post_and_a_body_are_left():
    assert not agree(Request(ORDINARY, "POST"))
    assert not agree(Request(ORDINARY, "GET", None, b"a=b"))


def test_shapes_fill_no_memory():
    many = KnownShapes()
    for number in range(2 * MOST):
        many.read(Request(b"CallSid=a&x%d=b" % number), "IN")
    assert len(many._shapes) <= MOST


NAMES = [
    *keys.CALL_KEYS.values(), *keys.NUMBER_KEYS.values(),
    *(f"Stream[{name}]" for name in keys.STREAM_KEYS.values()),
    "Stream", "Status", "StreamSid", "stream.status", "stream_sid", "Legs[0][Type]", "Legs",
    "callfrom", "call_sid", "x", "Wait", "a=b", "a b", "Stream[Status", "é", "", "passthru",
]  # fmt: skip
VALUES = [
    "", "null", "NULL", '"1"', " a", "a ", "a b", "+919812345678", "%2B919812345678", "1", "a=b",
    "a&b", "{}", '{"Status":"x"}', "completed", "wss://h/m?a=b", "é", "\n", "\x1e", "\x1f", "\x7f",
    "%41", "a;b=c", "0", '"', "!", "null ", "2026-11-23 14:13:00", "x" * 300,
]  # fmt: skip
SIGNS = ["=", "=", "=", "=", "=", "", "==", "%1F", "%3D"]
_texts = st.one_of(st.sampled_from(VALUES), st.sampled_from(VALUES), st.text(max_size=6))
_Encode = Callable[[str], str]
_encoders: st.SearchStrategy[_Encode] = st.sampled_from(
    [lambda t: quote(t, safe=""), quote_plus, lambda t: quote(t, safe="[]:/,"), str]
)


@st.composite
def _queries(draw: st.DrawFn) -> bytes:
    pieces = []
    for key in draw(st.lists(st.sampled_from(NAMES), max_size=8)):
        encode, sign = draw(_encoders), draw(st.sampled_from(SIGNS))
        pieces.append(f"{encode(key)}{sign}{encode(draw(_texts))}")
    raw = draw(st.sampled_from(["&", "&", "&", "&&", ";", "%1e"])).join(pieces)
    return raw.encode("utf-8", "surrogatepass")


@settings(max_examples=1500)
@given(_queries())
def test_it_agrees_on_what_people_might_send(query: bytes):
    agree(Request(query))


@settings(max_examples=500)
@given(st.integers(0, len(ORDINARY)), st.binary(max_size=3), st.integers(0, 3))
@example(9, b"\x1e", 0)
@example(9, b"=\n", 0)
def test_it_agrees_on_an_ordinary_request_with_a_fault_in_it(at: int, said: bytes, without: int):
    agree(Request(ORDINARY[:at] + said + ORDINARY[at + without :]))


@given(st.binary(max_size=60))
def test_it_agrees_on_any_bytes(query: bytes):
    agree(Request(query))


def test_once_the_quick_way_failed_all_is_read_the_other_way(monkeypatch):
    """And it is said once, with nothing of the request."""
    said = []
    reader = QuickReader(said.append)
    request = Request(b"CallSid=c1&CallFrom=09876543210&Status=completed")
    expected = parse(request)
    assert reader.read(request, "IN") == expected

    def fail(*_args):
        raise LookupError("09876543210")

    with monkeypatch.context() as patch:
        patch.setattr(KnownShapes, "read", fail)
        assert [reader.read(request, "IN") for _ in range(3)] == [expected] * 3
    assert said == ["reading known shapes failed with LookupError; off until a restart"]
    assert reader.read(request, "IN") == expected
