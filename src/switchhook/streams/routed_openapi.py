"""What the API says of answers before a stream, and of bots' reports, in JSON Schema."""

from __future__ import annotations

from switchhook.web.json_schema import (
    STRING,
    TEXT,
    TIME,
    WHOLE,
    Schema,
    list_of,
    object_of,
    ref,
    words,
)

_ADMISSION = object_of(
    kind=words("admit"),
    test=TEXT,
    account=TEXT,
    admitted={"type": "boolean"},
    class_=TEXT,
    room=WHOLE,
    budget=WHOLE,
    given_since=WHOLE,
    reserve=WHOLE,
)
_ADDRESS = object_of(
    kind=words("voicebot"),
    test=TEXT,
    account=TEXT,
    pool=TEXT,
    asked_pool=TEXT,
    member=TEXT,
    address=TEXT,
    fallback={"type": "boolean"},
    key=TEXT,
    eligible=list_of(object_of(member=STRING, weight={"type": "number"})),
    hands=list_of({"type": "integer"}),
    degraded={"type": "boolean"},
    problem=TEXT,
)
_REPORT = object_of(
    id=STRING,
    kind=words("report"),
    received_at=TIME,
    endpoint=STRING,
    account=TEXT,
    call_sid=TEXT,
    stream_sid=TEXT,
    event=STRING,
    at=TIME,
    ended_by=TEXT,
    error=TEXT,
    raw=STRING,
    defects=list_of(object_of(field=STRING, problem=STRING)),
)

ROUTED_SCHEMAS: dict[str, Schema] = {
    "AdmissionReceipt": {"allOf": [ref("Receipt"), _ADMISSION]},
    "AddressReceipt": {"allOf": [ref("Receipt"), _ADDRESS]},
    "BotReport": _REPORT,
    "AnyReceipt": {
        "anyOf": [
            ref(name) for name in ("Receipt", "AdmissionReceipt", "AddressReceipt", "BotReport")
        ]
    },
}
"""Those of receipts from before a stream, of a bot's report, and of whatever an id can name."""
