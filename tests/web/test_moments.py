"""Moments as people write them: how long ago, a date, a date with a time."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.web.moments import read_moment

NOW_MS = 1_790_000_000_000
IST = ZoneInfo("Asia/Kolkata")


@pytest.mark.parametrize(
    "text, ago_s",
    [("0s", 0), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86_400), ("2w", 1_209_600)],
)
def test_how_long_ago(text, ago_s):
    assert read_moment(text, NOW_MS, UTC) == NOW_MS - ago_s * 1000


def test_nothing_was_before_1970():
    assert read_moment("999999w", NOW_MS, UTC) == 0
    assert read_moment("1960-01-01", NOW_MS, UTC) == 0


@pytest.mark.parametrize(
    "text, meant",
    [
        ("2026-11-25", "2026-11-25T00:00:00+05:30"),
        ("2026-11-25T10:30", "2026-11-25T10:30:00+05:30"),
        ("2026-11-25 10:30:15", "2026-11-25T10:30:15+05:30"),
        ("2026-11-25t10:30z", "2026-11-25T10:30:00+00:00"),
        ("2026-11-25T10:30:15.250+08:00", "2026-11-25T10:30:15.250+08:00"),
        # As a plus arrives that nobody escaped in a query.
        ("2026-11-25T10:30 08:00", "2026-11-25T10:30:00+08:00"),
        ("2026-12-31T23:59:60Z", "2026-12-31T23:59:59+00:00"),
    ],
)
def test_a_date_is_of_the_zone_unless_it_says_another(text, meant):
    assert read_moment(text, NOW_MS, IST) == datetime.fromisoformat(meant).timestamp() * 1000


@pytest.mark.parametrize(
    "text",
    ["", "now", "5", "m", "-5m", "5y", "1234567s", "2026-13-01", "2026-02-30", "2026-11-25T25:00"],
)
def test_what_is_no_moment_is_none(text):
    assert read_moment(text, NOW_MS, UTC) is None


@given(st.text(max_size=40))
def test_no_text_raises(text):
    found = read_moment(text, NOW_MS, IST)
    assert found is None or found >= 0


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)))
def test_what_is_written_whole_is_read_back(moment):
    text = moment.replace(tzinfo=UTC, microsecond=0).isoformat()
    assert read_moment(text, NOW_MS, IST) == datetime.fromisoformat(text).timestamp() * 1000
