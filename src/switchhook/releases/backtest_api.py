"""The API of back-tests: how the one of a release stands, beginning it, and stopping it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.roles import Role
from switchhook.errors import ReleaseError
from switchhook.releases.backtest_json import backtest_json
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
    ref,
    words,
)
from switchhook.web.moments import read_length
from switchhook.web.parameters import RefusedParameter, read_none
from switchhook.web.render import viewer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.access.audit import Deed
    from switchhook.access.roles import Viewer
    from switchhook.releases.backtest_keeper import BackTests
    from switchhook.web.json import Json

LARGEST = 4096
DEFAULT_SINCE = "7d"
LONGEST_SINCE = 20


class BackTestWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /api/v1/releases/{number}/backtest`: how long it goes back, such as `7d`."""

    since: str = DEFAULT_SINCE


class BackTestApi:
    """`/api/v1/releases/{number}/backtest`.

    `node` is the journal's, `note` writes into the audit log.
    """

    def __init__(
        self,
        backtests: BackTests,
        node: Callable[[], int | None],
        note: Callable[[Deed], None],
    ) -> None:
        self._backtests, self._node, self._note = backtests, node, note

    def routes(self) -> Sequence[BaseRoute]:
        at = "/api/v1/releases/{number:number}/backtest"
        return [
            Route(at, json_endpoint(self._state), methods=["GET"]),
            Route(at, body_endpoint(self._begin, LARGEST), methods=["POST"]),
            Route(at, body_endpoint(self._stop, LARGEST), methods=["DELETE"]),
        ]

    def _state(self, request: Request) -> Json | None:
        read_none(request.query_params.multi_items())
        return state_json(self._backtests, self._number(request), self._node())

    def _begin(self, request: Request, raw: bytes) -> Response:
        viewer, number = _operator(request), self._number(request)
        since = read_body(raw, BackTestWanted).since if raw.strip() else DEFAULT_SINCE
        begin_by(self._backtests, viewer, number, since, self._note)
        return json_response(state_json(self._backtests, number, self._node()), 202)

    def _stop(self, request: Request, _raw: bytes) -> Response:
        viewer, number = _operator(request), self._number(request)
        stop_by(self._backtests, viewer, number, self._note)
        return json_response(state_json(self._backtests, number, self._node()))

    def _number(self, request: Request) -> int:
        number: int = request.path_params["number"]
        if self._backtests.state(number) is None:
            raise HTTPException(404)
        return number


def state_json(backtests: BackTests, number: int, node: int | None) -> Json | None:
    """How the back-test of a release stands; None where there is no such release."""
    state = backtests.state(number)
    if state is None:
        return None
    found = state.found
    return {
        "running": state.running,
        "problem": state.problem or None,
        "backtest": None if found is None else backtest_json(found, node),
    }


def begin_by(
    backtests: BackTests, viewer: Viewer, number: int, since: str, note: Callable[[Deed], None]
) -> None:
    """Begin it, or go on with it. Raises RefusedParameter."""
    length_s = read_length(since)
    if length_s is None or not since[-1:].isalpha() or len(since) > LONGEST_SINCE:
        raise RefusedParameter("since", "it is no length of time", "such as 24h or 7d")
    try:
        backtests.start(number, since)
    except ReleaseError as error:
        raise RefusedParameter(None, error.problem, error.hint) from None
    note(deed_of(viewer, "began a back-test", f"release {number}", since=since))


def stop_by(
    backtests: BackTests, viewer: Viewer, number: int, note: Callable[[Deed], None]
) -> None:
    """Stop it, where it runs."""
    if backtests.stop(number):
        note(deed_of(viewer, "stopped a back-test", f"release {number}"))


def _operator(request: Request) -> Viewer:
    viewer = viewer_of(request)
    if not viewer.may(Role.OPERATOR):
        raise HTTPException(403, "only an operator may do this")
    return viewer


# The description.

_YES: Schema = {"type": "boolean"}
_SECONDS: Schema = {"type": ["number", "null"], "minimum": 0}
_WHY = list_of(object_of(why=STRING, count=COUNT))
_PART = list_of(ref("BackTestPart"))

SCHEMAS: dict[str, Schema] = {
    "BackTestGiven": object_of(
        option=words("A", "B", None),
        rule=STRING,
        select=TEXT,
        pool=TEXT,
        member=TEXT,
        promise=TEXT,
        words=STRING,
    ),
    "BackTestReceipt": object_of(receipt=STRING, at=TIME, cause=TEXT, bot=TEXT),
    "BackTestChange": object_of(
        endpoint=STRING,
        was=ref("BackTestGiven"),
        would_be=ref("BackTestGiven"),
        count=COUNT,
        receipts=list_of(ref("BackTestReceipt")),
    ),
    "BackTestPart": object_of(name=STRING, decided=COUNT, different=COUNT),
    "BackTest": object_of(
        release={"type": ["integer", "null"], "minimum": 1},
        hash=STRING,
        subject=STRING,
        log=TEXT,
        since=TIME,
        until=TIME,
        begun_at=TIME,
        ended_at=TIME,
        complete=_YES,
        records=object_of(counted=COUNT, of=COUNT),
        took_s=_SECONDS,
        left_s=_SECONDS,
        cores=COUNT,
        decided=COUNT,
        different=COUNT,
        other_rule=COUNT,
        faults=COUNT,
        callers=COUNT,
        callers_different=COUNT,
        callers_estimated=_YES,
        without_caller=COUNT,
        left_out=_WHY,
        unable=_WHY,
        unsure=_WHY,
        flags_by_default=list_of(object_of(flag=STRING, count=COUNT)),
        changes=list_of(ref("BackTestChange")),
        causes=_PART,
        bots=_PART,
        rules=_PART,
        hours=_PART,
        faulty=list_of(object_of(receipt=STRING, at=TIME, cause=TEXT, bot=TEXT, why=STRING)),
        mix=list_of(object_of(given=STRING, callers=COUNT)),
    ),
    "BackTestState": object_of(
        running=_YES,
        problem=TEXT,
        backtest={"anyOf": [ref("BackTest"), {"type": "null"}]},
    ),
}

_WANTED: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"since": {"type": "string", "maxLength": LONGEST_SINCE}},
}
_NUMBER: Schema = {
    "name": "number",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}

PATHS: dict[str, Schema] = {
    "/api/v1/releases/{number}/backtest": {
        "get": {
            "operationId": "backtest",
            "summary": "What a release would have answered otherwise, also while it is counted",
            "parameters": [_NUMBER],
            "responses": answers_of("as described", "BackTestState", gone=True),
        },
        "post": {
            "operationId": "begin_backtest",
            "summary": "Try a release on what was kept, or go on with it",
            "parameters": [_NUMBER],
            "requestBody": body(_WANTED),
            "responses": answers_of("it runs", "BackTestState", status="202", gone=True),
        },
        "delete": {
            "operationId": "stop_backtest",
            "summary": "Stop it; it can be gone on with",
            "parameters": [_NUMBER],
            "responses": answers_of("how it stands", "BackTestState", gone=True),
        },
    },
}
