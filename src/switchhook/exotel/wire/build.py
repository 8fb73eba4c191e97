"""A passthru as a request in any dialect: the way back of `parse`.

What `build` makes of a passthru is parsed as the same passthru, but for its dialect and defects.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from switchhook.exotel.passthru import Dialect, Leg, Passthru, Stream
from switchhook.exotel.wire import keys
from switchhook.exotel.wire.keys import ParameterKind, slot_of
from switchhook.exotel.wire.query import Pairs, build_pairs
from switchhook.exotel.wire.request import Request, build_multipart
from switchhook.exotel.wire.scalar import guard

if TYPE_CHECKING:
    from collections.abc import Callable


def build(passthru: Passthru, dialect: Dialect = Dialect.FLAT) -> Request:
    """Write a passthru as a request in a dialect.

    Where a dialect can't carry the passthru (bare names that would mean something else, parameters
    in `extra` that other forms would read differently), it is written flat.
    """
    if dialect is not Dialect.FLAT and not _can_carry(passthru, dialect):
        dialect = Dialect.FLAT
    call = [(key, guard(text)) for key, text in _call_pairs(passthru)]
    stream = [(key, guard(text)) for key, text in _stream_pairs(passthru.stream)]
    spell = _SPELL.get(dialect, str)
    legs = [pair for leg in passthru.legs for pair in _leg_pairs(leg, spell)]
    extra = [(key, _guard_extra(key, text)) for key, text in passthru.extra]
    as_json = [("Stream", json.dumps(dict(stream), ensure_ascii=False))] if stream else []
    flat = [(f"Stream[{key}]", text) for key, text in stream]
    match dialect:
        case Dialect.JSON:
            return Request(build_pairs(call + legs + as_json + extra))
        case Dialect.MIXED:
            return Request(build_pairs(call + legs + flat + as_json + extra))
        case Dialect.RAW_BRACKET:
            return Request(build_pairs(call + legs + flat + extra, raw_brackets=True))
        case Dialect.DOUBLE_ENCODED:
            return Request(_twice(call + legs + flat + extra))
        case Dialect.LOWER_CASE | Dialect.SNAKE_CASE:
            spelt = [(spell(key), text) for key, text in call + flat]
            return Request(build_pairs(spelt + legs + extra))
        case Dialect.DOTTED:
            dotted = [(f"stream.{key}", text) for key, text in stream]
            return Request(build_pairs(call + legs + dotted + extra))
        case Dialect.BARE:
            return Request(build_pairs([(k.lower(), t) for k, t in call + stream] + legs + extra))
        case _:
            return _build_flat(call + legs + flat + extra, dialect)


def _build_flat(pairs: Pairs, dialect: Dialect) -> Request:
    """Flat parameters, in the query or as a body."""
    match dialect:
        case Dialect.POST_JSON:
            return Request(b"", "POST", "application/json", _json_body(pairs))
        case Dialect.POST_FORM:
            form = "application/x-www-form-urlencoded"
            return Request(b"", "POST", form, build_pairs(pairs))
        case Dialect.POST_MULTIPART:
            content_type, body = build_multipart(pairs)
            return Request(b"", "POST", content_type, body)
        case Dialect.POST_QUERY:
            return Request(build_pairs(pairs), "POST")
        case _:
            return Request(build_pairs(pairs))


def _can_carry(passthru: Passthru, dialect: Dialect) -> bool:
    slots = [slot_of(key) for key, _ in passthru.extra]
    if any(
        slot.kind not in (ParameterKind.EXTRA, ParameterKind.NUMBER) or "%" in slot.key
        for slot in slots
    ):
        return False
    if dialect is Dialect.DOUBLE_ENCODED:
        return all(len(quote(key)) < keys.LONGEST_KEY for key, _ in passthru.extra)
    if dialect is Dialect.BARE:
        call = (passthru.call_status, passthru.agent_status, passthru.recording_url)
        has_sid = passthru.stream is not None and passthru.stream.sid is not None
        return has_sid and all(text is None for text in call)
    return True


def _call_pairs(passthru: Passthru) -> Pairs:
    said = [(key, getattr(passthru, field)) for field, key in keys.CALL_KEYS.items()]
    numbers = [("CallFrom", passthru.from_raw), ("CallTo", passthru.to_raw)]
    said = said[:1] + numbers + said[1:] + [("Status", passthru.agent_status)]
    return [(key, text) for key, text in said if text is not None]


def _stream_pairs(stream: Stream | None) -> Pairs:
    if stream is None:
        return []
    said = [(key, getattr(stream, field)) for field, key in keys.STREAM_KEYS.items()]
    return [(key, text) for key, text in said if text is not None]


def _leg_pairs(leg: Leg, spell: Callable[[str], str]) -> Pairs:
    said = [(key, getattr(leg, field)) for field, key in keys.LEG_KEYS.items()]
    pairs = [
        (spell(f"Legs[{leg.index}][{key}]"), guard(text)) for key, text in said if text is not None
    ]
    for rest, text in leg.extra:
        name, bracket, below = rest.partition("[")
        pairs.append((f"Legs[{leg.index}][{name}]{bracket}{below}", text))
    return pairs


def _guard_extra(key: str, text: str) -> str:
    """Values of known parameters (repeats of them) are cleaned when read; all others are not."""
    kind = slot_of(key).kind
    return (
        text
        if kind in (ParameterKind.EXTRA, ParameterKind.STREAM_JSON, ParameterKind.LEGS_JSON)
        else guard(text)
    )


def _twice(pairs: Pairs) -> bytes:
    """Encode twice; where no key has an escape, one gets one, so that it shows."""
    once = _split(build_pairs(pairs).decode())
    if not any("%" in key for key, _ in once):
        at = next((at for at, (key, _) in enumerate(once) if key), None)
        if at is None:
            return build_pairs(pairs)
        key, value = once[at]
        once[at] = (f"%{ord(key[0]):02X}{key[1:]}", value)
    return build_pairs(once)


def _split(query: str) -> Pairs:
    """Split a query without decoding it."""
    return [(key, value) for key, _, value in (piece.partition("=") for piece in query.split("&"))]


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()


_SPELL: dict[Dialect, Callable[[str], str]] = {
    Dialect.LOWER_CASE: str.lower,
    Dialect.SNAKE_CASE: _snake,
}


def _json_body(pairs: Pairs) -> bytes:
    """One object; repeated keys are repeated, as JSON allows (RFC 8259, section 4)."""
    members = (f"{json.dumps(key)}:{json.dumps(value)}" for key, value in pairs)
    return ("{" + ",".join(members) + "}").encode()
