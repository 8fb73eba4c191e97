"""Moments as people write them: how long ago, a day, a day with a time, a time of today.

What the pages and the command line show is read back: `25 Nov 18:05:09`, `11-25 20:00:41 IST`. A
day without a year is the last one of that date, a weekday the last one of that name, a time alone
the last one that was.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.fields import with_plus
from switchhook.exotel.times import DAY_MS, IST, us_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(
    r"([0-9]{1,6}) ?(s|m|h|d|w)(?:ecs?|econds?|ins?|inutes?|rs?|ours?|ays?|eeks?)? ?"
)
_LENGTH = re.compile(rf"(?:{_PART.pattern})+")
_CLOCK_LENGTH = re.compile(r"(?:([0-9]{1,3}):)?([0-9]{1,3}):([0-5][0-9])")

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905 - read at once
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        r"(?P<y>[0-9]{4})[-/.](?P<m>[0-9]{1,2})[-/.](?P<d>[0-9]{1,2})",
        r"(?P<d>[0-9]{1,2})[-/.](?P<m>[0-9]{1,2})[-/.](?P<y>[0-9]{4})",
        rf"(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?[ -]?(?P<name>{_MONTH})(?:[ -](?P<y>[0-9]{{4}}))?",
        rf"(?P<name>{_MONTH}) (?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?(?: (?P<y>[0-9]{{4}}))?",
        r"(?P<m>[0-9]{2})-(?P<d>[0-9]{2})",
        r"(?P<d>[0-9]{1,2})/(?P<m>[0-9]{1,2})",
    )
)
_CLOCK = re.compile(
    r"(?P<hour>[0-9]{1,2})(?:[:.](?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?P<part>\.[0-9]{1,20})?)?)?"
    r" ?(?P<half>[ap]\.?m\.?)?"
)
_ZONE = re.compile(
    r"(?: ?(?P<name>z|utc|gmt|ist)|(?<=:[0-9]{2}) ?(?P<offset>[+-][0-9]{2}:?[0-9]{2}))\Z"
)
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]{1,20})?)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)
_DATE_LIKE = re.compile(
    r"(?:[0-9]{1,2}([-/.])[0-9]{1,2}\1[0-9]{4}|[0-9]{4}([-/.])[0-9]{1,2}\2[0-9]{1,2})"
    r"(?:[Tt ][0-9]{1,2}(?::[0-9]{1,2}){0,2})?"
)
_LONGEST = 80
_MS = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
_LATEST_MS = us_of(datetime.max.replace(tzinfo=UTC)) // 1000


class Span(msgspec.Struct, frozen=True):
    """What a text means, in ms of Unix time: a whole day `until` its end, else one moment.

    `clock` is whether it is a time without its day.
    """

    since: int
    until: int
    clock: bool = False


def read_moment(text: str, now_ms: int, zone: tzinfo) -> int | None:
    """The moment, or the beginning of the day, that a text means, in ms; None where it is none."""
    found = read_span(text, now_ms, zone)
    return None if found is None else found.since


def read_span(text: str, now_ms: int, zone: tzinfo, *, after_ms: int | None = None) -> Span | None:
    """What a text means; None where it is no time.

    `after_ms` is a moment that a time without its day comes after, within a day. What lies before
    1970 or beyond the year 9999 is the first or the last moment that there can be a receipt of: a
    list from there on is asked for what it would find anyway.
    """
    if len(text) > _LONGEST:
        return None
    if found := _ISO.fullmatch(with_plus(text)):
        return _of_iso(found, zone)
    said = " ".join(re.sub(r",| at |(?<=[0-9])t(?=[0-9])", " ", text.lower()).split())
    ago = read_length(said.removesuffix(" ago"))
    if ago is not None and said[-1:].isalpha():
        return _moment(max(now_ms - ago * 1000, 0))
    if said == "now":
        return _moment(now_ms)
    return _of_words(said, now_ms, zone, after_ms)


def read_length(text: str) -> int | None:
    """Whole seconds of `90`, `90s`, `1m30s`, `2 min`, `1:30` or `1:02:03`; None for all else."""
    said = " ".join(text.lower().split())
    if re.fullmatch("[0-9]{1,9}", said):
        return int(said)
    if _LENGTH.fullmatch(said):
        return sum(int(n) * _UNITS_S[unit] for n, unit in _PART.findall(said))
    if found := _CLOCK_LENGTH.fullmatch(said):
        return int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3])
    return None


def _of_iso(found: re.Match[str], zone: tzinfo) -> Span | None:
    seconds = (found[3] or ":00").replace(":60", ":59")  # a leap second
    try:
        moment = datetime.fromisoformat(
            f"{found[1]}T{found[2] or '00:00'}{seconds}{(found[4] or '').upper()}"
        )
    except ValueError:
        return None
    begin = _ms_of(moment, zone)
    if found[2]:
        return _moment(begin)
    return Span(begin, _end_of(moment.date(), zone))


def _of_words(said: str, now_ms: int, zone: tzinfo, after_ms: int | None) -> Span | None:
    if named := _ZONE.search(said):
        said, zone = said[: named.start()], _zone(named["name"] or named["offset"]) or zone
    today = _at(now_ms, zone).date()
    if clock := _clock(said):
        return _last_clock(clock, now_ms, zone, after_ms)
    if (day := _day(said, today)) is not None:
        return Span(_ms_of(datetime.combine(day, time()), zone), _end_of(day, zone))
    for before, after in _parted(said):
        for day, clock in (
            (_day(before, today), _clock(after)),
            (_day(after, today), _clock(before)),
        ):
            if day is not None and clock is not None:
                return _moment(_ms_of(datetime.combine(day, clock), zone))
    return None


def clock_then_day(text: str) -> tuple[str, str] | None:
    """The time and the day of `22:00 yesterday`, in this order, each as it is written.

    A zone is with both. None where it is not that.
    """
    named = _ZONE.search(text.lower())
    said, zone = (text[: named.start()], text[named.start() :]) if named else (text, "")
    for clock, day in _parted(" ".join(said.split())):
        if _clock(clock.lower()) and _day(day.lower(), date(2000, 2, 29)):
            return clock + zone, day + zone
    return None


def is_date_like(text: str) -> bool:
    """Whether a text has the form of a date, be it one or none, with a time or without."""
    return _DATE_LIKE.fullmatch(text) is not None


def _parted(said: str) -> Iterator[tuple[str, str]]:
    """A text in two at each of its blanks, the last first."""
    words = said.split(" ")
    for cut in range(len(words) - 1, 0, -1):
        yield " ".join(words[:cut]), " ".join(words[cut:])


def _last_clock(clock: time, now_ms: int, zone: tzinfo, after_ms: int | None) -> Span:
    """The last time that a clock showed this; or the first one after a moment."""
    if after_ms is None:
        at = _ms_of(datetime.combine(_at(now_ms, zone).date(), clock), zone)
        return Span(at if at <= now_ms else at - DAY_MS, at if at <= now_ms else at - DAY_MS, True)
    at = _ms_of(datetime.combine(_at(after_ms, zone).date(), clock), zone)
    at = at if at > after_ms else at + DAY_MS
    return Span(at, at, True)


def _day(said: str, today: date) -> date | None:
    said = said.removeprefix("on ")
    if said in ("today", "yesterday"):
        return today - _DAY * (said == "yesterday")
    if (weekday := _weekday(said.removeprefix("last "))) is not None:
        before = (today.weekday() - weekday) % 7
        return today - _DAY * (7 if before == 0 and said.startswith("last ") else before)
    for form in _FORMS:
        if found := form.fullmatch(said):
            parts = found.groupdict()
            name = parts.get("name")
            month = _MONTHS.index(name[:3]) + 1 if name else int(parts["m"])
            return _date(parts.get("y"), month, int(parts["d"]), today)
    return None


def _weekday(word: str) -> int | None:
    if len(word) < 3:
        return None
    return next((at for at, day in enumerate(_DAYS) if day.startswith(word)), None)


def _date(year: str | None, month: int, day: int, today: date) -> date | None:
    """A date; without a year the last one that is not after today."""
    years = [int(year)] if year else [today.year - back for back in range(9)]
    for each in years:
        try:
            found = date(each, month, day)
        except ValueError:  # the 29th of February, of most years
            continue
        if year or found <= today:
            return found
    return None


def _clock(said: str) -> time | None:
    found = _CLOCK.fullmatch(said)
    if found is None or not (found["minute"] or found["half"]):
        return None
    if "." in said.partition(":")[0] and not found["half"]:  # 9.30 is a date, or a number
        return None
    hour, second = int(found["hour"]), int(found["second"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * found["half"].startswith("p")
    part = int(float("0" + (found["part"] or ".0")) * 1_000_000)
    try:
        return time(
            hour, int(found["minute"] or 0), min(second, 59) if second == 60 else second, part
        )
    except ValueError:
        return None


def _zone(word: str) -> tzinfo | None:
    if word == "ist":
        return IST
    if word in ("z", "utc", "gmt"):
        return UTC
    try:
        return datetime.strptime(word.replace(":", ""), "%z").tzinfo
    except ValueError:
        return None


def _at(ms: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(min(ms, _LATEST_MS - DAY_MS) / 1000, zone)


def _end_of(day: date, zone: tzinfo) -> int:
    try:
        return _ms_of(datetime.combine(day + _DAY, time()), zone)
    except OverflowError:
        return _LATEST_MS


def _ms_of(moment: datetime, zone: tzinfo) -> int:
    # By subtraction, for a moment in UTC may be of a year that the calendar has not.
    offset = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).utcoffset()
    since_1970 = us_of(moment.replace(tzinfo=UTC)) // 1000 - (offset or timedelta()) // _MS
    return min(max(since_1970, 0), _LATEST_MS)


def _moment(ms: int) -> Span:
    return Span(ms, ms)
