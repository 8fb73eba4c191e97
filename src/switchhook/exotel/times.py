"""Units of time, weekdays, the epoch, and the time zone in which Exotel tells its times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IST = timezone(timedelta(hours=5, minutes=30), "IST")
"""All times of Exotel are naive and in this zone (exotel-platform 0.2); it knows no summer time."""


def moment_of(us: int) -> datetime:
    """Unix time in microseconds as a moment in UTC; the epoch for what is beyond every calendar."""
    try:
        return EPOCH + timedelta(microseconds=us)
    except OverflowError:
        return EPOCH


def us_of(moment: datetime) -> int:
    """Unix time in microseconds."""
    return (moment - EPOCH) // timedelta(microseconds=1)
