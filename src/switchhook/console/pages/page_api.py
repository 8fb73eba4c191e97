"""What the pages show, for programs: `/api/v1/now`, `/issues`, `/views`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from switchhook.console.openapi import Operation, Schema
from switchhook.console.pages.glance import issue_json, mark_json, now_json
from switchhook.console.parameters import Refused, read_none
from switchhook.console.render import viewer_of
from switchhook.console.view import encode_json
from switchhook.issues import Act, IssueState

if TYPE_CHECKING:
    from starlette.requests import Request

    from switchhook.console.pages.causes import CausesPage
    from switchhook.console.pages.now import NowPage
    from switchhook.console.pages.parts import PageParts

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_LARGEST = 4096

Json = dict[str, Any]


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    act: str
    note: str = ""


class PageApi:
    """Their routes."""

    def __init__(self, parts: PageParts, now: NowPage, causes: CausesPage) -> None:
        self._parts, self._now, self._causes = parts, now, causes

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/api/v1/now", self._answering(self._of_now), methods=["GET"]),
            Route("/api/v1/issues", self._answering(self._issues), methods=["GET"]),
            Route("/api/v1/issues/{id}", self._answering(self._issue), methods=["GET"]),
            Route("/api/v1/issues/{id}", self._act, methods=["POST"]),
            Route("/api/v1/views", self._answering(self._views), methods=["GET"]),
        ]

    @staticmethod
    def _answering(work: Callable[[Request], Json]) -> Callable[[Request], Response]:
        """An endpoint, which Starlette runs in a thread."""

        def endpoint(request: Request) -> Response:
            read_none(request.query_params.multi_items())
            return _json(work(request))

        return endpoint

    def _of_now(self, request: Request) -> Json:
        self._parts.freshen()
        return now_json(self._now.look())

    def _issues(self, request: Request) -> Json:
        self._parts.freshen()
        return {"issues": [issue_json(each) for each in self._causes.found()]}

    def _issue(self, request: Request) -> Json:
        self._parts.freshen()
        issue, marks = self._causes.one(request.path_params["id"]), self._parts.marks
        history = marks.history(issue.id) if marks is not None else []
        return {**issue_json(issue), "history": [mark_json(each) for each in history]}

    def _views(self, request: Request) -> Json:
        views = self._parts.views
        found = views.seen_by(viewer_of(request).name) if views is not None else []
        return {
            "views": [
                {"name": each.name, "query": each.query, "by": each.by, "shared": each.shared}
                for each in found
            ]
        }

    async def _act(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > _LARGEST:
            raise HTTPException(413)
        try:
            said = msgspec.json.decode(body, type=_Said)
            act = Act(said.act)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
            hint = '{"act": "acknowledge", "resolve" or "reopen", "note": "…"}'
            raise Refused(None, "the body can't be understood", hint) from None
        await run_in_threadpool(self._causes.take, request, act.value, said.note.strip())
        return _json(await run_in_threadpool(self._issue, request))


def _json(found: Json) -> Response:
    return Response(encode_json(found), headers=_HEADERS, media_type="application/json")


_TEXT: Schema = {"type": "string"}
_MAYBE: Schema = {"type": ["string", "null"]}
_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
_WHOLE: Schema = {"type": "integer"}
_SOME: Schema = {"type": ["integer", "null"]}
_SHARE: Schema = {"type": ["number", "null"]}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


_MARK = _object(at=_TIME, state={"enum": list(IssueState)}, by=_TEXT, note=_TEXT)
_ISSUE = _object(
    id=_TEXT,
    cause=_TEXT,
    kind=_TEXT,
    host=_TEXT,
    endpoint=_TEXT,
    state={"enum": list(IssueState)},
    reopened={"type": "boolean"},
    first_at=_TIME,
    last_at=_TIME,
    streams=_WHOLE,
    recent=_WHOLE,
    trend=_list(_WHOLE),
    mark={"anyOf": [_MARK, {"type": "null"}]},
)
_ACCOUNT = _object(
    account=_TEXT,
    active=_SOME,
    allowed=_SOME,
    headroom=_SOME,
    age_s=_SHARE,
    problem=_MAYBE,
    forecast={
        "anyOf": [
            _object(earliest_at=_TIME, likely_at=_TIME, latest_at=_TIME, chance=_SHARE),
            {"type": "null"},
        ]
    },
)
SHOWN_SCHEMAS: dict[str, Schema] = {
    "Now": _object(
        at=_TIME,
        accounts=_list(_ACCOUNT),
        running=_WHOLE,
        waiting=_SOME,
        failed=_object(
            share=_SHARE,
            failed=_WHOLE,
            streams=_WHOLE,
            causes=_list(_object(cause=_TEXT, streams=_WHOLE)),
        ),
        answers=_object(answers=_WHOLE, p50_ms=_SOME, p99_ms=_SOME, slower={"type": "boolean"}),
        groups=_list(_TEXT),
        minutes=_list(_object(at=_TIME, streams=_list(_WHOLE))),
        issues=_list(_ISSUE),
        open_issues=_WHOLE,
    ),
    "Issues": _object(issues=_list(_ISSUE)),
    "Issue": {"allOf": [_ISSUE, _object(history=_list(_MARK))]},
    "Views": _object(
        views=_list(_object(name=_TEXT, query=_TEXT, by=_TEXT, shared={"type": "boolean"}))
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
"""The addresses of `PageApi`; the live feed never ends, so it is described in docs/api.md only."""
