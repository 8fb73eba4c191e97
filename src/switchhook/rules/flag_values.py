"""What a flag can be set to: read from TOML and JSON or from one line of text, and written. Pure.

| kind | in TOML and JSON | as text |
| --- | --- | --- |
| boolean | `true` | `true`, `on` |
| text | `"vendor-b"` | as it is |
| number | `3`, `0.5` | `3`, `0.5` |
| percentage | `5` | `5`, `5%` |
| window | `{"from": "09:00", "until": "21:00", "days": ["monday"], "zone": "Asia/Kolkata"}` | \
`09:00-21:00 monday Asia/Kolkata` |
| window | `{"from": "2026-12-01T09:00:00+05:30", "until": …}` | the two with `/` between them |
| list | `["a", "b"]` | `a, b`, or as JSON |
"""

from __future__ import annotations

import json
import math
import re
import zoneinfo
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import FlagError
from switchhook.exotel.times import WEEKDAYS
from switchhook.rules.flags import LARGEST_WHOLE, FlagKind, Window, moment_ms
from switchhook.rules.outcome import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.rules.flags import Flag, SetTo

NAME = re.compile("[a-z_][a-z0-9_]{0,63}")
LONGEST_TEXT = 1_000
MOST_ENTRIES, LONGEST_ENTRY = 200, 200
_MOST_DIGITS = 400  # Python reads no text of many more; what is longer is too large for all

_CLOCK = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_YES_NO = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
_WINDOW_HINT = (
    'such as from "09:00" until "21:00", with days such as ["monday"] and a zone such as '
    '"Asia/Kolkata"; or two moments such as "2026-12-01T09:00:00+05:30"'
)
_WINDOW_TEXT_HINT = (
    "such as '09:00-21:00' or '09:00-21:00 monday,friday Asia/Kolkata' or "
    "'2026-12-01T09:00:00+05:30/2026-12-02T09:00:00+05:30'"
)


def read_value(kind: FlagKind, said: object) -> SetTo:
    """What a flag of a kind can be set to, from TOML or JSON. Raises FlagError."""
    match kind:
        case FlagKind.BOOLEAN:
            if isinstance(said, bool):
                return said
            raise FlagError("a boolean is neither", "true or false, without quotes")
        case FlagKind.TEXT:
            return _text(said, LONGEST_TEXT, "a text")
        case FlagKind.NUMBER:
            return _number(said)
        case FlagKind.PERCENTAGE:
            return _percentage(said)
        case FlagKind.WINDOW:
            return _window(said)
        case FlagKind.LIST:
            return _list(said)


def read_for(flag: Flag, said: object) -> SetTo:
    """What this flag is to be set to, from JSON. Raises FlagError."""
    value = read_value(flag.kind, said)
    if flag.kind is not FlagKind.NUMBER:
        return value
    assert isinstance(value, int | float)
    if isinstance(flag.default, float):
        return float(value)
    if value != int(value):
        hint = f"its default is {flag.default}, so rules have it as a whole number"
        raise FlagError(f"{value} is not a whole number", hint)
    return _whole(int(value))


def read_text(flag: Flag, said: str) -> SetTo:
    """What this flag is to be set to, from one line of text. Raises FlagError."""
    line = said.strip()
    match flag.kind:
        case FlagKind.BOOLEAN:
            if line.lower() in _YES_NO:
                return _YES_NO[line.lower()]
            raise FlagError(f"{line[:40]!r} is neither true nor false", "true or false")
        case FlagKind.TEXT:
            return read_for(flag, said)
        case FlagKind.NUMBER:
            return read_for(flag, _figure(line))
        case FlagKind.PERCENTAGE:
            return read_for(flag, _figure(line.removesuffix("%").rstrip()))
        case FlagKind.WINDOW:
            if line.startswith("{"):
                return read_for(flag, _json(line))
            return _window(_window_parts(line), _WINDOW_TEXT_HINT)
        case FlagKind.LIST:
            if line.startswith("["):
                return read_for(flag, _json(line))
            return read_for(flag, [each.strip() for each in line.split(",")] if line else [])


def value_text(kind: FlagKind, value: SetTo) -> str:
    """The line of text that reads as this value."""
    if isinstance(value, Window):
        between = "/" if value.of_moments else "-"
        parts = [f"{value.from_}{between}{value.until}", ",".join(value.days), value.zone]
        return " ".join(filter(None, parts))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        plain = all("," not in each and each == each.strip() and each for each in value)
        simple = plain and not (value and value[0].startswith("["))
        return ", ".join(value) if simple else json.dumps(value, ensure_ascii=False)
    return f"{value}%" if kind is FlagKind.PERCENTAGE else str(value)


def value_words(kind: FlagKind, value: SetTo) -> str:
    """A value as it stands in sentences and on pages."""
    if isinstance(value, Window):
        return _window_words(value)
    if isinstance(value, list):
        return f"[{value_text(kind, value)}]" if value else "an empty list"
    if kind is FlagKind.PERCENTAGE:
        return f"{value} % of callers"
    return f'"{value}"' if isinstance(value, str) else value_text(kind, value)


def _window_words(window: Window) -> str:
    said = f"{window.from_} to {window.until}"
    if window.of_moments:
        return said
    days = ", ".join(window.days) if window.days else "every day"
    return f"{said}, {days}" + (f", {window.zone}" if window.zone else "")


# Reading.


def _kind(said: object) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    names |= {list: "a list", dict: "a table", type(None): "nothing"}
    return names.get(type(said), "a date or time")


def _text(said: object, longest: int, what: str) -> str:
    if not isinstance(said, str):
        raise FlagError(f"it is {_kind(said)}, not {what}", 'put it between quotes: "…"')
    if len(said) > longest:
        raise FlagError(f"{what} of {len(said):,} characters", f"at most {longest:,}")
    if (hidden := _HIDDEN.search(said)) is not None:
        raise FlagError(f"it holds the control character {hidden[0]!r}", "remove it")
    return said


def _number(said: object) -> int | float:
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise FlagError(f"it is {_kind(said)}, not a number", "such as 3 or 0.5")
    if isinstance(said, int):
        return _whole(said)
    if not math.isfinite(said):
        raise FlagError("no such number is possible", "such as 3 or 0.5")
    return said


def _whole(said: int) -> int:
    if abs(said) > LARGEST_WHOLE:
        # In words, as whoever may not see telephone numbers is shown none of so many digits.
        hint = "a whole number is less than 2 to the power of 53, either way"
        raise FlagError("no such number is possible", hint)
    return said


def _percentage(said: object) -> int | float:
    hint = "0 to 100, with two decimals at most, such as 5 or 12.5"
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise FlagError(f"it is {_kind(said)}, not a percentage", hint)
    if not 0 <= said <= 100:
        raise FlagError("no such percentage is possible", hint)
    if round(said, 2) != said:
        raise FlagError(f"{said} has more than two decimals", hint)
    return int(said) if said == int(said) else said


def _list(said: object) -> list[str]:
    if not isinstance(said, list):
        raise FlagError(f"it is {_kind(said)}, not a list", 'such as ["a", "b"]')
    if len(said) > MOST_ENTRIES:
        raise FlagError(f"a list of {len(said):,} entries", f"at most {MOST_ENTRIES}")
    return [_text(each, LONGEST_ENTRY, "a text") for each in said]


def _window(said: object, hint: str = _WINDOW_HINT) -> Window:
    if not isinstance(said, dict):
        raise FlagError(f"it is {_kind(said)}, not a window", hint)
    known = ("from", "until", "days", "zone")
    for key in said:
        if key not in known:
            raise FlagError(f"a window has no key {str(key)[:40]!r}", did_you_mean(str(key), known))
    begins, until = _end(said.get("from")), _end(said.get("until"))
    if not isinstance(begins, str) or not isinstance(until, str):
        raise FlagError("a window has two texts, from and until", hint)
    days, zone = said.get("days", []), said.get("zone", "")
    if _CLOCK.fullmatch(begins) and _CLOCK.fullmatch(until):
        if begins == until:
            raise FlagError(
                "it ends when it begins", "a window that is always open is a boolean, true"
            )
        return Window(begins, until, _days(days), _zone(zone))
    if _CLOCK.fullmatch(begins) or _CLOCK.fullmatch(until):
        _moment(until if _CLOCK.fullmatch(begins) else begins, hint)
        raise FlagError("one end is a clock time, and the other a moment", hint)
    if _moment(begins, hint) >= _moment(until, hint):
        raise FlagError("it ends before it begins", "from is the earlier one")
    if days or zone:
        problem = "a window between two moments has neither days nor a zone"
        raise FlagError(problem, "leave them out: the moments say their own")
    return Window(begins, until)


def _end(said: object) -> object:
    """A moment of TOML's own kind as text; one without a zone stays what it is."""
    return said.isoformat() if isinstance(said, datetime) and said.tzinfo is not None else said


def _moment(said: str, hint: str) -> int:
    try:
        if datetime.fromisoformat(said).tzinfo is None:
            problem = f"{said[:40]!r} says no zone"
            raise FlagError(problem, 'such as "2026-12-01T09:00:00+05:30"')
        return moment_ms(said)
    except (ValueError, OverflowError):
        problem = f"{said[:40]!r} is neither a clock time nor a moment"
        raise FlagError(problem, hint) from None


def _days(said: object) -> tuple[str, ...]:
    if not isinstance(said, list | tuple):
        raise FlagError(f"days is {_kind(said)}, not a list", 'days = ["monday", "friday"]')
    short = {day[:3]: day for day in WEEKDAYS} | {day: day for day in WEEKDAYS}
    found = set()
    for each in said:
        day = short.get(each.lower()) if isinstance(each, str) else None
        if day is None:
            raise FlagError(f"there is no day {str(each)[:40]!r}", did_you_mean(str(each), short))
        found.add(day)
    return () if len(found) == len(WEEKDAYS) else tuple(day for day in WEEKDAYS if day in found)


def _zone(said: object) -> str:
    if not isinstance(said, str):
        raise FlagError(f"zone is {_kind(said)}, not a text", 'zone = "Asia/Kolkata"')
    try:
        if said:
            zoneinfo.ZoneInfo(said)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        hint = 'such as "Asia/Kolkata"'
        raise FlagError(f"no such time zone: {said[:40]!r}", hint) from None
    return said


def _figure(line: str) -> int | float:
    try:
        if re.fullmatch("[+-]?[0-9]+", line):
            return int(line) if len(line) < _MOST_DIGITS else 10**_MOST_DIGITS
        return float(line)
    except ValueError:
        raise FlagError(f"{line[:40]!r} is no number", "such as 3 or 0.5") from None


def _json(line: str) -> object:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise FlagError("it begins as JSON and is none", "check its quotes and brackets") from None


def _window_parts(line: str) -> dict[str, object]:
    """`FROM-UNTIL [days] [zone]`, or two moments with / between them."""
    first, *others = line.split() or [""]
    begins, slash, until = first.partition("/")
    if not slash:
        begins, _, until = first.partition("-")
    found: dict[str, object] = {"from": begins, "until": until}
    if not until:
        raise FlagError(f"{line[:40]!r} is no window", _WINDOW_TEXT_HINT)
    for each in others:
        named = _names_a_zone(each)
        found["zone" if named else "days"] = each if named else each.strip(",").split(",")
    return found


def _names_a_zone(word: str) -> bool:
    return "/" in word or word in ("UTC", "GMT")


def total_bytes(values: Iterable[SetTo | None]) -> int:
    """How much room values take where they are told."""
    return sum(len(msgspec.json.encode(each)) for each in values if each is not None)
