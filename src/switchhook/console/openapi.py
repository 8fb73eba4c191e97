"""The API's description, in OpenAPI 3.1: made from the table that requests are checked with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from switchhook.cause import Cause, ErrorKind
from switchhook.console.export import FORMATS
from switchhook.console.parameters import (
    EXPORT,
    FILTERS,
    STREAM_FILTERS,
    STRETCH,
    Parameter,
)
from switchhook.passthru import Dialect

Schema = dict[str, Any]

_STRING: Schema = {"type": "string"}
_TEXT: Schema = {"type": ["string", "null"]}
_WHOLE: Schema = {"type": ["integer", "null"]}
_NUMBER: Schema = {"type": ["number", "null"]}
_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}


def _object(**properties: Schema) -> Schema:
    """An object that always has all of these."""
    named = {name.removesuffix("_"): schema for name, schema in properties.items()}
    return {"type": "object", "properties": named, "required": list(named)}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _words(*words: str | None) -> Schema:
    return {"enum": list(words)}


_EXTRA: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["string", "array"], "items": {"type": "string"}},
}
_VERDICT = {
    "cause": _words(*Cause, None),
    "advice": _TEXT,
    "evidence": {"type": ["array", "null"], "items": _object(field=_STRING, text=_STRING)},
}
_LEG = _object(
    index={"type": "integer"},
    number=_TEXT,
    number_raw=_TEXT,
    type=_TEXT,
    on_call_duration_s=_WHOLE,
    on_call_duration_raw=_TEXT,
    cause=_TEXT,
    cause_code=_TEXT,
    caller_id=_TEXT,
    disconnected_by=_TEXT,
    extra=_EXTRA,
)
_CALL = _object(
    status=_TEXT,
    type=_TEXT,
    dial_status=_TEXT,
    dial_duration_s=_WHOLE,
    dial_duration_raw=_TEXT,
    dial_whom_number=_TEXT,
    outgoing_number=_TEXT,
    legs=_list(_LEG),
    created_at=_TIME,
    created_at_raw=_TEXT,
    started_at=_TIME,
    started_at_raw=_TEXT,
    ended_at=_TIME,
    ended_at_raw=_TEXT,
    current_at=_TIME,
    current_at_raw=_TEXT,
    recording_available_raw=_TEXT,
    account_sid=_TEXT,
    flow_id=_TEXT,
    tenant_id=_TEXT,
    forwarded_from=_TEXT,
    event_type=_TEXT,
    agent_status=_TEXT,
    agent_email=_TEXT,
)
_SAID_OF_STREAM = {
    "sid": _TEXT,
    "status": _TEXT,
    "status_raw": _TEXT,
    "duration_s": _WHOLE,
    "duration_raw": _TEXT,
    "url": _TEXT,
    "recording_url": _TEXT,
    "disconnected_by": _words("user", "bot", "NA", "unknown", None),
    "disconnected_by_raw": _TEXT,
    "detailed_status": _TEXT,
    "error": _TEXT,
    "disposition": _TEXT,
    "error_detail": _or_null(
        _object(code=_WHOLE, kind=_words(*ErrorKind), host=_TEXT, port=_WHOLE)
    ),
}
_RECEIPT = _object(
    id=_STRING,
    received_at=_TIME,
    endpoint=_TEXT,
    mode=_TEXT,
    method=_TEXT,
    dialect=_words(*Dialect, None),
    auth=_TEXT,
    raw=_TEXT,
    body=_TEXT,
    call_sid=_TEXT,
    direction=_words("inbound", "outbound", None),
    direction_raw=_TEXT,
    from_=_TEXT,
    from_raw=_TEXT,
    to=_TEXT,
    to_raw=_TEXT,
    digits=_TEXT,
    custom_field=_TEXT,
    recording_url=_TEXT,
    call=_or_null(_CALL),
    stream=_or_null(_object(**_SAID_OF_STREAM)),
    **_VERDICT,
    decision=_or_null(
        _object(
            option=_words("A", "B"),
            http_status={"type": "integer"},
            rule=_STRING,
            release=_STRING,
            reason=_STRING,
        )
    ),
    repeat_of=_TEXT,
    defects=_list(_object(field=_STRING, problem=_STRING)),
    extra=_EXTRA,
    decided_in_ms=_NUMBER,
    late_ms=_WHOLE,
)
_STREAM = _object(
    id=_STRING,
    call_sid=_TEXT,
    endpoint=_STRING,
    from_=_TEXT,
    to=_TEXT,
    **_SAID_OF_STREAM,
    **_VERDICT,
    option=_words("A", "B"),
    settled_by=_STRING,
    first_received_at=_TIME,
    last_received_at=_TIME,
)
_CALL_STORY = _object(
    call_sid=_STRING,
    first_received_at=_TIME,
    last_received_at=_TIME,
    from_=_TEXT,
    from_raw=_TEXT,
    to=_TEXT,
    to_raw=_TEXT,
    direction=_TEXT,
    direction_raw=_TEXT,
    account_sid=_TEXT,
    status=_TEXT,
    type=_TEXT,
    dial_status=_TEXT,
    flow_id=_TEXT,
    custom_field=_TEXT,
    recording_url=_TEXT,
    passthrus=_list(_ref("Receipt")),
    streams=_list(_ref("Stream")),
    more={"type": "boolean"},
)
_STREAM_STORY: Schema = {
    "allOf": [_ref("Stream"), _object(receipts=_list(_STRING), more={"type": "boolean"})]
}

_COUNT: Schema = {"type": "integer"}
_FACET = dict.fromkeys(
    ("endpoint", "status", "cause", "option", "kind", "host", "exophone"), _STRING
)

SCHEMAS: dict[str, Schema] = {
    "Receipt": _RECEIPT,
    "Receipts": _object(receipts=_list(_ref("Receipt")), next=_TEXT),
    "Stream": _STREAM,
    "Streams": _object(streams=_list(_ref("Stream")), next=_TEXT),
    "StreamStory": _STREAM_STORY,
    "Call": _CALL_STORY,
    "Status": _object(
        version=_STRING,
        node=_WHOLE,
        journal={"type": "object"},
        fold={"type": "object"},
        counters={"type": "object", "additionalProperties": {"type": "integer"}},
        quarantine={"type": "object"},
        takeovers=_list({"type": "object"}),
        samples=_list({"type": "object"}),
    ),
    "Tallies": _object(
        by=_words("minute", "hour"), tallies=_list(_object(at=_TIME, **_FACET, streams=_COUNT))
    ),
    "Uses": _object(uses=_list(_object(**_FACET, streams=_COUNT, first_at=_TIME, last_at=_TIME))),
    "Counts": _object(counts=_list(_object(at=_TIME, name=_STRING, count=_COUNT))),
    "Forms": _object(
        forms=_list(
            _object(
                at=_TIME,
                endpoint=_STRING,
                aspect=_words("dialect", "defect", "key"),
                value=_STRING,
                count=_COUNT,
            )
        )
    ),
    "Health": _object(
        status=_words("ok", "degraded"), problems=_list(_STRING), fold_lag=_WHOLE, version=_STRING
    ),
    "Error": _object(error=_object(parameter=_TEXT, problem=_STRING, hint=_STRING)),
}
"""What the answers look like, by name."""


class Operation(msgspec.Struct, frozen=True):
    """One address: `schema` of its answer, what it may be asked, `identifier` if it may be 404.

    `files` are the media types of an answer that is no JSON.
    """

    path: str
    name: str
    summary: str
    schema: str | None
    asked: Mapping[str, Parameter] = {}
    identifier: str | None = None
    files: tuple[str, ...] = ()


OPERATIONS = (
    Operation(
        "/api/v1/receipts", "receipts", "Passthrus received, newest first", "Receipts", FILTERS
    ),
    Operation("/api/v1/receipts/{id}", "receipt", "One receipt", "Receipt", identifier="id"),
    Operation(
        "/api/v1/streams", "streams", "Streams, by their first receipt", "Streams", STREAM_FILTERS
    ),
    Operation(
        "/api/v1/streams/{stream_sid}",
        "stream",
        "One stream, with the receipts that tell of it",
        "StreamStory",
        identifier="stream_sid",
    ),
    Operation(
        "/api/v1/calls/{call_sid}",
        "call",
        "One call: its passthrus and streams in the journal's order",
        "Call",
        identifier="call_sid",
    ),
    Operation("/api/v1/status", "status", "What runs, and how it is", "Status"),
    Operation("/api/v1/openapi.json", "openapi", "This description", None),
    Operation("/healthz", "healthz", "Whether it works", "Health"),
)
"""The addresses of receipts, streams and calls."""

_TIMES = {name: parameter for name, parameter in STRETCH.items() if name != "by"}

COUNTED = (
    Operation(
        "/api/v1/streams/export",
        "export",
        "All streams that a search finds, as a file",
        None,
        EXPORT,
        files=tuple(each.media_type.partition(";")[0] for each in FORMATS.values()),
    ),
    Operation(
        "/api/v1/tallies", "tallies", "Streams by facet and minute or hour", "Tallies", STRETCH
    ),
    Operation("/api/v1/uses", "uses", "Each facet over all time", "Uses"),
    Operation(
        "/api/v1/counts", "counts", "What the answer process counted, by minute", "Counts", _TIMES
    ),
    Operation("/api/v1/forms", "forms", "The forms of requests, by hour", "Forms", _TIMES),
)
"""The addresses of `StoreApi`: what the store counts, and exports."""


def describe(version: str, operations: Iterable[Operation] = OPERATIONS) -> Schema:
    """The OpenAPI document of some addresses."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Switchhook console",
            "version": version,
            "description": "What was received, decided and why. Lists are newest first, and pages"
            " stay the same while rows arrive.",
        },
        "paths": {operation.path: {"get": _operation(operation)} for operation in operations},
        "components": {"schemas": SCHEMAS},
    }


def _operation(operation: Operation) -> Schema:
    answers = {"200": ("as described", operation.schema), "400": ("a parameter", "Error")}
    answers["403"] = ("not from this machine", "Error")
    if operation.identifier:
        answers["404"] = ("there is none", "Error")
    answers["503"] = ("the store or the journal can't be read", "Error")
    responses = {
        status: {"description": said, "content": _content(name)}
        for status, (said, name) in answers.items()
    }
    if operation.files:
        binary: Schema = {"schema": {"type": "string", "format": "binary"}}
        responses["200"]["content"] = dict.fromkeys(operation.files, binary)
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": responses,
    }


def _content(name: str | None) -> Schema:
    return {"application/json": {"schema": _ref(name) if name else {"type": "object"}}}


def _parameters(operation: Operation) -> list[Schema]:
    found: list[Schema] = []
    if operation.identifier:
        schema: Schema = {"type": "string", "minLength": 1}
        found.append(
            {"name": operation.identifier, "in": "path", "required": True, "schema": schema}
        )
    return found + [
        {"name": each.name, "in": "query", "description": each.meaning, "schema": each.schema}
        for each in operation.asked.values()
    ]
