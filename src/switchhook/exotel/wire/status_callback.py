"""Exotel's webhooks beside passthru: StatusCallback and Heartbeat (exotel-platform E.3, E.7)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from switchhook.exotel.wire.json_object import parse_value
from switchhook.exotel.wire.query import Pairs
from switchhook.exotel.wire.request import Request, body_pairs, build_multipart
from switchhook.exotel.wire.scalar import clean


class StatusCallback(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a call that the API made; None is what is not said. Times as sent, in IST."""

    call_sid: str | None
    status: str | None
    date_updated: str | None = None
    recording_url: str | None = None
    event_type: str | None = None
    date_created: str | None = None
    from_: str | None = None
    to: str | None = None
    phone_number_sid: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    conversation_duration: str | None = None
    direction: str | None = None
    custom_field: str | None = None
    legs: tuple[dict[str, str], ...] = ()


_KEYS = {
    "call_sid": "CallSid",
    "event_type": "EventType",
    "date_created": "DateCreated",
    "date_updated": "DateUpdated",
    "status": "Status",
    "to": "To",
    "from_": "From",
    "phone_number_sid": "PhoneNumberSid",
    "start_time": "StartTime",
    "end_time": "EndTime",
    "conversation_duration": "ConversationDuration",
    "direction": "Direction",
    "custom_field": "CustomField",
    "recording_url": "RecordingUrl",
}
_MINIMAL = ("call_sid", "status", "recording_url", "date_updated")
_MOST_LEGS = 100


def build_minimal(callback: StatusCallback, *, json: bool) -> tuple[str, bytes]:
    """Content-Type and body with the few fields of a call without events."""
    return _build(_said(callback, _MINIMAL), (), json=json)


def build_full(callback: StatusCallback, *, json: bool) -> tuple[str, bytes]:
    """Content-Type and body with all that is known."""
    return _build(_said(callback, tuple(_KEYS)), callback.legs, json=json)


def _said(callback: StatusCallback, fields: tuple[str, ...]) -> Pairs:
    values = ((_KEYS[field], getattr(callback, field)) for field in fields)
    return [(key, value) for key, value in values if value is not None]


def _build(pairs: Pairs, legs: tuple[dict[str, str], ...], *, json: bool) -> tuple[str, bytes]:
    if json:
        body: dict[str, Any] = dict(pairs)
        if legs:
            body["Legs"] = legs
        return "application/json", msgspec.json.encode(body)
    more = [
        (f"Legs[{at}][{key}]", value) for at, leg in enumerate(legs) for key, value in leg.items()
    ]
    return build_multipart([*pairs, *more])


def parse(request: Request) -> StatusCallback | None:
    """Read a callback, form or JSON; None where it names neither a call nor a status."""
    pairs = body_pairs(request, [])
    said: dict[str, str] = {}
    for key, value in pairs:
        if clean(value) is not None:
            said.setdefault(key.lower(), value)
    found = {field: said.get(key.lower()) for field, key in _KEYS.items()}
    if found["call_sid"] is None and found["status"] is None:
        return None
    return StatusCallback(**found, legs=_legs(pairs))


def _legs(pairs: Pairs) -> tuple[dict[str, str], ...]:
    legs: dict[int, dict[str, str]] = {}
    for key, value in pairs:
        if key.lower() == "legs":
            whole = parse_value(value)
            if isinstance(whole, list):
                return tuple(_texts(leg) for leg in whole[:_MOST_LEGS])
        root, _, rest = key.partition("[")
        index, _, name = rest.partition("][")
        if root.lower() == "legs" and index.isascii() and index.isdigit() and len(index) < 4:
            legs.setdefault(int(index), {})[name.rstrip("]")] = value
    return tuple(legs[at] for at in sorted(legs)[:_MOST_LEGS])


def _texts(leg: Any) -> dict[str, str]:
    """`parse_value` gives objects as pairs."""
    pairs = leg.items() if isinstance(leg, dict) else leg if isinstance(leg, list) else ()
    return {
        str(pair[0]): str(pair[1])
        for pair in pairs
        if isinstance(pair, list | tuple) and len(pair) == 2
    }


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """How an account's numbers are: OK, WARNING, CRITICAL or PAYLOAD_TOO_LARGE."""

    timestamp: str
    status_type: str
    incoming_affected: tuple[str, ...] = ()
    outgoing_affected: tuple[str, ...] = ()
    data: dict[str, Any] = {}


def build_heartbeat(heartbeat: Heartbeat) -> bytes:
    """The JSON body."""
    return msgspec.json.encode(heartbeat)


def parse_heartbeat(body: bytes) -> Heartbeat | None:
    """Read a heartbeat, or what the beginning of a long one says; None where it is none."""
    try:
        return msgspec.json.decode(body, type=Heartbeat)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_beginning(body)


_BEGUN = re.compile(rb'\s*\{\s*"')
_TEXT = rb'\s*:\s*"([^"\\]{1,64})"'
_NUMBERS = rb'\s*:\s*\[((?:\s*"[^"\\]{0,64}"\s*,?)*)'
_MOST_NUMBERS = 10_000


def _read_beginning(body: bytes) -> Heartbeat | None:
    """What a heartbeat says that was cut off; numbers as far as they are whole."""
    if not _BEGUN.match(body) or body.rstrip().endswith(b"}"):
        return None
    timestamp = re.search(rb'"timestamp"' + _TEXT, body)
    status_type = re.search(rb'"status_type"' + _TEXT, body)
    if timestamp is None or status_type is None:
        return None
    return Heartbeat(
        timestamp=timestamp[1].decode(errors="replace"),
        status_type=status_type[1].decode(errors="replace"),
        incoming_affected=_numbers_under(b"incoming_affected", body),
        outgoing_affected=_numbers_under(b"outgoing_affected", body),
    )


def _numbers_under(key: bytes, body: bytes) -> tuple[str, ...]:
    found = re.search(b'"' + key + b'"' + _NUMBERS, body)
    if found is None:
        return ()
    texts = re.findall(rb'"([^"\\]{0,64})"', found[1])
    return tuple(text.decode(errors="replace") for text in texts[:_MOST_NUMBERS])
