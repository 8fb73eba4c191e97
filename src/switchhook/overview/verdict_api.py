"""`/api/v1/verdict`: the first line of every page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Route

from switchhook.overview.verdict import Level
from switchhook.web.endpoint import json_endpoint
from switchhook.web.json import time_of
from switchhook.web.json_schema import STRING, TEXT, TIME, answers_of, list_of, object_of, or_null

if TYPE_CHECKING:
    from switchhook.overview.verdict import Press, State
    from switchhook.web.json import Json
    from switchhook.web.json_schema import Schema


class VerdictApi:
    """`verdict` gives the newest one."""

    def __init__(self, verdict: Callable[[], State]) -> None:
        self._verdict = verdict

    def routes(self) -> Sequence[BaseRoute]:
        endpoint = json_endpoint(lambda request: verdict_json(self._verdict()))
        return [Route("/api/v1/verdict", endpoint, methods=["GET"])]


def verdict_json(state: State) -> Json:
    """The verdict."""
    return {
        "level": state.level.value,
        "what": state.what,
        "since": None if state.since_us is None else time_of(state.since_us),
        "callers": state.callers,
        "went": state.went,
        "fault": state.fault,
        "todo": state.todo,
        "tell": state.tell,
        "stale": list(state.stale),
        "more": list(state.more),
        "streams": state.streams,
        "issue": state.issue,
        "page": state.page,
        "press": None if state.press is None else press_json(state.press),
    }


def press_json(press: Press) -> Json:
    """What one press sets by hand, as `POST /api/v1/routes/hands` takes it, beside its words."""
    return {
        "words": press.words,
        "act": press.act,
        "pool": press.pool,
        "to_pool": press.to or None,
        "member": press.member or None,
        "state": press.state or None,
    }


SCHEMAS: dict[str, Schema] = {
    "Verdict": object_of(
        level={"enum": list(Level)},
        what={"type": "string", "maxLength": 160},
        since=TIME,
        callers=STRING,
        went=STRING,
        fault=STRING,
        todo=STRING,
        tell=STRING,
        stale=list_of(STRING),
        more=list_of(STRING),
        streams=STRING,
        issue=STRING,
        page=STRING,
        press=or_null(
            object_of(words=STRING, act=STRING, pool=STRING, to_pool=TEXT, member=TEXT, state=TEXT)
        ),
    ),
}

PATHS: dict[str, Schema] = {
    "/api/v1/verdict": {
        "get": {
            "operationId": "verdict",
            "summary": "How things are, in words: the first line of every page",
            "responses": answers_of("as described", "Verdict"),
        }
    },
}
