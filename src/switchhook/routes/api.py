"""The API of pools: how they stand, what people set of them, and setting and undoing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.roles import Role
from switchhook.errors import HandError
from switchhook.routes.breaker import BreakerState
from switchhook.routes.hands import LONGEST_REASON, LONGEST_S, HandWanted, words_of
from switchhook.routes.health import Source
from switchhook.routes.json import hand_json, past_json, routes_json
from switchhook.routes.view import HandView
from switchhook.rules.bot_pool import MOST_WEIGHT, MemberState
from switchhook.rules.routing import HandAct
from switchhook.web.endpoint import body_endpoint, json_endpoint, json_response, read_body
from switchhook.web.json_schema import (
    COUNT,
    STRING,
    TEXT,
    TIME,
    WHOLE,
    Schema,
    answers_of,
    body,
    list_of,
    object_of,
    ref,
    words,
)
from switchhook.web.parameters import VISIBLE, RefusedParameter, read_none
from switchhook.web.render import viewer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.access.roles import Viewer
    from switchhook.routes.worker import RoutesWorker
    from switchhook.rules.routing import HandSetting
    from switchhook.web.json import Json

LARGEST = 16_384
MOST_PAST = 50

T = TypeVar("T")


class HandBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/v1/routes/hands`: as `HandWanted`; in JSON 60.0 seconds are whole."""

    act: HandAct
    reason: str
    pool: str = ""
    member: str = ""
    to_pool: str = ""
    endpoint: str = ""
    state: MemberState | None = None
    weight: float | None = None
    for_s: float | None = None

    def wanted(self) -> HandWanted:
        """What is wanted. Raises RefusedParameter for what is no whole number."""
        return HandWanted(
            act=self.act,
            reason=self.reason,
            pool=self.pool,
            member=self.member,
            to=self.to_pool,
            endpoint=self.endpoint,
            state=self.state,
            weight=_whole("weight", self.weight),
            for_s=_whole("for_s", self.for_s),
        )


class UndoBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/v1/routes/undo`: the id of a setting, the newest without."""

    id: int | None = None
    reason: str = ""


class RoutesApi:
    """`/api/v1/routes` and below."""

    def __init__(self, worker: RoutesWorker) -> None:
        self._worker = worker

    def routes(self) -> Sequence[BaseRoute]:
        at = "/api/v1/routes"
        return [
            Route(at, json_endpoint(self._all), methods=["GET"]),
            Route(f"{at}/hands", json_endpoint(self._hands), methods=["GET"]),
            Route(f"{at}/hands", body_endpoint(self._set, LARGEST), methods=["POST"]),
            Route(f"{at}/undo", body_endpoint(self._undo, LARGEST), methods=["POST"]),
        ]

    def _all(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        return routes_json(self._worker.view())

    def _hands(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        past = self._worker.hands.past(self._worker.now_ms(), MOST_PAST)
        return {
            "hands": [hand_json(_shown(each)) for each in self._worker.held],
            "past": [past_json(_shown(each.setting), each) for each in past],
        }

    def _set(self, request: Request, raw: bytes) -> Response:
        viewer = operator_of(request)
        wanted = read_body(raw, HandBody).wanted()
        return json_response(refusing(lambda: set_by(self._worker, viewer, wanted)), 201)

    def _undo(self, request: Request, raw: bytes) -> Response:
        viewer, wanted = operator_of(request), read_body(raw, UndoBody)
        return json_response(refusing(lambda: undo_by(self._worker, viewer, wanted)))


def operator_of(request: Request) -> Viewer:
    """Who may act. Raises HTTPException 403 for others."""
    viewer = viewer_of(request)
    if not viewer.may(Role.OPERATOR):
        raise HTTPException(403, "only an operator may do this")
    return viewer


def refusing(act: Callable[[], T]) -> T:
    """Do it; what can't be set is an answer. Raises RefusedParameter."""
    try:
        return act()
    except HandError as error:
        raise RefusedParameter(None, error.problem, error.hint) from None


def set_by(worker: RoutesWorker, viewer: Viewer, wanted: HandWanted) -> Json:
    """Set it, and say what was done. Raises HandError, LedgerError."""
    change = worker.set(
        wanted, viewer.name, lambda what, subject, said: deed_of(viewer, what, subject, **said)
    )
    return {
        "said": change.said,
        "warning": change.warning or None,
        "ended": list(change.ends),
        "hand": None if change.begins is None else hand_json(_shown(change.begins)),
    }


def undo_by(worker: RoutesWorker, viewer: Viewer, wanted: UndoBody) -> Json:
    """Undo it, and say which it was. Raises HandError, LedgerError."""
    if len(wanted.reason) > LONGEST_REASON:
        raise HandError("its reason is too long", f"at most {LONGEST_REASON} characters")
    setting = worker.undo(
        wanted.id,
        wanted.reason,
        lambda what, subject, said: deed_of(viewer, what, subject, **said),
    )
    return hand_json(_shown(setting))


def _shown(setting: HandSetting) -> HandView:
    return HandView(setting=setting, words=words_of(setting))


def _whole(name: str, value: float | None) -> int | None:
    if value is not None and not value.is_integer():
        raise RefusedParameter(name, "it is no whole number", "such as 60")
    return None if value is None else int(value)


# The description.

_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_YES: Schema = {"type": "boolean"}
_BREAKER = words(*BreakerState)
_SET: dict[str, Schema] = {
    "id": COUNT,
    "act": words(*HandAct),
    "words": STRING,
    "pool": TEXT,
    "member": TEXT,
    "to_pool": TEXT,
    "endpoint": TEXT,
    "state": words(*MemberState, None),
    "weight": WHOLE,
    "by": STRING,
    "reason": STRING,
    "since": TIME,
    "until": TIME,
}

SCHEMAS: dict[str, Schema] = {
    "Evidence": object_of(
        source=words(*Source), good={"type": ["boolean", "null"]}, said=STRING, at=TIME
    ),
    "Member": object_of(
        name=STRING,
        url=STRING,
        word=STRING,
        state=words(*MemberState),
        weight=COUNT,
        configured_state=words(*MemberState),
        configured_weight=COUNT,
        limit=WHOLE,
        live=COUNT,
        hand=list_of(COUNT),
        share=_SHARE,
        draw_share=_SHARE,
        given_share={"type": ["number", "null"], "minimum": 0, "maximum": 1},
        given=COUNT,
        silent=COUNT,
        certificate_days_left=WHOLE,
        breaker=object_of(
            state=_BREAKER,
            since=TIME,
            why=TEXT,
            history=list_of(object_of(at=TIME, state=_BREAKER, why=STRING)),
        ),
        evidence=list_of(ref("Evidence")),
    ),
    "Pool": object_of(
        name=STRING,
        to_pool=TEXT,
        off=_YES,
        degraded=_YES,
        empty=_YES,
        sticky=_YES,
        breaker_enabled=_YES,
        members=list_of(ref("Member")),
    ),
    "Hand": object_of(**_SET),
    "PastHand": object_of(**_SET, ended_at=TIME, ended_by=TEXT),
    "Routes": object_of(
        made_at=TIME,
        pools=list_of(ref("Pool")),
        hands=list_of(ref("Hand")),
        counted_from=TIME,
        problem=TEXT,
    ),
    "Hands": object_of(hands=list_of(ref("Hand")), past=list_of(ref("PastHand"))),
    "HandSet": object_of(
        said=STRING,
        warning=TEXT,
        ended=list_of(COUNT),
        hand={"anyOf": [ref("Hand"), {"type": "null"}]},
    ),
}

_WANTED: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["act", "reason"],
    "properties": {
        "act": words(*HandAct),
        "reason": {"type": "string", "maxLength": LONGEST_REASON, "pattern": VISIBLE},
        "pool": STRING,
        "member": STRING,
        "to_pool": STRING,
        "endpoint": STRING,
        "state": words(*MemberState, None),
        "weight": {"type": ["integer", "null"], "minimum": 0, "maximum": MOST_WEIGHT},
        "for_s": {"type": ["integer", "null"], "minimum": 1, "maximum": LONGEST_S},
    },
}
_UNDO: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "id": {"type": ["integer", "null"], "minimum": 0},
        "reason": {"type": "string", "maxLength": LONGEST_REASON},
    },
}

PATHS: dict[str, Schema] = {
    "/api/v1/routes": {
        "get": {
            "operationId": "routes",
            "summary": "Pools and members: who gets calls, how they are, what people set",
            "responses": answers_of("as described", "Routes"),
        }
    },
    "/api/v1/routes/hands": {
        "get": {
            "operationId": "hands",
            "summary": "What people set by hand, in force and over",
            "responses": answers_of("as described", "Hands"),
        },
        "post": {
            "operationId": "set_by_hand",
            "summary": "Move a pool's calls, drain a member, send callers to the safe option …",
            "requestBody": body(_WANTED),
            "responses": answers_of("it is in force", "HandSet", status="201"),
        },
    },
    "/api/v1/routes/undo": {
        "post": {
            "operationId": "undo_by_hand",
            "summary": "End a setting, the newest without an id",
            "requestBody": body(_UNDO),
            "responses": answers_of("what it was", "Hand"),
        }
    },
}
