"""The API's description, in OpenAPI 3.1: made from the table that requests are checked with."""

from __future__ import annotations

from switchhook.exotel.cause import Cause
from switchhook.exotel.passthru import Dialect
from switchhook.exotel.stream_error import ErrorKind
from switchhook.rules.outcome import EndpointKind
from switchhook.streams.export import FORMATS
from switchhook.streams.export_asked import EXPORT
from switchhook.streams.parameters import RECEIPT_FILTERS, STREAM_FILTERS
from switchhook.streams.routed_openapi import ROUTED_SCHEMAS
from switchhook.web.json_schema import (
    COUNT,
    NUMBER,
    STRING,
    TEXT,
    TIME,
    WHOLE,
    Schema,
    list_of,
    object_of,
    or_null,
    ref,
    words,
)
from switchhook.web.openapi import Operation
from switchhook.web.parameters import STRETCH

_EXTRA: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["string", "array"], "items": {"type": "string"}},
}
_VERDICT = {
    "cause": words(*Cause, None),
    "advice": TEXT,
    "evidence": {"type": ["array", "null"], "items": object_of(field=STRING, text=STRING)},
}
_LEG = object_of(
    index={"type": "integer"},
    number=TEXT,
    number_raw=TEXT,
    type=TEXT,
    on_call_duration_s=WHOLE,
    on_call_duration_raw=TEXT,
    cause=TEXT,
    cause_code=TEXT,
    caller_id=TEXT,
    disconnected_by=TEXT,
    extra=_EXTRA,
)
_CALL = object_of(
    status=TEXT,
    type=TEXT,
    dial_status=TEXT,
    dial_duration_s=WHOLE,
    dial_duration_raw=TEXT,
    dial_whom_number=TEXT,
    outgoing_number=TEXT,
    legs=list_of(_LEG),
    created_at=TIME,
    created_at_raw=TEXT,
    started_at=TIME,
    started_at_raw=TEXT,
    ended_at=TIME,
    ended_at_raw=TEXT,
    current_at=TIME,
    current_at_raw=TEXT,
    recording_available_raw=TEXT,
    account_sid=TEXT,
    flow_id=TEXT,
    tenant_id=TEXT,
    forwarded_from=TEXT,
    event_type=TEXT,
    agent_status=TEXT,
    agent_email=TEXT,
)
_SAID_OF_STREAM = {
    "sid": TEXT,
    "status": TEXT,
    "status_raw": TEXT,
    "duration_s": WHOLE,
    "duration_raw": TEXT,
    "url": TEXT,
    "recording_url": TEXT,
    "disconnected_by": words("user", "bot", "NA", "unknown", None),
    "disconnected_by_raw": TEXT,
    "detailed_status": TEXT,
    "error": TEXT,
    "disposition": TEXT,
    "error_detail": or_null(
        object_of(code=WHOLE, kind=words(*ErrorKind), host=TEXT, port=WHOLE, close_code=WHOLE)
    ),
}
_RECEIPT = object_of(
    id=STRING,
    received_at=TIME,
    endpoint=TEXT,
    mode=TEXT,
    method=TEXT,
    dialect=words(*Dialect, None),
    auth=TEXT,
    raw=TEXT,
    body=TEXT,
    call_sid=TEXT,
    direction=words("inbound", "outbound", None),
    direction_raw=TEXT,
    from_=TEXT,
    from_raw=TEXT,
    to=TEXT,
    to_raw=TEXT,
    digits=TEXT,
    custom_field=TEXT,
    recording_url=TEXT,
    call=or_null(_CALL),
    stream=or_null(object_of(**_SAID_OF_STREAM)),
    **_VERDICT,
    decision=or_null(
        object_of(
            option=words("A", "B"),
            http_status={"type": "integer"},
            rule=STRING,
            release=STRING,
            reason=STRING,
            select=TEXT,
            promise=TEXT,
            class_=TEXT,
        )
    ),
    repeat_of=TEXT,
    flags=or_null({"type": "object"}),
    defects=list_of(object_of(field=STRING, problem=STRING)),
    extra=_EXTRA,
    decided_in_ms=NUMBER,
    late_ms=WHOLE,
    copies=WHOLE,
    placed_at=or_null(TIME),
)
_STREAM = object_of(
    id=STRING,
    call_sid=TEXT,
    endpoint=STRING,
    from_=TEXT,
    to=TEXT,
    **_SAID_OF_STREAM,
    **_VERDICT,
    option=words("A", "B"),
    settled_by=STRING,
    first_received_at=TIME,
    last_received_at=TIME,
)
_SAID_OF_CALL = {
    "call_sid": STRING,
    "first_received_at": TIME,
    "last_received_at": TIME,
    "from_": TEXT,
    "from_raw": TEXT,
    "to": TEXT,
    "to_raw": TEXT,
    "direction": TEXT,
    "direction_raw": TEXT,
    "account_sid": TEXT,
    "status": TEXT,
    "type": TEXT,
    "dial_status": TEXT,
    "flow_id": TEXT,
    "custom_field": TEXT,
    "recording_url": TEXT,
}
CALL_STORY = object_of(**_SAID_OF_CALL)
"""A call without its passthrus and streams."""
_WHOLE_CALL = object_of(
    **_SAID_OF_CALL,
    passthrus=list_of(ref("Receipt")),
    before={"type": "array", "items": {"anyOf": [ref("AdmissionReceipt"), ref("AddressReceipt")]}},
    reports=list_of(ref("BotReport")),
    streams=list_of(ref("Stream")),
    more={"type": "boolean"},
)
_OF_SEARCH = {
    "understood": list_of(STRING),
    "count": or_null(object_of(streams=COUNT, more={"type": "boolean"})),
}
"""What a list has where it was asked for by a search."""
_STREAMS = object_of(streams=list_of(ref("Stream")), next=TEXT)
_STREAMS["properties"] |= _OF_SEARCH
_STREAM_STORY: Schema = {
    "allOf": [ref("Stream"), object_of(receipts=list_of(STRING), more={"type": "boolean"})]
}


_FACET = dict.fromkeys(
    ("endpoint", "status", "cause", "option", "kind", "host", "exophone"), STRING
)

SCHEMAS: dict[str, Schema] = {
    "Receipt": _RECEIPT,
    **ROUTED_SCHEMAS,
    "Receipts": object_of(receipts=list_of(ref("AnyReceipt")), next=TEXT),
    "Stream": _STREAM,
    "Streams": _STREAMS,
    "StreamStory": _STREAM_STORY,
    "Call": _WHOLE_CALL,
    "Status": object_of(
        version=STRING,
        node={"type": ["integer", "null"], "description": "null where it is of several nodes"},
        journal={"type": "object"},
        fold={"type": "object"},
        counters={"type": "object", "additionalProperties": {"type": "integer"}},
        quarantine={"type": "object"},
        takeovers=list_of({"type": "object"}),
        samples=list_of({"type": "object"}),
    ),
    "Tallies": object_of(
        by=words("minute", "hour"), tallies=list_of(object_of(at=TIME, **_FACET, streams=COUNT))
    ),
    "Uses": object_of(
        uses=list_of(object_of(**_FACET, streams=COUNT, first_at=TIME, last_at=TIME))
    ),
    "Counts": object_of(counts=list_of(object_of(at=TIME, name=STRING, count=COUNT))),
    "Forms": object_of(
        forms=list_of(
            object_of(
                at=TIME,
                endpoint=STRING,
                aspect=words("dialect", "defect", "key"),
                value=STRING,
                count=COUNT,
            )
        )
    ),
    "Health": object_of(
        status=words("ok", "degraded"),
        problems=list_of(STRING),
        fold_lag=WHOLE,
        version=STRING,
        node=or_null(object_of(name=STRING, leads={"type": "boolean"})),
    ),
    "Error": object_of(error=object_of(parameter=TEXT, problem=STRING, hint=STRING)),
}
"""What the answers look like, by name."""


OPERATIONS = (
    Operation(
        "/api/v1/receipts",
        "receipts",
        "Receipts of one kind, newest first",
        "Receipts",
        RECEIPT_FILTERS,
    ),
    Operation(
        "/api/v1/receipts/{id}",
        "receipt",
        "One receipt, of any kind",
        "AnyReceipt",
        identifier="id",
    ),
    Operation(
        "/api/v1/streams", "streams", "Streams, by their first receipt", "Streams", STREAM_FILTERS
    ),
    Operation(
        "/api/v1/streams/{stream_sid}",
        "stream",
        "One stream, by its SID or a receipt's id, with the receipts that tell of it",
        "StreamStory",
        identifier="stream_sid",
    ),
    Operation(
        "/api/v1/calls/{call_sid}",
        "call",
        "One call, by its SID or a receipt's id: what was asked of it, and its streams",
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

_ENDPOINT = object_of(
    name=STRING,
    account=STRING,
    streams=COUNT,
    options={"type": "object", "additionalProperties": COUNT},
    configured=or_null(
        object_of(
            kind=words(*EndpointKind),
            mode=STRING,
            auth=STRING,
            safe_option=words("A", "B"),
            deadline_ms=COUNT,
            release=STRING,
            running_since=TIME,
            by=STRING,
            file=TEXT,
            file_problem=TEXT,
        )
    ),
    rules=list_of(
        object_of(
            name=STRING,
            when=STRING,
            option=words("A", "B", None),
            select=TEXT,
            pool=TEXT,
            class_=TEXT,
            promise=TEXT,
            written={"type": "boolean"},
            stands_in={"type": "boolean"},
            hits=COUNT,
            hits_before=COUNT,
            last_hit_at=TIME,
            last_hit_before={"type": "boolean"},
        )
    ),
)
_REFUSED = object_of(
    at=TIME,
    endpoint=TEXT,
    reason=STRING,
    why=STRING,
    peer=TEXT,
    raw=STRING,
    cut={"type": "boolean"},
    passthru=or_null(
        object_of(
            dialect=words(*Dialect),
            call_sid=TEXT,
            direction=words("inbound", "outbound", None),
            direction_raw=TEXT,
            from_=TEXT,
            from_raw=TEXT,
            to=TEXT,
            to_raw=TEXT,
            digits=TEXT,
            custom_field=TEXT,
            recording_url=TEXT,
            call=_CALL,
            stream=or_null(object_of(**_SAID_OF_STREAM)),
            **_VERDICT,
            defects=list_of(object_of(field=STRING, problem=STRING)),
            extra=_EXTRA,
        )
    ),
)
ENDPOINT_SCHEMAS = {
    "RefusedRequests": object_of(refused=list_of(_REFUSED)),
    "Endpoints": object_of(since=TIME, until=TIME, endpoints=list_of(_ENDPOINT)),
}
ENDPOINTS = (
    Operation(
        "/api/v1/endpoints",
        "endpoints",
        "The endpoints in the last 24 hours, each with its rules and their hits",
        "Endpoints",
    ),
    Operation(
        "/api/v1/refused",
        "refused",
        "The newest samples of requests that were not let in, and what each would have said",
        "RefusedRequests",
    ),
)
"""The addresses of the page Endpoints and of refused requests."""
