"""What a node says of a request that it passes on, and what counts as proof of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.cluster.forwarding import WINDOW_MS, Asked, Forwarded, ForwardError, received

KEY, NOW = bytes(range(32)), 1_800_000_000_000
ASKED = Asked("POST", b"/pools/sales?all=1", b"10.0.0.2:8081")
SAID = Forwarded("203.0.113.9", 7, NOW)


def test_what_is_said_comes_over():
    assert received(SAID.header(KEY, ASKED), KEY, ASKED, NOW) == SAID


def test_who_asks_by_no_address_has_none():
    said = Forwarded("", 7, NOW)
    assert received(said.header(KEY, ASKED), KEY, ASKED, NOW) == said


@pytest.mark.parametrize("late_ms", [WINDOW_MS, -WINDOW_MS])
def test_it_is_good_for_a_while(late_ms):
    value = SAID.header(KEY, ASKED)
    assert received(value, KEY, ASKED, NOW + late_ms) == SAID
    with pytest.raises(ForwardError, match="too long ago"):
        received(value, KEY, ASKED, NOW + late_ms + (1 if late_ms > 0 else -1))


@pytest.mark.parametrize(
    "asked",
    [
        Asked("GET", ASKED.target, ASKED.host),
        Asked("POST", b"/pools/sales?all=2", ASKED.host),
        Asked("POST", ASKED.target, b"10.0.0.3:8081"),
    ],
)
def test_it_is_proof_of_that_request_alone(asked):
    with pytest.raises(ForwardError, match="proof"):
        received(SAID.header(KEY, ASKED), KEY, asked, NOW)


def test_another_key_proves_nothing():
    with pytest.raises(ForwardError, match="proof"):
        received(SAID.header(bytes(32), ASKED), KEY, ASKED, NOW)


def test_another_address_in_it_proves_nothing():
    value = SAID.header(KEY, ASKED).replace(b"203.0.113.9", b"127.0.0.1")
    with pytest.raises(ForwardError, match="proof"):
        received(value, KEY, ASKED, NOW)


@given(st.binary(max_size=500))
def test_anything_else_is_refused(value):
    with pytest.raises(ForwardError):
        received(value, KEY, ASKED, NOW)
