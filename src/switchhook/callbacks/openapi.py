"""How the API of promises describes itself."""

from __future__ import annotations

from switchhook.callbacks.acts import LONGEST_WHY, PromiseAct
from switchhook.callbacks.json import NOT_OVER
from switchhook.callbacks.parameters import LARGEST_ID, LISTED, WHICH
from switchhook.callbacks.promise import (
    LONGEST_REASON,
    AttemptState,
    CallOutcome,
    PromiseEvent,
    PromiseOrigin,
    PromiseState,
)
from switchhook.callbacks.refusals import RefusalCode
from switchhook.rules.outcome import LONGEST_CLASS
from switchhook.web.json_schema import (
    COUNT,
    NUMBER,
    STRING,
    TEXT,
    TIME,
    WHOLE,
    Schema,
    answers_of,
    body,
    list_of,
    object_of,
    or_null,
    ref,
    words,
)
from switchhook.web.openapi import Operation
from switchhook.web.parameters import LONGEST_TEXT, VISIBLE

_YES: Schema = {"type": "boolean"}
_SHARE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_MONEY: Schema = {"type": "number"}
_EVENT = words(*PromiseEvent, None)
_STATES = object_of(**{each.value: COUNT for each in NOT_OVER})
_PROMISE: dict[str, Schema] = {
    "id": COUNT,
    "account": STRING,
    "number": STRING,
    "class": TEXT,
    "reason": STRING,
    "origin": words(*PromiseOrigin),
    "endpoint": TEXT,
    "call_sid": TEXT,
    "receipt": TEXT,
    "made_by": TEXT,
    "made_at": TIME,
    "due_at": TIME,
    "until_at": TIME,
    "state": words(*PromiseState),
    "event": _EVENT,
    "since": TIME,
    "why": TEXT,
    "said": STRING,
    "attempts": COUNT,
    "doubts": COUNT,
    "ending": TEXT,
    "acts": list_of(words(*PromiseAct)),
}

SCHEMAS: dict[str, Schema] = {
    "Promise": object_of(**_PROMISE),
    "Promises": object_of(promises=list_of(ref("Promise")), next=WHOLE),
    "PromiseStep": object_of(
        at=TIME, event=_EVENT, state=words(*PromiseState), why=TEXT, attempt=WHOLE, by=TEXT
    ),
    "PromiseCall": object_of(
        attempt=COUNT,
        asked_at=TIME,
        exophone=STRING,
        state=words(*AttemptState),
        call_sid=TEXT,
        outcome=words(*CallOutcome, None),
        talk_s=WHOLE,
        price=NUMBER,
        over_at=TIME,
        problem=TEXT,
    ),
    "PromiseStory": object_of(
        **_PROMISE, steps=list_of(ref("PromiseStep")), calls=list_of(ref("PromiseCall"))
    ),
    "PromisesLately": object_of(
        since=TIME,
        kept=COUNT,
        broken=COUNT,
        served=COUNT,
        expired=COUNT,
        cancelled=COUNT,
        refuted=COUNT,
        owed=COUNT,
        in_time=_SHARE,
        median_s=NUMBER,
        p90_s=NUMBER,
    ),
    "Dialling": object_of(
        allowed=_YES,
        why_not=TEXT,
        by=TEXT,
        since=TIME,
        stopped=TEXT,
        stopped_by=TEXT,
        stopped_at=TIME,
        held_until=TIME,
        held_why=TEXT,
    ),
    "CampaignPace": object_of(
        allowed=WHOLE, reserve=COUNT, mean_s=NUMBER, calls_a_minute=NUMBER, words=STRING
    ),
    "CallbackAccount": object_of(
        account=STRING,
        exophone=TEXT,
        flow_id=TEXT,
        bot=_YES,
        hours=STRING,
        states=_STATES,
        due=COUNT,
        dialling=ref("Dialling"),
        waits=TEXT,
        calls_in_hour=COUNT,
        most_calls_in_hour=COUNT,
        spent_in_hour=_MONEY,
        most_spent_in_hour=_MONEY,
        lately=ref("PromisesLately"),
        campaign_pace=ref("CampaignPace"),
    ),
    "PromisesSummary": object_of(
        at=TIME,
        states=_STATES,
        due=COUNT,
        on_their_way=COUNT,
        over=COUNT,
        refused=COUNT,
        owed_already=COUNT,
        do_not_call=COUNT,
        lately=ref("PromisesLately"),
        accounts=list_of(ref("CallbackAccount")),
    ),
    "PromiseRefusal": object_of(
        id=COUNT,
        at=TIME,
        account=STRING,
        number=TEXT,
        class_=TEXT,
        reason=TEXT,
        endpoint=TEXT,
        call_sid=TEXT,
        code=words(*RefusalCode),
        why=STRING,
    ),
    "PromiseRefusals": object_of(refusals=list_of(ref("PromiseRefusal")), next=WHOLE),
    "DoNotCallEntry": object_of(number=STRING, why=TEXT, by=TEXT, at=TIME, from_file=_YES),
    "DoNotCall": object_of(count=COUNT, numbers=list_of(ref("DoNotCallEntry")), more=_YES),
    "DoNotCallSet": object_of(changed=_YES),
    "PromisesActed": object_of(
        matched=COUNT, changed=COUNT, left_out=list_of(object_of(id=COUNT, why=STRING))
    ),
}

# Bodies.

_WHY: Schema = {"type": "string", "maxLength": LONGEST_WHY, "pattern": VISIBLE}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
_WHERE: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "ids": list_of({"type": "integer", "minimum": 1, "maximum": LARGEST_ID}),
        **{name: each.schema for name, each in WHICH.items()},
    },
}


def _closed(required: list[str], **properties: Schema) -> Schema:
    named = {name.removesuffix("_"): schema for name, schema in properties.items()}
    return body(
        {
            "type": "object",
            "additionalProperties": False,
            "required": required,
            "properties": named,
        }
    )


_MAKE = _closed(
    ["account", "number", "reason"],
    account=_NAME,
    number=_NAME,
    reason={"type": "string", "maxLength": LONGEST_REASON, "pattern": VISIBLE},
    class_={"type": "string", "maxLength": LONGEST_CLASS, "pattern": "^[a-z0-9_-]*$"},
)
_ACT = _closed(
    ["act", "where", "reason"],
    act=words(*PromiseAct),
    where=_WHERE,
    reason=_WHY,
    dry_run=_YES,
)

OPERATIONS = (
    Operation(
        "/api/v1/promises",
        "promises",
        "Callers who are owed a callback, or were; the newest first",
        "Promises",
        LISTED,
    ),
    Operation(
        "/api/v1/promises/refusals",
        "promise_refusals",
        "To whom no callback was promised though it was wanted, and why; the newest first",
        "PromiseRefusals",
        {name: LISTED[name] for name in ("limit", "cursor")},
    ),
)
_STOP = _closed([], account=or_null(_NAME), reason={"type": "string", "maxLength": LONGEST_WHY})
_ID: Schema = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 0, "maximum": LARGEST_ID},
}


def _post(name: str, summary: str, asked: Schema, said: str, gives: str, status: str) -> Schema:
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "requestBody": asked,
            "responses": answers_of(said, gives, status=status),
        }
    }


PATHS: dict[str, Schema] = {
    "/api/v1/promises": _post(
        "make_promise",
        "Promise a number a callback by hand",
        _MAKE,
        "the promise",
        "Promise",
        "201",
    ),
    "/api/v1/promises/summary": {
        "get": {
            "operationId": "promises_summary",
            "summary": "What is owed, whether it is dialled, how it went in 24 hours, by account",
            "responses": answers_of("as described", "PromisesSummary"),
        }
    },
    "/api/v1/promises/{id}": {
        "get": {
            "operationId": "promise",
            "summary": "One promise, what happened to it, and its calls",
            "parameters": [_ID],
            "responses": answers_of("as described", "PromiseStory", gone=True),
        }
    },
    "/api/v1/promises/acts": _post(
        "act_on_promises",
        "Pause, resume, cancel, retry or expire all that a filter finds, or count them",
        _ACT,
        "how many it met, and to how many it did something",
        "PromisesActed",
        "200",
    ),
    "/api/v1/promises/allow-dialling": _post(
        "allow_dialling",
        "Have an account dial from now on; takes an administrator",
        _closed(["account", "reason"], account=_NAME, reason=_WHY),
        "how its switch is now",
        "Dialling",
        "200",
    ),
    "/api/v1/promises/stop-dialling": _post(
        "stop_dialling",
        "Stop an account's dialling at once, or all of it without an account",
        _STOP | {"required": False},
        "how calling back stands now",
        "PromisesSummary",
        "200",
    ),
    "/api/v1/promises/do-not-call": {
        "get": {
            "operationId": "do_not_call",
            "summary": "Numbers that are not called, the first 500 by their digits",
            "responses": answers_of("as described", "DoNotCall"),
        },
        **_post(
            "add_to_do_not_call",
            "Put a number on the list, and drop its promises",
            _closed(["number", "reason"], number=_NAME, reason=_WHY),
            "whether it is new there",
            "DoNotCallSet",
            "200",
        ),
    },
    "/api/v1/promises/do-not-call/remove": _post(
        "remove_from_do_not_call",
        "Take a number off the list",
        _closed(["number", "reason"], number=_NAME, reason=_WHY),
        "whether it was there",
        "DoNotCallSet",
        "200",
    ),
}
