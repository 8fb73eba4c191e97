"""What may be asked: one table for checking a request and for describing the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from switchhook.cause import Cause
from switchhook.interpret import with_plus
from switchhook.passthru import Stream, StreamStatus

MOST = 1000
DEFAULT = 100
LONGEST_TEXT = 1000
LAST_SEQ = 2**63 - 1


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """A parameter that can't be understood; `parameter` is None where it is about none."""

    def __init__(self, parameter: str | None, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.parameter, self.problem, self.hint = parameter, problem, hint


class Parameter(msgspec.Struct, frozen=True):
    """One parameter: `read` takes its text and the time in ms, and gives the value or raises."""

    name: str
    meaning: str
    schema: dict[str, Any]
    read: Callable[[Parameter, str, int], Any]

    def refuse(self, problem: str, hint: str) -> Refused:
        return Refused(self.name, problem, hint)


def _text(parameter: Parameter, text: str, now_ms: int) -> str:
    if not 1 <= len(text) <= LONGEST_TEXT:
        raise parameter.refuse("it is empty or too long", f"1 to {LONGEST_TEXT} characters")
    return text


def _status(parameter: Parameter, text: str, now_ms: int) -> str:
    state = Stream(status=_text(parameter, text, now_ms).strip()).state
    if state is None or state is StreamStatus.UNKNOWN:
        return text.strip().lower()
    return state.value


def _one_of(parameter: Parameter, text: str, now_ms: int) -> str:
    known = parameter.schema["enum"]
    if text not in known:
        raise parameter.refuse(f"no such {parameter.name}", "one of " + ", ".join(known))
    return text


def _limit(parameter: Parameter, text: str, now_ms: int) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MOST:
        raise parameter.refuse("not a number in range", f"1 to {MOST}")
    return int(text)


def _cursor(parameter: Parameter, text: str, now_ms: int) -> int:
    if not re.fullmatch(_CURSOR, text) or int(text, 16) > LAST_SEQ:
        raise parameter.refuse("not a cursor", "pass on what an answer had as next, unchanged")
    return int(text, 16)


def _moment(parameter: Parameter, text: str, now_ms: int) -> int:
    hint = "RFC 3339 such as 2026-11-23T10:00:00Z or +05:30, or how long ago: 90s, 15m, 2h, 7d"
    ago = re.fullmatch(_AGO, text)
    if ago:
        return max(now_ms - int(ago[1]) * _UNITS_MS[ago[2]], 0)
    if not _RFC3339.fullmatch(with_plus(text)):
        raise parameter.refuse("not a time with its zone", hint)
    whole = _LEAP_SECOND.sub(r"\g<1>59", with_plus(text).upper())
    try:
        moment = datetime.fromisoformat(whole)
    except ValueError as error:
        raise parameter.refuse("not a time", hint) from error
    return min(max(int(moment.timestamp() * 1000), 0), LAST_SEQ)


_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_AGO = r"([0-9]{1,6})([smhdw])"
_CURSOR = r"[0-9a-f]{1,16}"
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,20})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_LEAP_SECOND = re.compile(r"(T[0-9]{2}:[0-9]{2}:)60")
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
_TIME: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "pattern": f"^{_AGO}$"},
    ]
}

FILTERS = {
    parameter.name: parameter
    for parameter in (
        Parameter(
            "endpoint", "the endpoint's name; a stream's is the first that told", _TEXT, _text
        ),
        Parameter("call_sid", "CallSid", _TEXT, _text),
        Parameter("stream_sid", "StreamSID", _TEXT, _text),
        Parameter("status", "the stream's status, or any other word that was said", _TEXT, _status),
        Parameter(
            "cause",
            "our verdict on how the stream ended",
            {"type": "string", "enum": [cause.value for cause in Cause]},
            _one_of,
        ),
        Parameter("option", "what was answered", {"type": "string", "enum": ["A", "B"]}, _one_of),
        Parameter(
            "since", "not before; to the millisecond, by the journal's clock", _TIME, _moment
        ),
        Parameter("until", "before; likewise", _TIME, _moment),
        Parameter(
            "limit",
            "how many at most",
            {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT},
            _limit,
        ),
        Parameter(
            "cursor",
            "`next` of the page before",
            {"type": "string", "pattern": f"^{_CURSOR}$", "maxLength": 15},
            _cursor,
        ),
    )
}
"""The parameters of both lists, by name."""


def read_filters(pairs: list[tuple[str, str]], now_ms: int) -> dict[str, Any]:
    """The values of a list's parameters; Refused names the first that can't be used."""
    values: dict[str, Any] = {}
    for name, text in pairs:
        parameter = FILTERS.get(name)
        if parameter is None:
            raise Refused(name[:100], "unknown parameter", "known: " + ", ".join(FILTERS))
        if name in values:
            raise parameter.refuse("said twice", "say it once")
        values[name] = parameter.read(parameter, text, now_ms)
    return values


def read_none(pairs: list[tuple[str, str]]) -> None:
    """Refuse every parameter where there are none."""
    for name, _ in pairs:
        raise Refused(name[:100], "unknown parameter", "this address takes none")


def cursor_of(seq: int) -> str:
    """The cursor of what stands before `seq`."""
    return f"{seq:x}"
