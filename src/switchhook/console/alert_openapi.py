"""The description of the API of alerts and of the verdict: parts of an OpenAPI 3.1 document."""

from __future__ import annotations

from typing import Any

from switchhook.alert_book import DeliveryState
from switchhook.alert_messages import Say
from switchhook.alerts import AlertState, Comparison, Severity
from switchhook.console.alert_view import LONGEST_S, MATCHED
from switchhook.verdict import Level

Schema = dict[str, Any]

_STRING: Schema = {"type": "string"}
_TEXT: Schema = {"type": ["string", "null"]}
_NUMBER: Schema = {"type": ["number", "null"]}
_WHOLE: Schema = {"type": ["integer", "null"]}
_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
_LABELS: Schema = {"type": "object", "additionalProperties": _STRING}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _body(**properties: Schema) -> Schema:
    schema = _object(**properties) | {"additionalProperties": False}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _answers(said: str, schema: str | None, *, status: str = "200", gone: bool = False) -> Schema:
    found: Schema = {status: {"description": said}}
    if schema is not None:
        found[status]["content"] = {"application/json": {"schema": _ref(schema)}}
    refused = {"application/json": {"schema": _ref("Error")}}
    found["400"] = {"description": "it can't be understood", "content": refused}
    found["403"] = {"description": "the role is too low", "content": refused}
    found["503"] = {"description": "the ledger can't be read or written", "content": refused}
    if gone:
        found["404"] = {"description": "there is none any more", "content": refused}
    return found


SCHEMAS: dict[str, Schema] = {
    "Alert": _object(
        id=_STRING,
        rule=_STRING,
        title=_STRING,
        state={"enum": list(AlertState)},
        severity={"enum": list(Severity)},
        labels=_LABELS,
        members=_list(_LABELS),
        figure=_STRING,
        value={"type": "number"},
        cases=_WHOLE,
        since=_TIME,
        fired_at=_TIME,
        resolved_at=_TIME,
        lapsed={"type": "boolean"},
        acknowledged_by=_TEXT,
        advice=_STRING,
    ),
    "Silence": _object(
        id={"type": "integer"},
        matcher=_LABELS,
        since=_TIME,
        until=_TIME,
        reason=_STRING,
        by=_STRING,
    ),
    "Sent": _object(
        id=_STRING,
        at=_TIME,
        destination=_STRING,
        say={"enum": list(Say)},
        severity={"enum": list(Severity)},
        title=_STRING,
        lines=_list(_STRING),
        state={"enum": list(DeliveryState)},
        attempts={"type": "integer"},
        done_at=_TIME,
        problem=_TEXT,
    ),
    "AlertRule": _object(
        name=_STRING,
        title=_STRING,
        figure=_STRING,
        comparison={"enum": list(Comparison)},
        threshold={"type": "number"},
        for_s={"type": "integer"},
        severity={"enum": list(Severity)},
        group_by=_list(_STRING),
        least_cases={"type": "integer"},
        advice=_STRING,
        now=_or_null(_object(value=_NUMBER, cases=_WHOLE, labels=_LABELS, at=_TIME)),
    ),
    "Alerts": _object(
        alerts=_list(_ref("Alert")),
        resolved=_list(_ref("Alert")),
        silences=_list(_ref("Silence")),
        sent=_list(_ref("Sent")),
        rules=_list(_ref("AlertRule")),
        destinations=_list(_object(name=_STRING, severities=_list({"enum": list(Severity)}))),
        evaluated_at=_TIME,
        problems=_list(_STRING),
        heartbeat=_or_null(_object(beat_at=_TIME, problem=_TEXT)),
    ),
    "Tested": _object(sent={"type": "boolean"}, problem=_TEXT),
    "Verdict": _object(
        level={"enum": list(Level)},
        what={"type": "string", "maxLength": 160},
        since=_TIME,
        callers=_STRING,
        went=_STRING,
        fault=_STRING,
        todo=_STRING,
        stale=_list(_STRING),
        streams=_STRING,
        issue=_STRING,
    ),
}

_SILENCE = _body(
    matcher={
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"enum": list(MATCHED)},
        "additionalProperties": {"type": "string", "maxLength": 300, "pattern": r"\S"},
    },
    for_s={"type": "integer", "minimum": 1, "maximum": LONGEST_S},
    reason={"type": "string", "maxLength": 300, "pattern": r"\S"},
)
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}

PATHS: dict[str, Schema] = {
    "/api/v1/verdict": {
        "get": {
            "operationId": "verdict",
            "summary": "How things are, in words: the first line of every page",
            "responses": _answers("as described", "Verdict"),
        }
    },
    "/api/v1/alerts": {
        "get": {
            "operationId": "alerts",
            "summary": "What fires, what was told to whom, silences, and every rule",
            "responses": _answers("as described", "Alerts"),
        }
    },
    "/api/v1/alerts/silences": {
        "post": {
            "operationId": "silence",
            "summary": "Mute what matches, for a while",
            "requestBody": _SILENCE,
            "responses": _answers("the silence", "Silence", status="201"),
        }
    },
    "/api/v1/alerts/silences/{id}": {
        "delete": {
            "operationId": "end_silence",
            "summary": "End a silence",
            "parameters": [_ID],
            "responses": _answers("it is over", None, status="204", gone=True),
        }
    },
    "/api/v1/alerts/acknowledge": {
        "post": {
            "operationId": "acknowledge",
            "summary": "Say that somebody is on it",
            "requestBody": _body(alert=_STRING),
            "responses": _answers("noted", None, status="204", gone=True),
        }
    },
    "/api/v1/alerts/test": {
        "post": {
            "operationId": "test_destination",
            "summary": "Send a test to a destination, and say how it went",
            "requestBody": _body(destination=_STRING),
            "responses": _answers("how it went", "Tested", gone=True),
        }
    },
}
