"""The description of the API of alerts: a part of an OpenAPI 3.1 document."""

from __future__ import annotations

from switchhook.alerts.alert import AlertState
from switchhook.alerts.alert_rule import Comparison, Severity
from switchhook.alerts.json import LONGEST_S, MATCHED
from switchhook.alerts.message import MessageKind
from switchhook.delivery.delivery import DeliveryState
from switchhook.web.json_schema import (
    NUMBER,
    STRING,
    TEXT,
    TIME,
    WHOLE,
    Schema,
    answers_of,
    body_of,
    list_of,
    object_of,
    or_null,
    ref,
)
from switchhook.web.parameters import VISIBLE

_LABELS: Schema = {"type": "object", "additionalProperties": STRING}


SCHEMAS: dict[str, Schema] = {
    "Alert": object_of(
        id=STRING,
        rule=STRING,
        title=STRING,
        state={"enum": list(AlertState)},
        severity={"enum": list(Severity)},
        labels=_LABELS,
        members=list_of(_LABELS),
        figure=STRING,
        value={"type": "number"},
        cases=WHOLE,
        since=TIME,
        unknown_since=TIME,
        fired_at=TIME,
        resolved_at=TIME,
        lapsed={"type": "boolean"},
        acknowledged_by=TEXT,
        advice=STRING,
    ),
    "Silence": object_of(
        id={"type": "integer"},
        matcher=_LABELS,
        since=TIME,
        until=TIME,
        reason=STRING,
        by=STRING,
    ),
    "Sent": object_of(
        id=STRING,
        at=TIME,
        destination=STRING,
        say={"enum": list(MessageKind)},
        severity={"enum": list(Severity)},
        title=STRING,
        lines=list_of(STRING),
        state={"enum": list(DeliveryState)},
        attempts={"type": "integer"},
        done_at=TIME,
        problem=TEXT,
    ),
    "AlertRule": object_of(
        name=STRING,
        title=STRING,
        figure=STRING,
        comparison={"enum": list(Comparison)},
        threshold={"type": "number"},
        for_s={"type": "integer"},
        severity={"enum": list(Severity)},
        group_by=list_of(STRING),
        least_cases={"type": "integer"},
        advice=STRING,
        now=or_null(object_of(value=NUMBER, cases=WHOLE, labels=_LABELS, at=TIME)),
    ),
    "Alerts": object_of(
        alerts=list_of(ref("Alert")),
        resolved=list_of(ref("Alert")),
        silences=list_of(ref("Silence")),
        sent=list_of(ref("Sent")),
        rules=list_of(ref("AlertRule")),
        destinations=list_of(object_of(name=STRING, severities=list_of({"enum": list(Severity)}))),
        policies=list_of(
            object_of(
                name=STRING,
                steps=list_of(list_of(STRING)),
                wait_s=WHOLE,
                repeat=WHOLE,
                match=_LABELS,
            )
        ),
        evaluated_at=TIME,
        problems=list_of(STRING),
        heartbeat=or_null(object_of(beat_at=TIME, problem=TEXT)),
    ),
    "Tested": object_of(sent={"type": "boolean"}, problem=TEXT),
}

_SILENCE = body_of(
    matcher={
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"enum": list(MATCHED)},
        "additionalProperties": {"type": "string", "maxLength": 300, "pattern": VISIBLE},
    },
    for_s={"type": "integer", "minimum": 1, "maximum": LONGEST_S},
    reason={"type": "string", "maxLength": 300, "pattern": VISIBLE},
)
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}

PATHS: dict[str, Schema] = {
    "/api/v1/alerts": {
        "get": {
            "operationId": "alerts",
            "summary": "What fires, what was told to whom, silences, and every rule",
            "responses": answers_of("as described", "Alerts"),
        }
    },
    "/api/v1/alerts/silences": {
        "post": {
            "operationId": "silence",
            "summary": "Mute what matches, for a while",
            "requestBody": _SILENCE,
            "responses": answers_of("the silence", "Silence", status="201"),
        }
    },
    "/api/v1/alerts/silences/{id}": {
        "delete": {
            "operationId": "end_silence",
            "summary": "End a silence",
            "parameters": [_ID],
            "responses": answers_of("it is over", None, status="204", gone=True),
        }
    },
    "/api/v1/alerts/acknowledge": {
        "post": {
            "operationId": "acknowledge",
            "summary": "Say that somebody is on it",
            "requestBody": body_of(alert=STRING),
            "responses": answers_of("noted", None, status="204", gone=True),
        }
    },
    "/api/v1/alerts/test": {
        "post": {
            "operationId": "test_destination",
            "summary": "Send a test to a destination, and say how it went",
            "requestBody": body_of(destination=STRING),
            "responses": answers_of("how it went", "Tested", gone=True),
        }
    },
}
