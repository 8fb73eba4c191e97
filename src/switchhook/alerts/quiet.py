"""When people are not told: quiet hours, hours on call, and silences."""

from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from switchhook.exotel.times import EPOCH

if TYPE_CHECKING:
    from datetime import datetime

    from switchhook.alerts.alert import Alert
    from switchhook.metrics import Labels

_NIGHT = (22 * 60, 7 * 60)


class Quiet(msgspec.Struct, frozen=True):
    """When people sleep, in minutes of their day; `hours` is None where nothing is to be quiet.

    Nights are counted all the same, from 22:00 to 07:00.
    """

    hours: tuple[int, int] | None = None
    zone: str = "Asia/Kolkata"

    def night(self, now_ms: int) -> str:
        """The day on whose evening the night began that a time is in; empty by day."""
        hours, local = self.hours or _NIGHT, _local(now_ms, self.zone)
        if not _within(hours, _minute(local)):
            return ""
        past_midnight = hours[0] > hours[1] and _minute(local) < hours[1]
        return (local.date() - timedelta(days=past_midnight)).isoformat()

    def quiet(self, now_ms: int) -> bool:
        """Whether only what is critical may speak."""
        return self.hours is not None and bool(self.night(now_ms))


class OnCall(msgspec.Struct, frozen=True):
    """When somebody may be called, in minutes of their day."""

    hours: tuple[int, int]
    zone: str = "Asia/Kolkata"

    def now(self, now_ms: int) -> bool:
        return _within(self.hours, _minute(_local(now_ms, self.zone)))


class Silence(msgspec.Struct, frozen=True):
    """Mutes the alerts that match every pair, `rule` or a label by a pattern, until a time."""

    id: int
    matcher: Labels
    since_ms: int
    until_ms: int
    reason: str
    by: str

    def covers(self, alert: Alert, now_ms: int) -> bool:
        if not self.since_ms <= now_ms < self.until_ms:
            return False
        return matches(self.matcher, alert)


def matches(matcher: Labels, alert: Alert) -> bool:
    """Whether an alert has what every pair says: `rule` or a label, by a pattern such as `Sales*`.

    One without pairs takes all.
    """
    said = {**dict(alert.labels), "rule": alert.rule}
    return all(fnmatchcase(said.get(name, ""), pattern) for name, pattern in matcher)


def _local(now_ms: int, zone: str) -> datetime:
    return (EPOCH + timedelta(milliseconds=now_ms)).astimezone(ZoneInfo(zone))


def _minute(local: datetime) -> int:
    return local.hour * 60 + local.minute


def _within(hours: tuple[int, int], minute: int) -> bool:
    """Whether a minute of the day is in hours, which may pass midnight."""
    begin, end = hours
    return begin <= minute < end if begin <= end else minute >= begin or minute < end
