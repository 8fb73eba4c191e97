"""Identifiers with the IST day at their end (exotel-platform 0.3)."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.sid import day_of, mint

DAYS = st.dates(date(2016, 1, 1), date(2255, 12, 31))


@given(st.binary(min_size=14, max_size=14), DAYS)
def test_the_day_is_read_back(entropy, day):
    sid = mint(entropy, day)
    assert len(sid) == 32
    assert sid.startswith(entropy.hex())
    assert day_of(sid) == day


@pytest.mark.parametrize(
    "tail, day",
    [
        ("187v", date(2024, 7, 31)),
        ("1893", date(2024, 9, 3)),
        ("198c", date(2025, 8, 12)),
        ("1a8p", date(2026, 8, 25)),
        ("162l", date(2022, 2, 21)),
        ("18ff", None),
        ("1820", None),
        ("zzzz", None),
    ],
)
def test_tails_that_were_seen(tail, day):
    assert day_of("0" * 28 + tail) == day


def test_other_texts_have_no_day():
    assert day_of("CA123") is None
    with pytest.raises(ValueError, match="3 bytes"):
        mint(b"abc", date(2026, 1, 1))
