"""What a rule may see of a passthru, of the account and of the time: every variable, by name.

Nothing here knows the language that rules are written in. A variable is a name, a type, a
meaning and a function that reads it from what is `RuleInput`; `docs/rules.md` holds the same table.

An absent text reads as "", so that rules can compare it. An absent number reads as None and is
not shown to the rule at all: no number could stand for it and not be mistaken for a real one.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import msgspec

from switchhook.exotel.cause import Verdict
from switchhook.exotel.passthru import Passthru, Stream, StreamStatus
from switchhook.exotel.times import EPOCH, WEEKDAYS
from switchhook.rules.flags import NO_VALUES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.rules.flags import FlagValue

Kind = Literal[
    "string", "int", "double", "bool", "timestamp", "map(string, string)", "list(string)", "dyn"
]
FLAGS = "flags."
"""Begins the names of flags."""

_NO_STREAM = Stream()
# The rules' runtime is C++: a NUL would end the text there, a lone surrogate has no UTF-8.
_UNSHOWABLE = re.compile("[\0\ud800-\udfff]")
_LARGEST = 2**63 - 1


class AccountFacts(msgspec.Struct, frozen=True):
    """What is known of the account at the moment of deciding; None is what is not known.

    `active` streams, `allowed` streams, `headroom` streams left, `age_s` seconds since they were
    learnt.
    """

    active: int | None = None
    allowed: int | None = None
    headroom: int | None = None
    age_s: float | None = None


class RuleInput(msgspec.Struct, frozen=True):
    """Everything that one decision rests on.

    `at_ms` is the moment in milliseconds since 1970, UTC; `zone` the endpoint's; `flags` what the
    flags are for the caller, by name.
    """

    passthru: Passthru
    stream: Stream
    verdict: Verdict
    facts: AccountFacts
    at_ms: int
    zone: ZoneInfo
    flags: Mapping[str, FlagValue] = NO_VALUES

    @property
    def local(self) -> datetime:
        """The moment on the endpoint's clock, in whole seconds."""
        return _on_the_clock(self.at_ms // 1000, self.zone)


def seen(
    passthru: Passthru,
    verdict: Verdict,
    facts: AccountFacts,
    at_ms: int,
    zone: ZoneInfo,
    flags: Mapping[str, FlagValue] = NO_VALUES,
) -> RuleInput:
    """Put together what rules see; no stream reads as one that says nothing."""
    stream = passthru.stream or _NO_STREAM
    return RuleInput(passthru, stream, verdict, facts, at_ms, zone, flags)


# Converting to a zone costs as much as all the rest of a decision, and many share a second.
@lru_cache(maxsize=64)
def _on_the_clock(at_s: int, zone: ZoneInfo) -> datetime:
    return (EPOCH + timedelta(seconds=at_s)).astimezone(zone)


class Variable(msgspec.Struct, frozen=True):
    """One name that rules may use.

    `present_if` is how a rule asks whether there is a value; empty where there always is one.
    """

    name: str
    type: Kind
    meaning: str
    read: Callable[[RuleInput], object]
    present_if: str = ""


def _text(said: str | None) -> str:
    if not said:
        return ""
    if said.isascii() and "\0" not in said:
        return said
    return _UNSHOWABLE.sub("\ufffd", said)


def _whole(number: int | None) -> int | None:
    """A number that fits 64 bits: the nearest one, so that comparisons stay true."""
    if number is None or -_LARGEST <= number <= _LARGEST:
        return number
    return _LARGEST if number > 0 else -_LARGEST


def _stream_status(seen: RuleInput) -> str:
    state = seen.stream.state
    if state is None or state is StreamStatus.UNKNOWN:
        return _text(seen.stream.status).lower()
    return state


def _extra(seen: RuleInput) -> dict[str, str]:
    first: dict[str, str] = {}
    for key, value in seen.passthru.extra:
        first.setdefault(_text(key), _text(value))
    return first


def _account_known(seen: RuleInput) -> bool:
    facts = seen.facts
    return not (facts.active is None and facts.allowed is None and facts.headroom is None)


def _call(name: str, meaning: str, read: Callable[[Passthru], str | None]) -> Variable:
    full = f"call.{name}"
    return Variable(full, "string", meaning, lambda s: _text(read(s.passthru)), f'{full} != ""')


def _stream(name: str, meaning: str, read: Callable[[Stream], str | None]) -> Variable:
    full = f"stream.{name}"
    return Variable(full, "string", meaning, lambda s: _text(read(s.stream)), f'{full} != ""')


_CALL = (
    _call("sid", "CallSid", lambda p: p.call_sid),
    _call("from", "the caller, in E.164, or as sent where it is no full number", lambda p: p.from_),
    _call("to", "the number called, likewise", lambda p: p.to),
    _call("direction", '"inbound" or "outbound"; "" for any other word', lambda p: p.direction),
    _call("direction_raw", "Direction as sent", lambda p: p.direction_raw),
    _call("status", "CallStatus as sent", lambda p: p.call_status),
    _call("type", "CallType as sent", lambda p: p.call_type),
    _call("digits", "the keys that the caller pressed, without quotes", lambda p: p.digits),
    _call(
        "custom_field", "CustomField of the API call that made the call", lambda p: p.custom_field
    ),
    _call("dial_status", "DialCallStatus as sent", lambda p: p.dial_status),
    _call(
        "dial_whom",
        "DialWhomNumber as sent: a number or a SIP address",
        lambda p: p.dial_whom_number,
    ),
    Variable(
        "call.dial_duration",
        "int",
        "DialCallDuration in seconds, ringing included",
        lambda s: _whole(s.passthru.dial_duration_s),
        "call.dial_duration_known",
    ),
    Variable(
        "call.dial_duration_known",
        "bool",
        "whether there is a call.dial_duration",
        lambda s: s.passthru.dial_duration_s is not None,
    ),
    _call("recording_url", "RecordingUrl of the call", lambda p: p.recording_url),
    _call("forwarded_from", "ForwardedFrom as sent", lambda p: p.forwarded_from),
    _call("flow_id", "the flow's number", lambda p: p.flow_id),
    _call("event_type", "EventType as sent", lambda p: p.event_type),
    Variable(
        "call.legs",
        "int",
        "how many attempts to reach an agent there were; 0 if none",
        lambda s: len(s.passthru.legs),
    ),
)
_STREAM = (
    Variable(
        "stream.present",
        "bool",
        "whether the request says anything of a stream",
        lambda s: s.passthru.stream is not None,
    ),
    _stream("sid", "StreamSID", lambda t: t.sid),
    Variable(
        "stream.status",
        "string",
        '"completed", "failed", "cancelled" or "in-progress"; any other word in lower case',
        _stream_status,
        'stream.status != ""',
    ),
    Variable(
        "stream.duration",
        "int",
        "Duration in seconds",
        lambda s: _whole(s.stream.duration_s),
        "stream.duration_known",
    ),
    Variable(
        "stream.duration_known",
        "bool",
        "whether there is a stream.duration",
        lambda s: s.stream.duration_s is not None,
    ),
    _stream("url", "StreamUrl", lambda t: t.url),
    _stream("recording_url", "RecordingUrl of the stream", lambda t: t.recording_url),
    _stream(
        "disconnected_by",
        '"user", "bot" or "NA"; "unknown" for any other word',
        lambda t: t.disconnected_by,
    ),
    _stream("detailed_status", "DetailedStatus as sent", lambda t: t.detailed_status),
    _stream("error", "Error as sent", lambda t: t.error),
    Variable(
        "stream.error_kind",
        "string",
        '"refused", "timeout", "dns", "tls", "tls_to_plain", "plain_to_tls", "bad_handshake", '
        '"unreachable", "eof", "closed", "deadline" or "other"',
        lambda s: s.verdict.kind or "",
        'stream.error_kind != ""',
    ),
    Variable(
        "stream.error_code",
        "int",
        "the number that Error starts with, such as 3009",
        lambda s: _whole(s.verdict.error.code) if s.verdict.error else None,
        r'stream.error.matches(r"^[0-9]{3,5}\b")',
    ),
    Variable(
        "stream.cause",
        "string",
        "our verdict: one of the ten causes below",
        lambda s: s.verdict.cause,
    ),
)
_ACCOUNT = (
    Variable(
        "account.known",
        "bool",
        "whether anything is known of the account's streams",
        _account_known,
    ),
    Variable(
        "account.active", "int", "streams in use", lambda s: _whole(s.facts.active), "account.known"
    ),
    Variable(
        "account.allowed",
        "int",
        "streams allowed at the same time",
        lambda s: _whole(s.facts.allowed),
        "account.limit_known",
    ),
    Variable(
        "account.headroom",
        "int",
        "streams left",
        lambda s: _whole(s.facts.headroom),
        "account.limit_known",
    ),
    Variable(
        "account.limit_known",
        "bool",
        "whether it is known how many streams are allowed, and so how many are left",
        lambda s: s.facts.allowed is not None and s.facts.headroom is not None,
    ),
    Variable(
        "account.age",
        "double",
        "seconds since this was learnt",
        lambda s: s.facts.age_s,
        "account.known",
    ),
)
_TIME = (
    Variable("local.hour", "int", "0 to 23, on the endpoint's clock", lambda s: s.local.hour),
    Variable("local.minute", "int", "0 to 59", lambda s: s.local.minute),
    Variable(
        "local.weekday", "string", '"monday" to "sunday"', lambda s: WEEKDAYS[s.local.weekday()]
    ),
    Variable(
        "local.date", "string", 'the day, as in "2026-11-23"', lambda s: s.local.date().isoformat()
    ),
    Variable(
        "now",
        "timestamp",
        "the moment; its getHours() and the like need a zone",
        lambda s: EPOCH + timedelta(milliseconds=s.at_ms),
    ),
)
_EXTRA = Variable(
    "extra", "map(string, string)", "all other parameters by name, the first of repeats", _extra
)

VARIABLES: dict[str, Variable] = {
    variable.name: variable for variable in (*_CALL, *_STREAM, *_ACCOUNT, *_TIME, _EXTRA)
}
"""Every variable by its name, in the order of the documentation."""

SOMETIMES_ABSENT = frozenset(
    name
    for name, variable in VARIABLES.items()
    if variable.type in ("int", "double") and variable.present_if
)
"""The numbers that a request or the account may not have."""

CHANGING = frozenset(variable.name for variable in (*_ACCOUNT, *_TIME))
"""What is another a moment later, though the same is asked; so is every flag."""


def flag_variable(name: str, type: Kind) -> Variable:
    """A flag as rules see it: `flags.NAME`."""
    return Variable(FLAGS + name, type, "a flag", lambda s: s.flags.get(name))
