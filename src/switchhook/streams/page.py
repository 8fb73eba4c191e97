"""The page Streams: a search, and what it finds. Its address holds everything that is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.roles import Role
from switchhook.errors import SearchError
from switchhook.exotel.phone_numbers import Ours
from switchhook.streams.columns import COLUMNS, USUAL, columns_named
from switchhook.streams.parameters import LAST_SEQ, cursor_of
from switchhook.streams.search.numbers import NumberSearches
from switchhook.streams.search.query import SearchPage, SearchProblem, asks_masked
from switchhook.streams.search.saved_views import LONGEST_NAME, SavedView
from switchhook.streams.search.syntax import KEYS, LONGEST, parse_query, query_text, with_condition
from switchhook.web.parameters import RefusedParameter, has_words
from switchhook.web.render import address, viewer_of, zone_of, zone_word
from switchhook.web.search_turns import SearchTurns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.access.audit import Deed
    from switchhook.access.roles import Viewer
    from switchhook.streams.columns import Cell, Column
    from switchhook.streams.names import Names
    from switchhook.streams.search.query import Query
    from switchhook.streams.search.saved_views import SavedViews
    from switchhook.streams.store import Store
    from switchhook.web.render import Renderer

PAGE = 50
STATE = ("q", "cols")
"""What of an address a saved view keeps."""
EXPORTS = (("csv", "CSV"), ("ndjson", "NDJSON"), ("parquet", "Parquet"))
QUICK = (
    ("All", ""),
    ("Failed, 1 h", "is:failed since:1h"),
    ("Throttled, 1 d", "cause:throttled since:1d"),
    ("Running", "is:running since:2h"),
    ("Left early, 1 d", "cause:caller_left_early since:1d"),
    ("Option B, 1 h", "option:B since:1h"),
)


class StreamsPage:
    """The page, and views that people save of it."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        store: Store,
        names: Callable[[], Names],
        views: SavedViews | None,
        note: Callable[[Deed], object],
        now_ms: Callable[[], int],
        freshen: Callable[[], None],
    ) -> None:
        self._renderer = renderer
        self._store = store
        self._names = names
        self._views = views
        self._note = note
        self._now_ms = now_ms
        self._freshen = freshen
        self._numbers = NumberSearches(self._note, self._now_ms)
        self._turns = SearchTurns()

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/streams", self._page, methods=["GET"], name="streams-page"),
            Route("/views", self._save, methods=["POST"]),
            Route("/views/{id:int}/remove", self._remove, methods=["POST"]),
        ]

    def _page(self, request: Request) -> Response:
        viewer = viewer_of(request)
        said = request.query_params
        text, cols = said.get("q", "")[: LONGEST + 1], said.get("cols", "")
        query = self._numbers.on_page(parse_query(text, self._now_ms(), zone_of(request)), viewer)
        self._freshen()
        names = self._names()
        before = _cursor(said.get("before", ""))
        query, found = self._found(query, names, before, viewer)
        chosen = columns_named(cols)
        filtered = _filters(request, query, text)
        rows = [
            {
                "key": row.story.first.id,
                "call_sid": row.story.call_sid,
                "id": row.story.last.id,
                "cells": [(column, column.of(row, names, viewer)) for column in chosen],
            }
            for row in found.rows
        ]
        context = {
            "q": Ours(text),
            "query": query,
            "rows": rows,
            "columns": chosen,
            "all_columns": list(COLUMNS.values()),
            "cols": cols,
            "usual": USUAL,
            "next": None if found.next is None else cursor_of(found.next),
            "paged": before != LAST_SEQ,
            "filtered": filtered,
            "keys": KEYS.values(),
            "quick": QUICK,
            "exports": [
                (name, _export(request, ending, text, chosen))
                for ending, name in EXPORTS
                if viewer.may(Role.OPERATOR)
            ],
            "views": self._views.seen_by(viewer.name) if self._views is not None else None,
            "state": _state(said),
        }
        return self._renderer.page(request, "streams.html", context)

    def _found(
        self, query: Query, names: Names, before: int, viewer: Viewer
    ) -> tuple[Query, SearchPage]:
        """What a search finds; the query says so where it was given up."""
        store = self._store
        try:
            with self._turns.turn(viewer):
                return query, store.search(query, names, before_seq=before, limit=PAGE)
        except (SearchError, RefusedParameter) as error:
            problem = SearchProblem(0, 0, error.problem, error.hint)
            said = msgspec.structs.replace(query, problems=(*query.problems, problem))
            return said, SearchPage([], None)

    async def _save(self, request: Request) -> Response:
        views, viewer = self._views, viewer_of(request)
        form = await request.form()
        name = str(form.get("name", "")).strip()[:LONGEST_NAME]
        if views is None or not has_words(name):
            raise HTTPException(400, "a view needs a name, and a ledger to be kept in")
        said = dict(parse_qsl(str(form.get("state", ""))[: 4 * LONGEST]))
        state = _state(said)
        shared = bool(form.get("shared")) and viewer.role >= Role.OPERATOR
        query = parse_query(said.get("q", ""), self._now_ms())
        if shared and any(map(asks_masked, query.conditions)):
            # Everybody reads it, also those who see numbers masked.
            problem = "a view that looks for a number, an error or a flow can't be shared: keep it"
            raise HTTPException(409, problem)
        view = SavedView(0, name, state, viewer.name, shared)
        deed = deed_of(viewer, "saved a view", name, shared=str(shared).lower())
        kept = await run_in_threadpool(views.save, view, deed, self._now_ms() * 1000)
        if not kept:
            raise HTTPException(409, "there are too many views: remove one first")
        return _back(request, state)

    async def _remove(self, request: Request) -> Response:
        views, viewer = self._views, viewer_of(request)
        if views is None:
            raise HTTPException(404)
        id = request.path_params["id"]
        whose = None if viewer.role >= Role.ADMINISTRATOR else viewer.name
        deed = deed_of(viewer, "removed a view", str(id))
        if not await run_in_threadpool(views.remove, id, whose, deed, self._now_ms() * 1000):
            raise HTTPException(404)
        return _back(request, "")


def _back(request: Request, state: str) -> Response:
    """To the table with a view's state, in the zone that it was seen in."""
    query = {**dict(parse_qsl(state)), "tz": zone_word(zone_of(request))}
    return RedirectResponse(address("/streams", query), 303)


def _filters(request: Request, query: Query, text: str) -> Callable[[Cell], str]:
    """The address of this page that also looks for a cell's value; each is made once."""
    known: dict[tuple[str, str], str] = {}
    tz = zone_word(zone_of(request))
    cols = request.query_params.get("cols") or None

    def filtered(cell: Cell) -> str:
        key = cell.key, cell.value
        if key not in known:
            asked = with_condition(query, cell.key, cell.value)
            to = address("/streams", {"q": query_text(asked), "cols": cols, "tz": tz})
            known[key] = Ours(to) if isinstance(cell.value, Ours) else to
        return known[key]

    return filtered


def _export(request: Request, ending: str, text: str, chosen: tuple[Column, ...]) -> str:
    """The address of exactly what is shown, as a file."""
    columns = ",".join(column.name for column in chosen)
    tz = zone_word(zone_of(request))
    asked = {"format": ending, "q": text or None, "columns": columns, "tz": tz}
    return Ours(address("/api/v1/streams/export", asked))


def _state(said: Mapping[str, Any]) -> str:
    """What a view keeps of an address."""
    return urlencode([(name, said[name]) for name in STATE if said.get(name)])


def _cursor(text: str) -> int:
    try:
        return min(int(text, 16), LAST_SEQ) if text else LAST_SEQ
    except ValueError:
        return LAST_SEQ
