"""Which parameters a passthru carries, in which order, with which odd values.

Pure: from the facts of a call to ordered pairs, and from pairs to the bytes of a query. Keys,
formats and quirks are those of captures, in their order (exotel-platform A.4, A.5).
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import msgspec

from switchhook.emulator.net.urls import shown
from switchhook.emulator.plan.numbers import same_number

if TYPE_CHECKING:
    from switchhook.emulator.plan.behaviour import Behaviour
    from switchhook.exotel.wire.query import Pairs

NOT_YET = "1970-01-01 05:30:00"
"""EndTime, always: the epoch in IST."""

LONGEST_CUSTOM_FIELD = 128

_FLAT = (
    "StreamSID",
    "Status",
    "Duration",
    "RecordingUrl",
    "StreamUrl",
    "DisconnectedBy",
    "DetailedStatus",
    "Error",
)
_JSON = (
    "StreamSID",
    "RecordingUrl",
    "Status",
    "Duration",
    "StreamUrl",
    "DetailedStatus",
    "Error",
    "DisconnectedBy",
)
"""The two orders in which Exotel's article prints a stream's fields (exotel-platform B.2)."""

_PHONES = {
    "CallFrom",
    "CallTo",
    "From",
    "To",
    "DialWhomNumber",
    "OutgoingPhoneNumber",
    "ForwardedFrom",
}


class StreamParameters(msgspec.Struct, frozen=True, kw_only=True):
    """What a passthru says about a stream; a field that is None is not sent."""

    sid: str | None = None
    status: str | None = None
    duration_s: int | None = None
    url: str | None = None
    recording_url: str | None = None
    disconnected_by: str | None = None
    detailed_status: str | None = None
    error: str | None = None

    def as_shown(self) -> StreamParameters:
        """The same, as traces and programs may see it: no secret in the stream's URL."""
        return self if self.url is None else msgspec.structs.replace(self, url=shown(self.url))

    def fields(self) -> dict[str, str]:
        """By Exotel's names; every value a text."""
        fields = {
            "StreamSID": self.sid,
            "Status": self.status,
            "Duration": None if self.duration_s is None else str(self.duration_s),
            "RecordingUrl": self.recording_url,
            "StreamUrl": self.url,
            "DisconnectedBy": self.disconnected_by,
            "DetailedStatus": self.detailed_status,
            "Error": self.error,
        }
        return {name: value for name, value in fields.items() if value is not None}


class DialledLeg(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to reach an agent."""

    number: str
    parallel: bool
    talk_s: int
    cause: str
    """The ISDN number, `16`; Exotel calls the number Cause and the word CauseCode."""
    cause_code: str


class Dialled(msgspec.Struct, frozen=True, kw_only=True):
    """How a Connect applet ended."""

    status: str
    seconds: int
    """From dialling to the end, ringing included."""
    legs: tuple[DialledLeg, ...]
    call_type: str
    recording_url: str | None = None


class CallParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a call at one moment. Numbers in E.164, times in IST."""

    call_sid: str
    from_: str
    exophone: str
    outbound: bool
    created: datetime
    started: datetime
    now: datetime
    flow_id: str
    tenant_id: str
    digits: str | None = None
    custom_field: str | None = None
    voicemail_url: str | None = None
    dialled: Dialled | None = None
    stream: StreamParameters | None = None
    passthru_url: str | None = None
    """The passthru that was called before, which Exotel repeats to dynamic URLs."""


def passthru_pairs(call: CallParameters, behaviour: Behaviour) -> Pairs:
    """The parameters of a Passthru applet, but the stream's (exotel-platform A.5-1, A.5-5)."""
    dialled = call.dialled
    pairs = _who(call, behaviour)
    pairs += [("Created", call.created.strftime("%a, %d %b %Y %H:%M:%S"))]
    if dialled is not None:
        pairs += [("ForwardedFrom", "null")]
    pairs += [("DialCallDuration", str(dialled.seconds if dialled else 0))]
    recording = (dialled.recording_url if dialled else None) or call.voicemail_url
    if recording is not None:
        pairs += [("RecordingUrl", recording)]
    pairs += [("StartTime", _time(call.started)), ("EndTime", NOT_YET)]
    if dialled is not None:
        pairs += [("DialCallStatus", dialled.status)]
    pairs += [("CallType", _call_type(call))]
    if dialled is not None:
        pairs += [("ProcessStatus", "null")]
    last = dialled.legs[-1].number if dialled and dialled.legs else ""
    pairs += [("DialWhomNumber", _number(last, behaviour))]
    pairs += [("flow_id", call.flow_id), ("tenant_id", call.tenant_id)]
    if recording is not None:
        playable = call.now + timedelta(minutes=5)
        pairs += [("RecordingAvailableBy", playable.strftime("%a, %d %b %Y %H:%M:%S"))]
    pairs += _from_to(call, behaviour)
    if dialled is not None:
        pairs += [("OutgoingPhoneNumber", _number(call.exophone, behaviour))]
    pairs += [("CurrentTime", _time(call.now))]
    if call.digits is not None:
        pairs += [("digits", json.dumps(call.digits))]
    if call.custom_field is not None:
        pairs += [("CustomField", call.custom_field[:LONGEST_CUSTOM_FIELD])]
    for index, leg in enumerate(dialled.legs if dialled else ()):
        pairs += [
            (f"Legs[{index}][Number]", _number(leg.number, behaviour)),
            (f"Legs[{index}][Type]", "parallel" if leg.parallel else "single"),
            (f"Legs[{index}][OnCallDuration]", str(leg.talk_s)),
            (f"Legs[{index}][Cause]", leg.cause),
            (f"Legs[{index}][CauseCode]", leg.cause_code),
        ]
    return pairs


def dynamic_url_pairs(call: CallParameters, behaviour: Behaviour) -> Pairs:
    """What the GET for a stream's URL has (exotel-platform A.5-2, A.5-3, A.5-4)."""
    pairs = _who(call, behaviour)
    pairs += [
        ("Created", call.created.strftime("%a, %d %b %Y %H:%M:%S")),
        ("DialWhomNumber", ""),
        ("HangupLatencyStartTimeExocc", ""),
        ("HangupLatencyStartTime", ""),
        ("ServerCode", ""),
    ]
    if call.passthru_url is not None:
        pairs += [("passthru", _php_json(call.passthru_url))]
    pairs += [*_from_to(call, behaviour), ("CurrentTime", _time(call.now))]
    if call.custom_field is not None:
        pairs += [("CustomField", call.custom_field[:LONGEST_CUSTOM_FIELD])]
    return pairs


def encode(pairs: Pairs, stream: StreamParameters | None, behaviour: Behaviour) -> bytes:
    """A query: `pairs`, then the stream in the dialect asked for, form-encoded as PHP does it."""
    dialect = behaviour.dialect
    said = [*pairs, *_stream_pairs(stream, dialect)] if stream is not None else list(pairs)
    said = [(key, value) for key, value in said if key not in behaviour.leave_out]
    change = dict(behaviour.change)
    said = [(key, change.pop(key, value)) for key, value in said] + list(change.items())
    return "&".join(
        f"{_key(key, dialect)}={_value(key, value, behaviour)}" for key, value in said
    ).encode()


def national(number: str) -> str:
    """An Indian number as Exotel writes it, with a zero for the country; others in E.164.

    >>> national("+919812300045")
    '09812300045'
    """
    return re.sub(r"\A\+91(?=[0-9]{10}\Z)", "0", number)


def _who(call: CallParameters, behaviour: Behaviour) -> Pairs:
    if behaviour.direction == "seed":
        direction = "outbound" if call.outbound else "inbound"
    else:
        direction = "outbound-dial" if call.outbound else "incoming"
    return [
        ("CallSid", call.call_sid),
        ("CallFrom", _number(call.from_, behaviour)),
        ("CallTo", _number(call.exophone, behaviour)),
        ("Direction", direction),
    ]


def _from_to(call: CallParameters, behaviour: Behaviour) -> Pairs:
    return [
        ("From", _number(call.from_, behaviour)),
        ("To", _number(same_number(behaviour.shared_to or call.exophone), behaviour)),
    ]


def _call_type(call: CallParameters) -> str:
    if call.dialled is not None:
        return call.dialled.call_type
    # A flow without Connect is an attempt, however long the bot talked (exotel-platform 0.2-7).
    return "voicemail" if call.voicemail_url is not None else "call-attempt"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _number(number: str, behaviour: Behaviour) -> str:
    return national(number) if behaviour.numbers == "zero" else number


def _stream_pairs(stream: StreamParameters, dialect: str) -> Pairs:
    fields = stream.fields()
    flat = [(f"Stream[{name}]", fields[name]) for name in _FLAT if name in fields]
    text = _php_json({name: fields[name] for name in _JSON if name in fields})
    if dialect == "json":
        return [("Stream", text)]
    return [*flat, ("Stream", text)] if dialect == "mixed" else flat


def _php_json(value: object) -> str:
    """`json_encode` escapes slashes."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


def _key(key: str, dialect: str) -> str:
    match dialect:
        case "raw-bracket":
            return quote_plus(key, safe="[]")
        case "double-encoded":
            return quote_plus(quote_plus(key))
        case "lower-case":
            return quote_plus(key.lower())
        case _:
            return quote_plus(key)


def _value(key: str, value: str, behaviour: Behaviour) -> str:
    if behaviour.dialect == "double-encoded":
        return quote_plus(quote_plus(value))
    if behaviour.numbers == "plus-as-space" and (key in _PHONES or key.endswith("[Number]")):
        return quote_plus(value, safe="+")
    return quote_plus(value)
