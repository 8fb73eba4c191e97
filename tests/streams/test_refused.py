"""Samples of refused requests: why, in words, and what each would have said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.journal.receipt import Sample
from switchhook.streams.refused import LONGEST_KEPT, refused_json, refused_request, said_of

RAW = b"CallSid=c1&CallFrom=09876543210&CallTo=08047112233&Direction=incoming&Stream[Status]=failed"


def one(reason="secret wrong", endpoint="sales", raw=RAW):
    return refused_request(7, 1000, Sample(endpoint, reason, raw, "203.0.113.9"))


@pytest.mark.parametrize(
    ("reason", "endpoint", "words"),
    [
        ("secret wrong", "sales", "an old, a cut or an altered one"),
        ("secret missing", "sales", "it has no secret"),
        ("not loopback", "sales", "programs on its own machine alone"),
        ("the request line is too long", "", "no readable HTTP: the request line is too long"),
    ],
)
def test_why_it_was_refused_is_said_in_words(reason, endpoint, words):
    assert words in one(reason, endpoint).why


def test_what_it_would_have_said():
    assert said_of(one().passthru) == [
        ("call", "c1"),
        ("from", "+919876543210"),
        ("to", "+918047112233"),
        ("cause", "connect_failed"),
    ]
    assert refused_json(one())["passthru"]["from"] == "+919876543210"


def test_what_could_not_be_read_says_nothing_and_is_its_beginning():
    found = one("no request line", "", b"\x16\x03\x01\xff")
    assert found.passthru is None
    assert found.cut
    assert refused_json(found)["raw"] == "\x16\x03\x01\\xff"


@pytest.mark.parametrize(("length", "cut"), [(LONGEST_KEPT, True), (LONGEST_KEPT - 1, False)])
def test_what_may_go_on_says_so(length, cut):
    assert one(raw=b"x" * length).cut is cut


@given(st.binary(max_size=300))
def test_whatever_came_is_shown(raw):
    assert refused_json(one(raw=raw))["reason"] == "secret wrong"
