"""The API of access: what it may be asked, and its part of the OpenAPI document."""

from __future__ import annotations

from datetime import datetime

import msgspec

from switchhook.web.json_schema import COUNT, STRING, Schema, object_of
from switchhook.web.openapi import Operation
from switchhook.web.parameters import Parameter

PAGE = 100
MOST_A_PAGE = 1_000
_LONGEST_TEXT = 256
_NEWEST = 2**53

_AT: Schema = {"type": "string", "format": "date-time"}


def _text(parameter: Parameter, text: str, now_ms: int) -> str:
    if not 1 <= len(text) <= _LONGEST_TEXT:
        raise parameter.refuse("it is empty or too long", f"1 to {_LONGEST_TEXT} characters")
    return text


def _whole(parameter: Parameter, text: str, now_ms: int) -> int:
    most = parameter.schema["maximum"]
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:17]) <= most:
        raise parameter.refuse("it is no whole number within bounds", f"1 to {most:,}")
    return int(text)


def _day(parameter: Parameter, text: str, now_ms: int) -> int:
    """The beginning of a day `2026-11-25`, UTC, in microseconds."""
    try:
        moment = msgspec.convert(f"{text}T00:00:00Z", datetime)
    except msgspec.ValidationError:
        raise parameter.refuse("it is no day", "such as 2026-11-25") from None
    return int(moment.timestamp()) * 1_000_000


_SAID: Schema = {"type": "string", "minLength": 1, "maxLength": _LONGEST_TEXT}
_BOUND: Schema = {"type": "integer", "minimum": 1}

AUDIT = {
    each.name: each
    for each in (
        Parameter("who", "who did it, in full", _SAID, _text),
        Parameter("what", "what was done, in full", _SAID, _text),
        Parameter("subject", "to what, in full", _SAID, _text),
        Parameter("since", "a day, UTC", {"type": "string", "format": "date"}, _day),
        Parameter(
            "limit",
            "how many",
            _BOUND | {"maximum": MOST_A_PAGE, "default": PAGE},
            _whole,
        ),
        Parameter("before", "`next` of the page before", _BOUND | {"maximum": _NEWEST}, _whole),
    )
}


SCHEMAS: dict[str, Schema] = {
    "AuditEntry": object_of(
        seq=COUNT,
        at=_AT,
        at_us=COUNT,
        who=STRING,
        what=STRING,
        subject=STRING,
        origin=STRING,
        details=STRING,
        hash={"type": "string", "pattern": "^[0-9a-f]{64}$"},
    ),
    "AuditEntries": object_of(
        entries={"type": "array", "items": {"$ref": "#/components/schemas/AuditEntry"}},
        next={"type": ["integer", "null"]},
    ),
    "Revealed": object_of(revealed_until=_AT),
}

OPERATIONS = (
    Operation("/api/v1/audit", "audit", "Who did what, newest first", "AuditEntries", asked=AUDIT),
)
"""The addresses that are read, for administrators."""


def _answer(said: str, schema: str) -> Schema:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": said, "content": content}


PATHS: dict[str, Schema] = {
    "/api/v1/calls/{call_sid}/reveal": {
        "post": {
            "operationId": "reveal",
            "summary": "Show a call's numbers to who asks, for 15 minutes; it is in the audit log",
            "parameters": [
                {
                    "name": "call_sid",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
                }
            ],
            "responses": {
                "200": _answer("as described", "Revealed"),
                "403": _answer("the role is too low", "Error"),
                "404": _answer("it is no CallSid", "Error"),
                "503": _answer("it can't be noted, so nothing is shown", "Error"),
            },
        }
    },
}
"""What is asked by other methods than GET."""
