"""What may be asked: one table for checking a request and for describing the API."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from switchhook.exotel.cause import Cause
from switchhook.exotel.fields import IST, with_plus
from switchhook.exotel.passthru import Stream, StreamStatus
from switchhook.streams.export import COLUMNS
from switchhook.streams.search.query import Query
from switchhook.streams.search.syntax import LONGEST, parse_query
from switchhook.web.moments import read_moment

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
    if not (_AGO.fullmatch(text) or _RFC3339.fullmatch(with_plus(text))):
        hint = "RFC 3339 such as 2026-11-23T10:00:00Z or +05:30, or how long ago: 90s, 15m, 2h, 7d"
        raise parameter.refuse("not a time with its zone", hint)
    moment = read_moment(text, now_ms, IST)
    if moment is None:
        raise parameter.refuse("not a time", "a day and a time that there are")
    return moment


def _query(parameter: Parameter, text: str, now_ms: int) -> Query:
    query = parse_query(text, now_ms)
    for each in query.problems:
        shown = text[each.at : each.at + each.length][:80]
        raise parameter.refuse(f"{each.problem} (at {each.at}: {shown})", each.hint)
    return query


_CURSOR = r"[0-9a-f]{1,16}"
_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,20})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
_TIME: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "pattern": f"^{_AGO.pattern}$"},
    ]
}

_SINCE = Parameter(
    "since", "not before; to the millisecond, by the journal's clock", _TIME, _moment
)
_UNTIL = Parameter("until", "before; likewise", _TIME, _moment)

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
        _SINCE,
        _UNTIL,
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

SEARCH = Parameter(
    "q",
    "a search, such as `cause:throttled from:98765 !bot:a.example`; see docs/search.md",
    {"type": "string", "maxLength": LONGEST},
    _query,
)
STREAM_FILTERS = FILTERS | {SEARCH.name: SEARCH}
"""Those of the list of streams."""

STRETCH = {
    parameter.name: parameter
    for parameter in (
        _SINCE,
        _UNTIL,
        Parameter(
            "by",
            "how long a stretch is",
            {"type": "string", "enum": ["minute", "hour"], "default": "minute"},
            _one_of,
        ),
    )
}
"""The parameters of what is counted by the minute or the hour."""


_COLUMN = "|".join(COLUMNS)
EXPORT = {
    parameter.name: parameter
    for parameter in (
        SEARCH,
        Parameter(
            "format",
            "the form of the file",
            {"type": "string", "enum": ["csv", "ndjson", "parquet"], "default": "csv"},
            _one_of,
        ),
        Parameter(
            "columns",
            "names between commas, or `all`",
            {"type": "string", "pattern": f"^(all|({_COLUMN})(,({_COLUMN}))*)$"},
            _text,
        ),
        Parameter("tz", "the zone of times: ist, utc, or an IANA name", _TEXT, _text),
    )
}
"""The parameters of an export."""


def read_filters(
    pairs: list[tuple[str, str]], now_ms: int, known: Mapping[str, Parameter] = STREAM_FILTERS
) -> dict[str, Any]:
    """The values of a list's parameters; Refused names the first that can't be used."""
    values: dict[str, Any] = {}
    for name, text in pairs:
        parameter = known.get(name)
        if parameter is None:
            raise Refused(name[:100], "unknown parameter", "known: " + ", ".join(known))
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
