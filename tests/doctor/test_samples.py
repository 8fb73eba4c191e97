"""The passthrus that an endpoint is asked with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook import judge, parse_passthru
from switchhook.doctor.samples import LONG_BYTES, as_target, completed, failed, long, odd
from switchhook.rules.rules_file import BUILTIN

TEST = "00112233aabbccdd"


@pytest.mark.parametrize(
    ("make", "cause"),
    [(completed, "bot_done"), (odd, "bot_done"), (long, "bot_done"), (failed, "connect_failed")],
)
def test_each_is_understood_as_what_it_is_called(make, cause):
    passthru = parse_passthru(make(TEST))
    assert passthru.call_sid == f"test-{TEST}"
    assert judge(passthru).cause == cause
    assert not passthru.defects
    assert BUILTIN.rules  # by which a failed stream takes B: tests/journeys/test_marked.py


def test_the_long_one_has_its_length():
    assert len(long(TEST)) == LONG_BYTES


@given(st.text())
def test_any_query_can_stand_in_a_request_line(query):
    target = as_target(query)
    assert target.isascii()
    assert target.isprintable()
    assert " " not in target
    assert "#" not in target


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ("?a=1&Stream[Status]=failed", "a=1&Stream[Status]=failed"),
        ("a=%20b+c", "a=%20b+c"),
        ("a=b c#d", "a=b%20c%23d"),
        ("name=कमल", "name=%E0%A4%95%E0%A4%AE%E0%A4%B2"),
    ],
)
def test_what_is_escaped_stays_as_it_is(query, target):
    assert as_target(query) == target
