"""What bots report of their streams: `POST /report/{endpoint}`, one event or a list of them.

    {"call_sid": "…", "stream_sid": "…", "event": "started", "at": "2026-01-05T10:00:00Z"}

`event` is started, first_in, first_out, ended or error, beside it `by` (who ended it) and `error`.
`split` takes a body apart into what is kept, one object an event, all of it or nothing; `read`
understands one, of an earlier or later release, too.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from switchhook.exotel.passthru import Defect

MOST_EVENTS = 100
LONGEST_EVENT = 2048
"""Of one event's JSON, in bytes; what has more is refused."""
_LONGEST_SID, _LONGEST_TEXT = 128, 500
_EARLIEST_S, _LATEST_S = 1_000_000_000.0, 10_000_000_000.0
_MS_FROM = 100_000_000_000.0  # beyond, a number is milliseconds: as seconds it is the year 5138


class BotEvent(StrEnum):
    """What can be reported; `OTHER` is any word that this release doesn't know."""

    STARTED = "started"
    FIRST_IN = "first_in"
    """The first sound of the caller."""
    FIRST_OUT = "first_out"
    """The first sound of the bot."""
    ENDED = "ended"
    ERROR = "error"
    OTHER = "other"


class BotReport(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a stream as it was understood; `at_us` is None where no time can be read.

    `said` is the event's own word, `by` who ended the stream, in the bot's words.
    """

    call_sid: str | None
    stream_sid: str | None
    event: BotEvent
    said: str
    at_us: int | None = None
    by: str = ""
    error: str = ""
    defects: tuple[Defect, ...] = ()


def split(body: bytes) -> tuple[list[bytes], str]:
    """The events of a body as JSON objects, or none and why, in words for the bot's programmer."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [], "the body is no JSON"
    events = found if isinstance(found, list) else [found]
    if not events:
        return [], "the list is empty"
    if len(events) > MOST_EVENTS:
        return [], f"{len(events):,} events, of which at most {MOST_EVENTS} are taken at once"
    kept = []
    for number, event in enumerate(events, 1):
        raw = msgspec.json.encode(event)
        problem = _problem(event, raw)
        if problem:
            return [], f"event {number}: {problem}" if isinstance(found, list) else problem
        kept.append(raw)
    return kept, ""


def _problem(event: object, raw: bytes) -> str:
    if not isinstance(event, dict):
        return "it is no JSON object"
    if len(raw) > LONGEST_EVENT:
        return f"it has more than {LONGEST_EVENT:,} bytes"
    if not any(_text(event.get(name), _LONGEST_SID) for name in ("call_sid", "stream_sid")):
        return "it has neither call_sid nor stream_sid"
    said = _text(event.get("event"), _LONGEST_TEXT)
    if said.lower() not in _EVENTS:
        what = f"event {said[:40]!r} is not known" if said else "it has no event"
        return f"{what}: {', '.join(_EVENTS)}"
    at = event.get("at")
    if at is not None and _moment(at) is None:
        shown = msgspec.json.encode(at)[:40].decode(errors="ignore")
        return f"at {shown} is no time from 2001 to 2286: RFC 3339, or Unix seconds"
    return ""


def read(raw: bytes) -> BotReport | None:
    """Understand one event; what can't be read of it is a defect. None for what is no object."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    defects = []
    said = _text(found.get("event"), _LONGEST_TEXT)
    event = _EVENTS.get(said.lower(), BotEvent.OTHER)
    if event is BotEvent.OTHER:
        defects.append(Defect("event", "is none that this release knows"))
    at_us = _moment(found.get("at"))
    if at_us is None and found.get("at") is not None:
        defects.append(Defect("at", "is neither a time of RFC 3339 nor Unix seconds"))
    return BotReport(
        call_sid=_text(found.get("call_sid"), _LONGEST_SID) or None,
        stream_sid=_text(found.get("stream_sid"), _LONGEST_SID) or None,
        event=event,
        said=said,
        at_us=at_us,
        by=_text(found.get("by"), _LONGEST_TEXT),
        error=_text(found.get("error"), _LONGEST_TEXT),
        defects=tuple(defects),
    )


_EVENTS = {each.value: each for each in BotEvent if each is not BotEvent.OTHER}


def _text(value: object, most: int) -> str:
    return value.strip()[:most] if isinstance(value, str) else ""


def _moment(value: object) -> int | None:
    """Microseconds of Unix time; without a zone a time is UTC."""
    if isinstance(value, str):
        number = _number(value)
        if number is None:
            return _instant(value)
        value = number
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value):
        return None
    at_s = value / 1000 if value >= _MS_FROM else value
    return round(at_s * 1_000_000) if _EARLIEST_S <= at_s < _LATEST_S else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _instant(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        at_s = moment.timestamp()
    except (OverflowError, ValueError):
        return None
    return round(at_s * 1_000_000) if _EARLIEST_S <= at_s < _LATEST_S else None
