"""Times of Exotel's API: what is written is read, and what is no time is none."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.ist_time import ist_text, parse_ist


@given(st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)))
def test_what_is_written_is_read(at):
    at = at.replace(microsecond=0)
    text = ist_text(at)
    assert text is not None
    assert parse_ist(text) == at


@pytest.mark.parametrize("text", ["", "now", "0000-00-00 00:00:00", "2026-01-05T10:00:00"])
def test_what_is_no_time_is_none(text):
    assert parse_ist(text) is None


def test_no_time_is_no_text():
    assert ist_text(None) is None
