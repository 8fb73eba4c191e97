"""The time that a report is about: a week by its ISO number, the last or this one, or from and to.

Weeks begin on Monday, 00:00, in the zone that the report tells its times in.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

import msgspec

from switchhook.exotel.times import DAY_MS, moment_of, us_of
from switchhook.web.moments import read_moment
from switchhook.web.parameters import RefusedParameter

LAST, THIS = "last", "this"
LONGEST_MS = 31 * DAY_MS
_WEEK = re.compile(r"([0-9]{4})-?[Ww]([0-9]{1,2})")
WEEK_HINT = "a week as 2026-W47, or last, or this"


class Stretch(msgspec.Struct, frozen=True):
    """From `since_ms` to before `until_ms`, Unix time; `week` is its ISO name, empty of none."""

    since_ms: int
    until_ms: int
    week: str = ""


def stretch_of(week: str, since: str, until: str, now_ms: int, zone: tzinfo) -> Stretch:
    """The time that is asked for; what is empty is not said. Raises RefusedParameter."""
    if not since and not until:
        return _week(week or LAST, now_ms, zone)
    if week:
        raise RefusedParameter(
            "week", "a week and a time are said", "say --week, or since and until"
        )
    until_ms = _moment("until", until, now_ms, zone) if until else now_ms
    since_ms = _moment("since", since, now_ms, zone) if since else until_ms - 7 * DAY_MS
    if since_ms >= until_ms:
        raise RefusedParameter("since", "it is not before until", "say an earlier time")
    if until_ms - since_ms > LONGEST_MS:
        hint = f"at most {LONGEST_MS // DAY_MS} days at a time"
        raise RefusedParameter("since", "the time is too long", hint)
    return Stretch(since_ms, until_ms)


def _week(text: str, now_ms: int, zone: tzinfo) -> Stretch:
    if text in (LAST, THIS):
        today = moment_of(now_ms * 1000).astimezone(zone).date()
        monday = today - timedelta(days=today.weekday() + (7 if text == LAST else 0))
        return _from_monday(monday, zone)
    found = _WEEK.fullmatch(text)
    if found is None:
        raise RefusedParameter("week", f"{text[:40]!r} is no week", WEEK_HINT)
    try:
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
        stretch = _from_monday(monday, zone)
    except (ValueError, OverflowError):
        raise RefusedParameter("week", f"there is no week {text!r}", WEEK_HINT) from None
    if stretch.since_ms >= now_ms:
        raise RefusedParameter("week", f"week {stretch.week} has not begun", WEEK_HINT)
    return stretch


def _from_monday(monday: date, zone: tzinfo) -> Stretch:
    year, week, _ = monday.isocalendar()
    first, last = (_midnight(day, zone) for day in (monday, monday + timedelta(days=7)))
    return Stretch(first, last, f"{year:04}-W{week:02}")


def _midnight(day: date, zone: tzinfo) -> int:
    at = datetime(day.year, day.month, day.day, tzinfo=zone)
    return us_of(at.astimezone(UTC)) // 1000


def _moment(name: str, text: str, now_ms: int, zone: tzinfo) -> int:
    found = read_moment(text, now_ms, zone)
    if found is None:
        hint = "a date, a date with a time, or how long ago: 2026-11-23, 2026-11-23T10:00, 7d"
        raise RefusedParameter(name, f"{text[:40]!r} is no time", hint)
    return found
