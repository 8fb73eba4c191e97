"""What may be asked: one table for checking a request and for describing the API."""

from __future__ import annotations

import re

from switchhook.exotel.cause import Cause
from switchhook.exotel.passthru import Stream, StreamStatus
from switchhook.streams.search.query import Query
from switchhook.streams.search.syntax import LONGEST, parse_query
from switchhook.web.parameters import SINCE, TEXT_SCHEMA, UNTIL, Parameter, read_choice, read_text

MOST = 1000
DEFAULT = 100
LAST_SEQ = 2**63 - 1


def _status(parameter: Parameter, text: str, now_ms: int) -> str:
    state = Stream(status=read_text(parameter, text, now_ms).strip()).state
    if state is None or state is StreamStatus.UNKNOWN:
        return text.strip().lower()
    return state.value


def _limit(parameter: Parameter, text: str, now_ms: int) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MOST:
        raise parameter.refuse("not a number in range", f"1 to {MOST}")
    return int(text)


def _cursor(parameter: Parameter, text: str, now_ms: int) -> int:
    if not re.fullmatch(_CURSOR, text) or int(text, 16) > LAST_SEQ:
        raise parameter.refuse("not a cursor", "pass on what an answer had as next, unchanged")
    return int(text, 16)


def _query(parameter: Parameter, text: str, now_ms: int) -> Query:
    query = parse_query(text, now_ms)
    for each in query.problems:
        shown = text[each.at : each.at + each.length][:80]
        raise parameter.refuse(f"{each.problem} (at {each.at}: {shown})", each.hint)
    return query


_CURSOR = r"[0-9a-f]{1,16}"


FILTERS = {
    parameter.name: parameter
    for parameter in (
        Parameter(
            "endpoint",
            "the endpoint's name; a stream's is the first that told",
            TEXT_SCHEMA,
            read_text,
        ),
        Parameter("call_sid", "CallSid", TEXT_SCHEMA, read_text),
        Parameter("stream_sid", "StreamSID", TEXT_SCHEMA, read_text),
        Parameter(
            "status", "the stream's status, or any other word that was said", TEXT_SCHEMA, _status
        ),
        Parameter(
            "cause",
            "our verdict on how the stream ended",
            {"type": "string", "enum": [cause.value for cause in Cause]},
            read_choice,
        ),
        Parameter(
            "option", "what was answered", {"type": "string", "enum": ["A", "B"]}, read_choice
        ),
        SINCE,
        UNTIL,
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
KIND = Parameter(
    "kind",
    "of which kind of endpoint",
    {"type": "string", "enum": ["passthru", "admit", "voicebot"], "default": "passthru"},
    read_choice,
)
RECEIPT_FILTERS = FILTERS | {KIND.name: KIND}
"""Those of the list of receipts."""
STREAM_FILTERS = FILTERS | {SEARCH.name: SEARCH}
"""Those of the list of streams."""


def cursor_of(seq: int) -> str:
    """The cursor of what stands before `seq`."""
    return f"{seq:x}"
