"""Units of time, the epoch, and the time zone in which Exotel tells its times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IST = timezone(timedelta(hours=5, minutes=30), "IST")
