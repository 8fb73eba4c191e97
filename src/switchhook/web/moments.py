"""Moments as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from switchhook.exotel.fields import with_plus

if TYPE_CHECKING:
    from datetime import tzinfo


_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


_AGO = re.compile(r"([0-9]{1,6})([smhdw])")


_WHEN = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]{1,20})?)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)


_LATEST_MS = 2**63 - 1


def read_moment(text: str, now_ms: int, zone: tzinfo) -> int | None:
    """A time in ms: how long ago, a date, or a date with a time; None where it is none."""
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
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return min(max(int(moment.timestamp() * 1000), 0), _LATEST_MS)
