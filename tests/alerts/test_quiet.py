"""When people are not told."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from switchhook.alerts.quiet import OnCall, Quiet

IST = ZoneInfo("Asia/Kolkata")


def at(text):
    return int(datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=IST).timestamp() * 1000)


@pytest.mark.parametrize(
    ("hours", "moment", "night"),
    [
        ((22 * 60, 7 * 60), "25 21:59", ""),
        ((22 * 60, 7 * 60), "25 22:00", "2026-11-25"),
        ((22 * 60, 7 * 60), "26 06:59", "2026-11-25"),
        ((22 * 60, 7 * 60), "26 07:00", ""),
        ((60, 300), "26 02:00", "2026-11-26"),
        ((60, 300), "26 05:00", ""),
        (None, "25 23:00", "2026-11-25"),
    ],
)
def test_nights(hours, moment, night):
    quiet = Quiet(hours)
    assert quiet.night(at(moment)) == night
    assert quiet.quiet(at(moment)) is (bool(night) and hours is not None)


@pytest.mark.parametrize(
    ("hours", "zone", "moment", "there"),
    [
        ((9 * 60, 18 * 60), "Asia/Kolkata", "25 09:00", True),
        ((9 * 60, 18 * 60), "Asia/Kolkata", "25 18:00", False),
        ((22 * 60, 6 * 60), "Asia/Kolkata", "26 05:59", True),
        ((22 * 60, 6 * 60), "Asia/Kolkata", "25 21:59", False),
        ((9 * 60, 18 * 60), "Europe/London", "25 14:29", False),
        ((9 * 60, 18 * 60), "Europe/London", "25 14:30", True),
    ],
)
def test_who_is_on_call_goes_by_their_own_clock(hours, zone, moment, there):
    assert OnCall(hours, zone).now(at(moment)) is there
