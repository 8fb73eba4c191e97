"""What is known of one call as entries of its timeline, and as a text for Exotel's support."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from switchhook.calls.timeline import TimelineEntry
from switchhook.exotel.times import IST
from switchhook.web.render import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from switchhook.streams.names import Names

Json = dict[str, Any]

CALL, STREAM, PASSTHRU = "Call", "Stream", "Passthru"
CALLBACK, DETAILS, HEARTBEAT = "Status callback", "Call details", "Heartbeat"
LANES = (CALL, STREAM, PASSTHRU, CALLBACK, DETAILS, HEARTBEAT)

_CALL_TIMES = (("created_at", "created"), ("started_at", "began"), ("ended_at", "ended"))


def us_of(text: str | None) -> int | None:
    """A time of the API in microseconds."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)


def entries_of(call: Json, names: Names) -> list[TimelineEntry]:
    """What the passthrus of a call tell; `call` is the API's object."""
    return [
        *_of_call(call["passthrus"]),
        *_of_passthrus(call["passthrus"], names),
        *_of_streams(call["streams"]),
    ]


def _of_call(passthrus: Iterable[Json]) -> Iterator[TimelineEntry]:
    """When the call was created, began and ended, as it was said last."""
    said: dict[str, tuple[int, str]] = {}
    for each in passthrus:
        for field, word in _CALL_TIMES:
            at = us_of((each["call"] or {}).get(field))
            if at is not None:
                said[field] = at, word
    for at, word in said.values():
        yield TimelineEntry(
            at_us=at,
            lane=CALL,
            title=f"The call {word}",
            detail="as Exotel says, to the second",
            about=True,
        )


def _of_passthrus(passthrus: Iterable[Json], names: Names) -> Iterator[TimelineEntry]:
    for each in passthrus:
        at, decision = us_of(each["placed_at"] or each["received_at"]), each["decision"]
        if at is None:
            continue
        anchor = f"receipt-{each['id']}"
        if decision is None:
            problem = "a receipt that can't be read"
            yield TimelineEntry(at_us=at, lane=PASSTHRU, title=problem, level="warn", anchor=anchor)
            continue
        option = decision["option"]
        lead = names.lead(each["endpoint"], option)
        where = f", to {lead}" if lead else ""
        repeat = " (a repeat)" if each["repeat_of"] else ""
        cause = (each["cause"] or "").replace("_", " ")
        yield TimelineEntry(
            at_us=at,
            lane=PASSTHRU,
            title=f"Asked at {each['endpoint']}: Option {option}{where}{repeat}",
            detail=f"{cause}; rule “{decision['rule']}”",
            level=LEVELS.get(each["cause"], "muted"),
            anchor=anchor,
        )


def _of_streams(streams: Iterable[Json]) -> Iterator[TimelineEntry]:
    """A stream ends shortly before the passthru that says so, and began as long before as told."""
    for each in streams:
        told, last = us_of(each["first_received_at"]), us_of(each["last_received_at"])
        if told is None or last is None:
            continue
        running = each["cause"] == "running"
        lasted = (each["duration_s"] or 0) * 1_000_000
        title = "Stream " + (each["cause"] or "").replace("_", " ")
        yield TimelineEntry(
            at_us=told if running else told - lasted,
            lane=STREAM,
            title=title,
            detail=each["sid"] or "",
            level=LEVELS.get(each["cause"], "muted"),
            until_us=last if running else told,
            about=True,
        )


def support_text(
    call: Json,
    names: Names,
    numbers: Mapping[str, str | None],
    shown: Callable[[str], str],
) -> str:
    """What Exotel's support asks for: identifiers, times in IST, what was said.

    `numbers` has the two as they may be shown, `shown` masks those in all else.
    """
    lines = [("CallSid", call["call_sid"]), ("Account SID", call["account_sid"])]
    lines += [("From", numbers["from"]), ("To", numbers["to"]), ("Direction", call["direction"])]
    lines += [("Flow", call["flow_id"])]
    for at, each in enumerate(call["streams"], 1):
        prefix = f"Stream {at} " if len(call["streams"]) > 1 else "Stream "
        lines += [
            (prefix + "SID", each["sid"]),
            (prefix + "URL", without_login(each["url"])),
            (prefix + "status", each["status"]),
            (prefix + "detailed status", each["detailed_status"]),
            (prefix + "error", each["error"]),
            (prefix + "duration", _seconds(each["duration_s"])),
            (prefix + "disconnected by", each["disconnected_by"]),
        ]
    for each in call["passthrus"]:
        decision = each["decision"]
        if decision is not None:
            said = f"Option {decision['option']} (HTTP {decision['http_status']})"
            lines += [(f"Passthru {_ist(each['received_at'])}", f"answered with {said}")]
    for field, word in _CALL_TIMES:
        times = [text for each in call["passthrus"] if (text := (each["call"] or {}).get(field))]
        lines += [(f"Call {word}", _ist(times[-1]) if times else None)]
    own = set(numbers.values())
    return "\n".join(
        f"{name}: {text if text in own else shown(text)}" for name, text in lines if text
    )


def _seconds(number: int | None) -> str | None:
    return None if number is None else f"{number} s"


def _ist(text: str) -> str:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(IST)
    return f"{moment:%Y-%m-%d %H:%M:%S} IST"


_LOGIN = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#@]*@")


def without_login(url: str | None) -> str | None:
    """A URL without the name and password in it."""
    return None if url is None else _LOGIN.sub(r"\1…@", url.strip())
