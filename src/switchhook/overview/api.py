"""What the pages show, for programs: `/api/v1/now`, `/issues`, `/views`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from switchhook.overview.json import issue_json, note_json, now_json
from switchhook.streams.issues.issues import IssueAction, IssueState
from switchhook.web.endpoint import Endpoint, json_answer, json_endpoint
from switchhook.web.json import Json
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
from switchhook.web.parameters import RefusedParameter, read_none
from switchhook.web.render import viewer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from switchhook.overview.page import NowPage
    from switchhook.streams.issues.issues import IssueHistory
    from switchhook.streams.issues.page import CausesPage
    from switchhook.streams.search.saved_views import SavedViews

_LARGEST = 4096


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    act: str
    note: str = ""


class PageApi:
    """Their routes."""

    def __init__(
        self,
        *,
        issue_history: IssueHistory | None,
        views: SavedViews | None,
        freshen: Callable[[], None],
        now: NowPage,
        causes: CausesPage,
    ) -> None:
        self._issue_history = issue_history
        self._views = views
        self._freshen = freshen
        self._now, self._causes = now, causes

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/api/v1/now", self._answering(self._of_now), methods=["GET"]),
            Route("/api/v1/issues", self._answering(self._issues), methods=["GET"]),
            Route("/api/v1/issues/{id}", self._answering(self._issue), methods=["GET"]),
            Route("/api/v1/issues/{id}", self._act, methods=["POST"]),
            Route("/api/v1/views", self._answering(self._saved_views), methods=["GET"]),
        ]

    @staticmethod
    def _answering(work: Callable[[Request], Json]) -> Endpoint:
        def find(request: Request) -> Json:
            read_none(request.query_params.multi_items())
            return work(request)

        return json_endpoint(find)

    def _of_now(self, request: Request) -> Json:
        self._freshen()
        return now_json(self._now.look())

    def _issues(self, request: Request) -> Json:
        self._freshen()
        return {"issues": [issue_json(each) for each in self._causes.found()]}

    def _issue(self, request: Request) -> Json:
        self._freshen()
        issue = self._causes.one(request.path_params["id"])
        history = [] if self._issue_history is None else self._issue_history.history(issue.id)
        return {**issue_json(issue), "history": [note_json(each) for each in history]}

    def _saved_views(self, request: Request) -> Json:
        views = self._views
        found = views.seen_by(viewer_of(request).name) if views is not None else []
        return {
            "views": [
                {"name": each.name, "query": each.query, "by": each.by, "shared": each.shared}
                for each in found
            ]
        }

    async def _act(self, request: Request) -> Response:
        sent = await request.body()
        if len(sent) > _LARGEST:
            raise HTTPException(413)
        try:
            said = msgspec.json.decode(sent, type=_Said)
            act = IssueAction(said.act)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
            hint = '{"act": "acknowledge", "resolve" or "reopen", "note": "…"}'
            raise RefusedParameter(None, "the body can't be understood", hint) from None
        await run_in_threadpool(self._causes.take, request, act.value, said.note.strip())
        return await json_answer(lambda: self._issue(request))


_MARK = object_of(at=TIME, state={"enum": list(IssueState)}, by=STRING, note=STRING)
_ISSUE = object_of(
    id=STRING,
    cause=STRING,
    kind=STRING,
    host=STRING,
    endpoint=STRING,
    state={"enum": list(IssueState)},
    reopened={"type": "boolean"},
    first_at=TIME,
    last_at=TIME,
    streams=COUNT,
    recent=COUNT,
    trend=list_of(COUNT),
    mark={"anyOf": [_MARK, {"type": "null"}]},
)
_ACCOUNT = object_of(
    account=STRING,
    active=WHOLE,
    allowed=WHOLE,
    headroom=WHOLE,
    age_s=NUMBER,
    problem=TEXT,
    forecast={
        "anyOf": [
            object_of(earliest_at=TIME, likely_at=TIME, latest_at=TIME, chance=NUMBER),
            {"type": "null"},
        ]
    },
)
_ROW = object_of(
    seq=COUNT,
    id=STRING,
    at=TIME,
    endpoint=STRING,
    call_sid=TEXT,
    **{"from": TEXT},
    bot=STRING,
    cause=STRING,
    error_kind=TEXT,
    option={"enum": ["A", "B"]},
    lead=STRING,
)
_REFUSED_FEED: Schema = {"content": {"text/plain": {"schema": STRING}}}
_EVENTS: Schema = {
    "description": "events as they come, for ever: `event: NAME`, then `data:` with its JSON",
    "content": {
        "text/event-stream": {
            "schema": STRING,
            "x-events": {
                "now": {"description": "the figures, as they change", "schema": ref("Now")},
                "receipts": {
                    "description": "what was received, newest first, and how many more came",
                    "schema": ref("FeedReceipts"),
                },
            },
            "example": 'retry: 1500\n\nevent: receipts\ndata: {"receipts":[],"left_out":0}\n\n',
        }
    },
}
SHOWN_SCHEMAS: dict[str, Schema] = {
    "Now": object_of(
        at=TIME,
        accounts=list_of(_ACCOUNT),
        running=COUNT,
        waiting=WHOLE,
        promises=or_null(
            object_of(
                kept=COUNT,
                owed=COUNT,
                in_time=NUMBER,
                median_s=NUMBER,
                waiting=COUNT,
                due=COUNT,
                dials={"type": "boolean"},
            )
        ),
        failed=object_of(
            share=NUMBER,
            failed=COUNT,
            streams=COUNT,
            causes=list_of(object_of(cause=STRING, streams=COUNT)),
        ),
        answers=object_of(answers=COUNT, p50_ms=WHOLE, p99_ms=WHOLE, slower={"type": "boolean"}),
        causes=list_of(STRING),
        minutes=list_of(object_of(at=TIME, streams=list_of(COUNT))),
        marks=list_of(
            object_of(at=TIME, kind=words("rules", "configuration", "incident"), what=STRING)
        ),
        issues=list_of(_ISSUE),
        open_issues=COUNT,
    ),
    "FeedReceipts": object_of(receipts=list_of(_ROW), left_out=COUNT),
    "Issues": object_of(issues=list_of(_ISSUE)),
    "Issue": {"allOf": [_ISSUE, object_of(history=list_of(_MARK))]},
    "Views": object_of(
        views=list_of(object_of(name=STRING, query=STRING, by=STRING, shared={"type": "boolean"}))
    ),
}
SHOWN = (
    Operation("/api/v1/now", "now", "What happens now, as the first page shows it", "Now"),
    Operation("/api/v1/issues", "issues", "Failures by what they have in common", "Issues"),
    Operation(
        "/api/v1/issues/{id}", "issue", "One, with what was said of it", "Issue", identifier="id"
    ),
    Operation("/api/v1/views", "views", "Searches that were saved", "Views"),
)
"""The addresses of `PageApi` that end."""

SHOWN_PATHS: dict[str, Schema] = {
    "/api/v1/feed": {
        "get": {
            "operationId": "feed",
            "summary": "The figures and every receipt, as they come: server-sent events",
            "parameters": [],
            "responses": {
                "200": _EVENTS,
                "403": answers_of("", None)["403"],
                "429": {"description": "you have too many open"} | _REFUSED_FEED,
                "503": {"description": "too many look just now"} | _REFUSED_FEED,
            },
        }
    },
    "/api/v1/issues/{id}": {
        "post": {
            "operationId": "act_on_issue",
            "summary": "Acknowledge, resolve or reopen an issue",
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": STRING | {"minLength": 1}}
            ],
            "requestBody": body(
                {
                    "type": "object",
                    "properties": {
                        "act": {"enum": list(IssueAction)},
                        "note": STRING | {"maxLength": 300},
                    },
                    "required": ["act"],
                    "additionalProperties": False,
                }
            ),
            "responses": answers_of("as it is now", "Issue", gone=True),
        }
    },
}
"""What is asked by other methods than GET, and the live feed."""
