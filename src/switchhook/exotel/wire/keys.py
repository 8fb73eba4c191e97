"""Which parameter a key names: every spelling of exotel-platform B.4 folded by one rule.

A key is split at its brackets, each part is lowered and loses `_`, `-` and `.`; what is left is
looked up in one table. So `Stream[StreamSID]`, `stream%5Bstream_sid%5D`, `stream.streamSid` and
`StreamSid` are the same parameter.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag, auto
from functools import lru_cache
from typing import NamedTuple

from switchhook.exotel.wire.query import decode_again, has_escape, key_path
from switchhook.exotel.wire.scalar import MOST_DIGITS


class ParameterKind(IntEnum):
    """What a parameter belongs to."""

    CALL = auto()
    NUMBER = auto()
    """One of From, To, CallFrom, CallTo: two of them win over the other two."""
    STREAM = auto()
    STREAM_JSON = auto()
    BARE = auto()
    """A name of the stream's without `Stream`: the stream's only where nothing else is possible."""
    LEG = auto()
    LEGS_JSON = auto()
    EXTRA = auto()


class Spelling(IntFlag):
    """What the way a key was written says about the request's dialect."""

    PLAIN = 0
    LOWER = auto()
    SNAKE = auto()
    DOTTED = auto()
    TWICE = auto()
    """Percent-encoded twice."""
    UNPAIRED = auto()
    """Brackets that don't pair."""


class Slot(NamedTuple):
    """Where a parameter's value goes. `name` is the field of the value type, or empty."""

    kind: ParameterKind
    name: str
    odd: bool
    """Whether the spelling says anything: enum flags are slow to ask."""
    key: str
    """The key as sent, decoded and trimmed."""
    spelling: Spelling = Spelling.PLAIN
    leg: int = 0
    rest: str = ""
    """Of a leg: what stands below the index, `Insights[Status]`."""


CALL_KEYS = {
    "call_sid": "CallSid",
    "account_sid": "AccountSid",
    "direction_raw": "Direction",
    "digits": "digits",
    "custom_field": "CustomField",
    "recording_url": "RecordingUrl",
    "forwarded_from": "ForwardedFrom",
    "flow_id": "flow_id",
    "tenant_id": "tenant_id",
    "event_type": "EventType",
    "agent_email": "AgentEmail",
    "call_status": "CallStatus",
    "call_type": "CallType",
    "dial_status": "DialCallStatus",
    "dial_duration_raw": "DialCallDuration",
    "dial_whom_number": "DialWhomNumber",
    "outgoing_number": "OutgoingPhoneNumber",
    "created_raw": "Created",
    "started_raw": "StartTime",
    "ended_raw": "EndTime",
    "current_raw": "CurrentTime",
    "recording_available_raw": "RecordingAvailableBy",
}
"""Field of `Passthru` → Exotel's spelling, in the order in which they are built."""

NUMBER_KEYS = {
    "callfrom": "CallFrom",
    "callto": "CallTo",
    "from": "From",
    "to": "To",
}

STREAM_KEYS = {
    "sid": "StreamSID",
    "status": "Status",
    "duration_raw": "Duration",
    "url": "StreamUrl",
    "recording_url": "RecordingUrl",
    "disconnected_by_raw": "DisconnectedBy",
    "detailed_status": "DetailedStatus",
    "error": "Error",
    "disposition": "Disposition",
}

LEG_KEYS = {
    "number": "Number",
    "type": "Type",
    "on_call_duration_raw": "OnCallDuration",
    "cause": "Cause",
    "cause_code": "CauseCode",
    "caller_id": "CallerId",
    "disconnected_by": "DisconnectedBy",
}


LONGEST_KEY = 256
"""Characters of a key that is looked at; no known key is nearly as long."""


def fold(text: str) -> str:
    """One spelling for all: lower case without `_`, `-` and `.`."""
    return text.lower().replace("_", "").replace("-", "").replace(".", "")


def _folded(keys: dict[str, str]) -> dict[str, str]:
    return {fold(key): field for field, key in keys.items()}


_CALL = _folded(CALL_KEYS)
_STREAM = _folded(STREAM_KEYS) | {"sid": "sid", "url": "url"}
_LEG = _folded(LEG_KEYS)
_STREAM_ONLY = {"streamsid", "streamurl"}  # as bare names, not `Stream` and `sid`
_BARE = {name: field for name, field in _STREAM.items() if name not in ("sid", "url")}
_STREAM_ROOT, _LEGS_ROOT = "stream", "legs"
_ROUNDS = 3


@lru_cache(maxsize=2048)
def slot_of(key: str) -> Slot:
    """`find_slot` with a memory, for requests of ordinary length."""
    return find_slot(key)


def find_slot(key: str) -> Slot:
    """Find the parameter that a key names; the key is decoded once already."""
    key = key.strip()
    if len(key) > LONGEST_KEY:
        return Slot(ParameterKind.EXTRA, "", False, key)
    sent, spelling = key, Spelling.PLAIN
    for _ in range(_ROUNDS):
        if not has_escape(key):
            break
        key, spelling = decode_again(key).strip(), Spelling.TWICE
    if has_escape(key):
        return Slot(ParameterKind.EXTRA, "", False, sent)
    path = key_path(key)
    if path is None:
        spelling |= Spelling.UNPAIRED
        path = tuple(part.strip(" ]") for part in key.split("[")) if key.count("[") == 1 else (key,)
    slot = _find(path, key)
    if slot.name:
        spelling |= _spelling(key)
    return slot._replace(spelling=spelling, odd=bool(spelling))


def _find(path: tuple[str, ...], key: str) -> Slot:
    root, below = fold(path[0]), [part for part in path[1:] if part]
    if root == _STREAM_ROOT:
        if not below:
            return Slot(ParameterKind.STREAM_JSON, root, False, key)
        field = _STREAM.get(fold(below[0])) if len(below) == 1 else None
        return (
            Slot(ParameterKind.STREAM, field, False, key)
            if field
            else Slot(ParameterKind.EXTRA, "", False, key)
        )
    if root == _LEGS_ROOT:
        return _find_leg(below, key)
    if below:
        return Slot(ParameterKind.EXTRA, "", False, key)
    if root in _CALL:
        # RecordingUrl is a name of the call's and of the stream's.
        return Slot(ParameterKind.CALL, _CALL[root], False, key)
    if root in NUMBER_KEYS:
        return Slot(ParameterKind.NUMBER, root, False, key)
    if root.startswith(_STREAM_ROOT):
        field = _STREAM.get(root.removeprefix(_STREAM_ROOT)) if root not in _STREAM_ONLY else None
        if field:
            return Slot(ParameterKind.STREAM, field, False, key)
    if root in _BARE:
        return Slot(ParameterKind.BARE, _BARE[root], False, key)
    return Slot(ParameterKind.EXTRA, "", False, key)


def _find_leg(below: list[str], key: str) -> Slot:
    if not below:
        return Slot(ParameterKind.LEGS_JSON, _LEGS_ROOT, False, key)
    index = below[0]
    if not (index.isascii() and index.isdigit() and len(index) <= MOST_DIGITS):
        return Slot(ParameterKind.EXTRA, "", False, key)
    if len(below) < 2:
        return Slot(ParameterKind.EXTRA, "", False, key)
    field = _LEG.get(fold(below[1])) if len(below) == 2 else None
    rest = below[1] + "".join(f"[{part}]" for part in below[2:])
    return Slot(ParameterKind.LEG, field or "", False, key, Spelling.PLAIN, int(index), rest)


def _spelling(key: str) -> Spelling:
    bare = key.replace("[", "").replace("]", "")
    found = Spelling.PLAIN
    if "." in bare:
        found |= Spelling.DOTTED
    if bare.islower() and bare not in _LOWER_ANYWAY:
        found |= Spelling.SNAKE if "_" in bare else Spelling.LOWER
    return found


_LOWER_ANYWAY = {key for key in (*CALL_KEYS.values(), *NUMBER_KEYS.values()) if key.islower()}
