"""The list of calls that only status callbacks told of: a page, and its address in the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Route

from switchhook.calls.queries import LAST_SEQ, callback_calls
from switchhook.exotel.asked_number import asked_number
from switchhook.exotel.phone_numbers import Ours
from switchhook.streams.json import call_json
from switchhook.streams.openapi import CALL_STORY
from switchhook.streams.parameters import FILTERS, cursor_of
from switchhook.streams.search.numbers import NumberSearches
from switchhook.streams.search.query import Condition, Query
from switchhook.web.endpoint import json_endpoint
from switchhook.web.json_schema import STRING, TEXT, list_of, object_of
from switchhook.web.openapi import Operation
from switchhook.web.parameters import (
    Parameter,
    RefusedParameter,
    read_filters,
    read_text,
)
from switchhook.web.render import viewer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.access.audit import Deed
    from switchhook.access.roles import Viewer
    from switchhook.calls.queries import CallbackCall, CallbackCalls
    from switchhook.journal.source import JournalSource
    from switchhook.streams.store import Store
    from switchhook.web.json import Json
    from switchhook.web.json_schema import Schema
    from switchhook.web.render import Renderer

PAGE = 50


def _number(parameter: Parameter, text: str, now_ms: int) -> str:
    found = asked_number(read_text(parameter, text, now_ms))
    if found is None:
        hint = "a telephone number in any spelling, its beginning, or *1234 for its end"
        raise parameter.refuse("no telephone number", hint)
    return found


_NUMBER = Parameter(
    "number",
    "who called or was called: a number, its beginning, or `*` and its end; other spellings do too",
    {"type": "string", "pattern": r"^\*?[1-9][0-9]{2,14}$"},
    _number,
)
ASKED = {each.name: each for each in (_NUMBER, FILTERS["limit"], FILTERS["cursor"])}


class CallbackCallsPage:
    """`/calls` and `/api/v1/calls`; `note` puts a search for a number into the audit log."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        journal: JournalSource,
        store: Store,
        note: Callable[[Deed], object],
        now_ms: Callable[[], int],
        freshen: Callable[[], None],
    ) -> None:
        self._renderer, self._journal, self._store = renderer, journal, store
        self._now_ms, self._freshen = now_ms, freshen
        self._numbers = NumberSearches(note, now_ms)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/calls", self._page, methods=["GET"], name="calls-page"),
            Route("/api/v1/calls", json_endpoint(self._json), methods=["GET"]),
        ]

    def _page(self, request: Request) -> Response:
        said, problem = request.query_params, ""
        asked = [("number", said["number"])] if said.get("number", "").strip() else []
        asked += [("cursor", said["before"])] if said.get("before") else []
        found: CallbackCalls | None = None
        try:
            found = self._found(read_filters(asked, self._now_ms(), ASKED), viewer_of(request))
        except RefusedParameter as refused:
            problem = f"{refused.problem}: {refused.hint}"
        context = {
            "calls": () if found is None else found.calls,
            "next": None if found is None or found.next is None else cursor_of(found.next),
            "number": Ours(said.get("number", "")[:40]),
            "problem": problem,
            "paged": "before" in said,
        }
        return self._renderer.page(request, "calls.html", context)

    def _json(self, request: Request) -> Json:
        values = read_filters(request.query_params.multi_items(), self._now_ms(), ASKED)
        found = self._found(values, viewer_of(request))
        return {
            "calls": [_call(each) for each in found.calls],
            "next": None if found.next is None else cursor_of(found.next),
        }

    def _found(self, values: dict[str, Any], viewer: Viewer) -> CallbackCalls:
        number = values.get("number")
        if number is not None:
            self._numbers.in_api(Query((Condition("number", (number,)),)), viewer)
        self._freshen()
        return callback_calls(
            self._journal,
            self._store,
            number=number,
            before_seq=values.get("cursor", LAST_SEQ),
            limit=values.get("limit", PAGE),
        )


def _call(found: CallbackCall) -> Json:
    return {**call_json(found.story), "account": found.account}


SCHEMAS: dict[str, Schema] = {
    "CallbackCalls": object_of(
        calls=list_of({"allOf": [CALL_STORY, object_of(account=STRING)]}),
        next=TEXT,
    ),
}
OPERATIONS = (
    Operation(
        "/api/v1/calls",
        "calls",
        "Calls that no passthru named and status callbacks told of",
        "CallbackCalls",
        asked=ASKED,
    ),
)
"""The address of `CallbackCallsPage`."""
