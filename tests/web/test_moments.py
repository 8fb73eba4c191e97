"""Moments as people write them: how long ago, a date, a date with a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.times import moment_of, us_of
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
    "text",
    ["0001-01-01T00:00:00+00:01", "0001-01-01T00:00:00Z", "0001-01-01", "1969-12-31T23:59:59Z"],
)
def test_before_1970_is_1970_also_where_the_calendar_in_utc_ends(text):
    assert read_moment(text, NOW_MS, IST) == 0


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60-23:59"]
)
def test_the_last_moment_is_the_last_that_can_be_written(text):
    found = read_moment(text, NOW_MS, IST)
    assert found is not None
    assert moment_of(found * 1000).isoformat() == "9999-12-31T23:59:59.999000+00:00"


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
    [
        *("", "noon", "5", "m", "-5m", "5y", "1234567s", "2026-13-01", "2026-02-30"),
        *("2026-11-25T25:00", "2026-11-25T10:00+24:00", "0000-01-01", "2026-11-25T10:00:61Z"),
    ],
)
def test_what_is_no_moment_is_none(text):
    assert read_moment(text, NOW_MS, UTC) is None


@given(st.text(max_size=40))
def test_no_text_raises(text):
    found = read_moment(text, NOW_MS, IST)
    assert found is None or found >= 0


@given(st.datetimes(), st.integers(-1439, 1439))
def test_every_time_of_the_calendar_is_read_whatever_its_offset(moment, minutes):
    """As the API's description promises: its times are of the format `date-time`."""
    zone = timezone(timedelta(minutes=minutes))
    text = moment.replace(tzinfo=zone).isoformat(timespec="milliseconds")
    found = read_moment(text, NOW_MS, IST)
    assert found is not None
    assert moment_of(found * 1000).year >= 1970
    if 1971 <= moment.year < 9999:
        moved = moment.replace(tzinfo=UTC) - timedelta(minutes=minutes)
        assert found == us_of(moved) // 1000


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)))
def test_what_is_written_whole_is_read_back(moment):
    text = moment.replace(tzinfo=UTC, microsecond=0).isoformat()
    assert read_moment(text, NOW_MS, IST) == datetime.fromisoformat(text).timestamp() * 1000
