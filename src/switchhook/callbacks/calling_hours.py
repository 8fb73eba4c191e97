"""When people may be called: hours and days in the zone of who is called. Pure.

A number's zone is known by the number itself where it stands for one alone (an Indian one for
Asia/Kolkata). A mobile's of a wide country may be in several: then people are called only when all
of these have hours, so that it is night nowhere where they may be.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import reduce
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from switchhook.callbacks.settings import CallbackSettings, CallingHours

Zones = tuple[ZoneInfo, ...]
"""Those in which somebody may be, one at least."""

Stretches = tuple[tuple[int, int], ...]
_LOOKED_AHEAD_DAYS = 15
_DAY_MINUTES = 24 * 60


def zones_of(number: str, otherwise: str) -> Zones:
    """The zones that a number in E.164 may be in; `otherwise` where it tells none."""
    # A megabyte of tables, loaded by those only who call back.
    from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number

    try:
        names = time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        names = ()
    found = [zone for name in names if name != UNKNOWN_TIMEZONE and (zone := _zone(name))]
    return tuple(found) or (ZoneInfo(otherwise),)


def _zone(name: str) -> ZoneInfo | None:
    """None of one that this machine doesn't know."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return None


def opens_ms(hours: CallingHours, zones: Zones, at_ms: int) -> int | None:
    """The first moment from `at_ms` on in which somebody may be called; None where there is none.

    That is `at_ms` itself within the hours. Unix ms, as all here.
    """
    for begin_ms, _ in openings(hours, zones, at_ms):
        return max(begin_ms, at_ms)
    return None


def day_begins_ms(zones: Zones, at_ms: int) -> int:
    """The midnight before a moment, where the callee is; the earliest that it may be."""
    return min(_ms(datetime.combine(_local(zone, at_ms).date(), time(), zone)) for zone in zones)


def next_day_ms(hours: CallingHours, zones: Zones, at_ms: int) -> int | None:
    """The first moment of another day of the callee's in which they may be called."""
    midnights = (
        datetime.combine(_local(zone, at_ms).date() + timedelta(days=1), time(), zone)
        for zone in zones
    )
    return opens_ms(hours, zones, max(map(_ms, midnights)))


def times_of(settings: CallbackSettings, number: str, made_ms: int) -> tuple[int, int]:
    """From when on a promise is due, and when its time is over.

    Its time is counted while people may be called only: made ten minutes before the hours end,
    with four hours to keep it, it has three hours and fifty minutes of the next day.
    """
    zones = zones_of(number, settings.zone)
    due_ms = opens_ms(settings.hours, zones, made_ms + settings.delay_s * 1000)
    left_ms = settings.within_s * 1000
    for begin_ms, end_ms in openings(settings.hours, zones, made_ms):
        begin_ms = max(begin_ms, made_ms)
        if end_ms - begin_ms >= left_ms:
            until_ms = begin_ms + left_ms
            return (until_ms if due_ms is None else due_ms), until_ms
        left_ms -= end_ms - begin_ms
    until_ms = made_ms + settings.within_s * 1000
    return (until_ms if due_ms is None else due_ms), until_ms


def openings(hours: CallingHours, zones: Zones, at_ms: int) -> Iterator[tuple[int, int]]:
    """The stretches in which people may be called that end after `at_ms`, from and until."""
    first, *others = zones
    if not others:
        yield from _openings(hours, first, at_ms)
        return
    # Most of the zones of a country have the same hours.
    several = {tuple(_openings(hours, zone, at_ms)) for zone in zones}
    yield from reduce(_both, several)


def _openings(hours: CallingHours, zone: ZoneInfo, at_ms: int) -> Iterator[tuple[int, int]]:
    today = _local(zone, at_ms).date()
    for ahead in range(_LOOKED_AHEAD_DAYS):
        day = today + timedelta(days=ahead)
        if day.weekday() not in hours.days:
            continue
        begin_ms = _ms(_at_minute(day, hours.from_minute, zone))
        end_ms = _ms(_at_minute(day, hours.until_minute, zone))
        if end_ms > max(at_ms, begin_ms):
            yield begin_ms, end_ms


def _both(some: Stretches, others: Stretches) -> Stretches:
    """What is in both."""
    each = ((max(a, c), min(b, d)) for a, b in some for c, d in others)
    return tuple((begin, end) for begin, end in each if begin < end)


def _at_minute(day: date, minute: int, zone: ZoneInfo) -> datetime:
    over, within = divmod(minute, _DAY_MINUTES)
    at = time(within // 60, within % 60)
    return datetime.combine(day + timedelta(days=over), at, zone)


def _local(zone: ZoneInfo, at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
