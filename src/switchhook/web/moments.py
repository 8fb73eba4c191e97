"""Moments as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from switchhook.exotel.fields import with_plus
from switchhook.exotel.times import us_of

if TYPE_CHECKING:
    from datetime import tzinfo


_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


_AGO = re.compile(r"([0-9]{1,6})([smhdw])")


_WHEN = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]{1,20})?)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)
_MS = timedelta(milliseconds=1)
_LATEST_MS = us_of(datetime.max.replace(tzinfo=UTC)) // 1000


def read_moment(text: str, now_ms: int, zone: tzinfo) -> int | None:
    """A time in ms: how long ago, a date, or a date with a time; None where it is none.

    What lies before 1970 or, by its offset, beyond the year 9999 is the first or the last moment
    that there can be a receipt of: a list from there on is asked for what it would find anyway.
    """
    ago = _AGO.fullmatch(text)
    if ago:
        return max(now_ms - int(ago[1]) * _UNITS_MS[ago[2]], 0)
    found = _WHEN.fullmatch(with_plus(text))
    if not found:
        return None
    seconds = (found[3] or ":00").replace(":60", ":59")  # a leap second
    try:
        moment = datetime.fromisoformat(
            f"{found[1]}T{found[2] or '00:00'}{seconds}{(found[4] or '').upper()}"
        )
    except ValueError:
        return None
    # By subtraction, for a moment in UTC may be of a year that the calendar has not.
    offset = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).utcoffset()
    since_1970 = us_of(moment.replace(tzinfo=UTC)) // 1000 - (offset or timedelta()) // _MS
    return min(max(since_1970, 0), _LATEST_MS)
