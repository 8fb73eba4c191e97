"""The API of flags: how they stand, what was done to them, and setting, resetting and undoing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.errors import FlagError
from switchhook.flags.changes import (
    LONGEST_REASON,
    LONGEST_S,
    FlagAct,
    FlagWanted,
    flag_named,
)
from switchhook.flags.json import change_json, flag_json, flags_json
from switchhook.rules.flag_values import NAME, read_for
from switchhook.rules.flags import FlagKind
from switchhook.web.endpoint import body_endpoint, json_endpoint, json_response, read_body
from switchhook.web.json_schema import (
    COUNT,
    STRING,
    TEXT,
    TIME,
    Schema,
    answers_of,
    body,
    list_of,
    object_of,
    or_null,
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
    from switchhook.flags.changes import FlagChange
    from switchhook.flags.worker import FlagsWorker
    from switchhook.web.json import Json

LARGEST = 400_000
"""Bytes of a body: each character of a list may be escaped."""
MOST_PAST = 100

T = TypeVar("T")


class SetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`PUT /api/v1/flags/{name}`; in JSON 60.0 seconds are whole."""

    value: Any
    reason: str
    for_s: float | None = None


class ReasonBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/v1/flags/{name}/reset` and `…/undo`."""

    reason: str = ""


class FlagsApi:
    """`/api/v1/flags` and below; `ofrep` gives where bots read them, empty for nowhere."""

    def __init__(self, worker: FlagsWorker, ofrep: Callable[[], str]) -> None:
        self._worker, self._ofrep = worker, ofrep

    def routes(self) -> Sequence[BaseRoute]:
        at = "/api/v1/flags"
        one = f"{at}/{{name}}"
        return [
            Route(at, json_endpoint(self._all), methods=["GET"]),
            Route(one, json_endpoint(self._one), methods=["GET"]),
            Route(one, body_endpoint(self._set, LARGEST), methods=["PUT"]),
            Route(f"{one}/reset", body_endpoint(self._reset, LARGEST), methods=["POST"]),
            Route(f"{one}/undo", body_endpoint(self._undo, LARGEST), methods=["POST"]),
        ]

    def _all(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        return flags_json(self._worker.view(), self._ofrep())

    def _one(self, request: Request) -> Json | None:
        read_none(request.query_params.multi_items())
        found = self._worker.view().flag(request.path_params["name"])
        if found is None:
            return None
        past = self._worker.ledger.history(found.name, MOST_PAST)
        return flag_json(found) | {"history": [change_json(each) for each in past]}

    def _set(self, request: Request, raw: bytes) -> Response:
        viewer, name = releaser_of(request), self._name(request)
        said = read_body(raw, SetBody)
        length = _whole("for_s", said.for_s)
        return json_response(
            refusing(
                lambda: change_json(
                    set_by(self._worker, viewer, name, said.value, said.reason, length)
                )
            )
        )

    def _reset(self, request: Request, raw: bytes) -> Response:
        viewer, name = releaser_of(request), self._name(request)
        reason = read_body(raw, ReasonBody).reason
        wanted = FlagWanted(flag=name, value=None, reason=reason)
        return json_response(refusing(lambda: change_json(do_by(self._worker, viewer, wanted))))

    def _undo(self, request: Request, raw: bytes) -> Response:
        viewer, name = releaser_of(request), self._name(request)
        reason = read_body(raw, ReasonBody).reason
        return json_response(
            refusing(lambda: change_json(undo_by(self._worker, viewer, name, reason)))
        )

    def _name(self, request: Request) -> str:
        """The flag of the address. Raises HTTPException 404."""
        name: str = request.path_params["name"]
        if all(flag.name != name for flag in self._worker.flags):
            raise HTTPException(404)
        return name


def releaser_of(request: Request) -> Viewer:
    """Who may set flags. Raises HTTPException 403 for others."""
    viewer = viewer_of(request)
    if not viewer.may_release:
        raise HTTPException(403, "this takes the right to release")
    return viewer


def refusing(act: Callable[[], T]) -> T:
    """Do it; what can't be set is an answer. Raises RefusedParameter."""
    try:
        return act()
    except FlagError as error:
        raise RefusedParameter(None, error.problem, error.hint) from None


def set_by(
    worker: FlagsWorker, viewer: Viewer, name: str, said: object, reason: str, for_s: int | None
) -> FlagChange:
    """Set a flag to a value of JSON. Raises FlagError, LedgerError."""
    value = read_for(flag_named(name, worker.flags), said)
    return do_by(worker, viewer, FlagWanted(flag=name, value=value, reason=reason, for_s=for_s))


def do_by(worker: FlagsWorker, viewer: Viewer, wanted: FlagWanted) -> FlagChange:
    """Do what is wanted. Raises FlagError, LedgerError."""
    return worker.set(
        wanted, viewer.name, lambda what, subject, said: deed_of(viewer, what, subject, **said)
    )


def undo_by(worker: FlagsWorker, viewer: Viewer, name: str, reason: str) -> FlagChange:
    """Undo the last change of a flag. Raises FlagError, LedgerError."""
    return worker.undo(
        name,
        reason,
        viewer.name,
        lambda what, subject, said: deed_of(viewer, what, subject, **said),
    )


def _whole(name: str, value: float | None) -> int | None:
    if value is not None and not value.is_integer():
        raise RefusedParameter(name, "it is no whole number", "such as 60")
    return None if value is None else int(value)


# The description.

_VALUE: Schema = {"type": ["boolean", "string", "number", "array", "object"]}
_CHANGE = object_of(
    id=COUNT,
    flag=STRING,
    act=words(*FlagAct),
    value=or_null(_VALUE),
    text=TEXT,
    by=STRING,
    reason=STRING,
    at=TIME,
    until=TIME,
)
_FLAG: dict[str, Schema] = {
    "name": STRING,
    "kind": words(*FlagKind),
    "description": STRING,
    "value": _VALUE,
    "text": STRING,
    "words": STRING,
    "default": _VALUE,
    "change": or_null(ref("FlagChange")),
    "readers": list_of(STRING),
    "rules_read_at": TIME,
    "bots_read_at": TIME,
    "stale": TEXT,
    "unused": TEXT,
}
SCHEMAS: dict[str, Schema] = {
    "FlagChange": _CHANGE,
    "Flag": object_of(**_FLAG),
    "Flags": object_of(flags=list_of(ref("Flag")), ofrep=TEXT, problem=TEXT),
    "WholeFlag": object_of(**_FLAG, history=list_of(ref("FlagChange"))),
}

_NAME: Schema = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{NAME.pattern}$"},
}
_REASON: Schema = {"type": "string", "maxLength": LONGEST_REASON, "pattern": VISIBLE}
_SET: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["value", "reason"],
    "properties": {
        "value": _VALUE,
        "reason": _REASON,
        "for_s": {"type": ["integer", "null"], "minimum": 1, "maximum": LONGEST_S},
    },
}
_RESET: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["reason"],
    "properties": {"reason": _REASON},
}
_UNDO: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"reason": {"type": "string", "maxLength": LONGEST_REASON}},
}

PATHS: dict[str, Schema] = {
    "/api/v1/flags": {
        "get": {
            "operationId": "flags",
            "summary": "Flags: what each is set to, by whom and why, and who reads it",
            "responses": answers_of("as described", "Flags"),
        }
    },
    "/api/v1/flags/{name}": {
        "get": {
            "operationId": "flag",
            "parameters": [_NAME],
            "summary": f"One flag, with its last {MOST_PAST} changes",
            "responses": answers_of("as described", "WholeFlag", gone=True),
        },
        "put": {
            "operationId": "set_flag",
            "parameters": [_NAME],
            "summary": "Set it: in force everywhere within a second",
            "requestBody": body(_SET),
            "responses": answers_of("it is in force", "FlagChange", gone=True),
        },
    },
    "/api/v1/flags/{name}/reset": {
        "post": {
            "operationId": "reset_flag",
            "parameters": [_NAME],
            "summary": "Set it back to its default",
            "requestBody": body(_RESET),
            "responses": answers_of("it is in force", "FlagChange", gone=True),
        }
    },
    "/api/v1/flags/{name}/undo": {
        "post": {
            "operationId": "undo_flag",
            "parameters": [_NAME],
            "summary": "Undo its last change",
            "requestBody": body(_UNDO),
            "responses": answers_of("it is in force", "FlagChange", gone=True),
        }
    },
}
