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
from switchhook.streams.export_asked import EXPORT, asked_export
from switchhook.streams.parameters import LAST_SEQ, cursor_of
from switchhook.streams.search.in_words import count_in_words, explained, in_words
from switchhook.streams.search.keys import KEYS
from switchhook.streams.search.numbers import NumberSearches
from switchhook.streams.search.query import SearchPage, SearchProblem, asks_masked
from switchhook.streams.search.saved_views import LONGEST_NAME, SavedView
from switchhook.streams.search.syntax import LONGEST, parse_query, query_text, with_condition
from switchhook.web.parameters import RefusedParameter, has_words, read_filters
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
    from switchhook.streams.search.in_words import Loosened, Term
    from switchhook.streams.search.query import Query, StreamRow
    from switchhook.streams.search.saved_views import SavedViews
    from switchhook.streams.store import Store
    from switchhook.web.render import Renderer

PAGE = 50
STATE = ("q", "cols")
"""What of an address a saved view keeps."""
EXPORTS = (("csv", "CSV"), ("ndjson", "NDJSON"), ("parquet", "Parquet"))
FOR_DIALLERS = {"columns": "customer,time,bot,cause", "numbers": "e164", "rows": "callers"}
"""What the form of an export for a dialler or a CRM begins with."""
FORMS_OF_NUMBERS = (
    ("e164", "+919000012345"),
    ("digits", "919000012345"),
    ("00", "00919000012345"),
    ("national", "9000012345"),
    ("0", "09000012345"),
)
_EXPORT_FIELDS = ("format", "columns", "headers", "numbers", "region", "rows", "bom")
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
            Route("/streams/export", self._exported, methods=["GET"]),
            Route("/views", self._save, methods=["POST"]),
            Route("/views/{id:number}/remove", self._remove, methods=["POST"]),
        ]

    def _page(self, request: Request) -> Response:
        return self._shown(request, request.query_params)

    def _shown(
        self,
        request: Request,
        said: Mapping[str, str],
        *,
        status: int = 200,
        refused: RefusedParameter | None = None,
    ) -> Response:
        """The page as an address says it.

        `refused` is why nothing is exported.
        """
        viewer, zone = viewer_of(request), zone_of(request)
        text, cols = said.get("q", "")[: LONGEST + 1], said.get("cols", "")
        query = self._numbers.on_page(parse_query(text, self._now_ms(), zone), viewer)
        self._freshen()
        names = self._names()
        before = _cursor(said.get("before", ""))
        query, found = self._found(query, names, before, viewer)
        chosen = columns_named(cols)
        filtered = _filters(request, query, cols)
        views = self._views.seen_by(viewer.name) if self._views is not None else None
        context = {
            "q": Ours(text),
            "query": query,
            "rows": [_row(row, chosen, names, viewer) for row in found.rows],
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
                if viewer.may(Role.OPERATOR) and not query.problems
            ],
            "may_export": viewer.may(Role.OPERATOR),
            "asked": _asked(said),
            "forms": FORMS_OF_NUMBERS,
            "refused": refused,
            "views": views,
            "taken": _named(views or [], viewer.name, said.get("taken", "")),
            "share": said.get("shared") == "1",
            "state": _state(said),
            **self._in_words(request, query, found, names),
        }
        return self._renderer.page(request, "streams.html", context, status=status)

    def _in_words(
        self, request: Request, query: Query, found: SearchPage, names: Names
    ) -> dict[str, Any]:
        """What the search was understood as, how many it finds, and what to loosen if none."""
        zone, viewer = zone_of(request), viewer_of(request)
        paged = "before" in request.query_params
        nothing = not found.rows and found.next is None and not paged and not query.problems
        try:
            with self._turns.turn(viewer):
                terms = explained(query, zone, self._store, names) if nothing else []
        except (SearchError, RefusedParameter):
            terms = []
        return {
            # Whoever typed a number may read it again.
            "understood": [Ours(each) for each in in_words(query, zone)],
            "count": "" if query.problems else count_in_words(found, paged=paged),
            "terms": [(term, _loosened(request, term)) for term in terms],
            "helps": any(each.finds for term in terms for each in term.less),
        }

    def _found(
        self, query: Query, names: Names, before: int, viewer: Viewer
    ) -> tuple[Query, SearchPage]:
        """What a search finds; the query says so where it was given up."""
        store = self._store
        try:
            with self._turns.turn(viewer):
                return query, store.search(
                    query, names, before_seq=before, limit=PAGE, counted=True
                )
        except (SearchError, RefusedParameter) as error:
            problem = SearchProblem(0, 0, error.problem, error.hint)
            said = msgspec.structs.replace(query, problems=(*query.problems, problem))
            return said, SearchPage([], None)

    def _exported(self, request: Request) -> Response:
        """To the file that the form asks for, where it can be made; else the page says why not."""
        viewer, said = viewer_of(request), request.query_params
        if not viewer.may(Role.OPERATOR):
            raise HTTPException(403, "an operator may export")
        asked = {name: said[name].strip() for name in ("q", *_EXPORT_FIELDS) if said.get(name)}
        if asked.get("numbers") == "as shown":
            del asked["numbers"]
        try:
            values = read_filters([*asked.items()], self._now_ms(), EXPORT)
            asked_export(values, zone_of(request), viewer.sees, sees_all=viewer.sees_numbers)
        except RefusedParameter as refused:
            return self._shown(request, said, status=400, refused=refused)
        tz = zone_word(zone_of(request))
        return RedirectResponse(address("/api/v1/streams/export", {**asked, "tz": tz}), 303)

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
        if not form.get("replace") and (taken := await run_in_threadpool(_taken, views, view)):
            more = {"taken": taken.name, "shared": "1" if shared else None}
            return _back(request, state, **more)
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


def _back(request: Request, state: str, **more: str | None) -> Response:
    """To the table with a view's state, in the zone that it was seen in."""
    query = {**dict(parse_qsl(state)), "tz": zone_word(zone_of(request)), **more}
    return RedirectResponse(address("/streams", query), 303)


def _named(views: list[SavedView], by: str, name: str) -> SavedView | None:
    """Somebody's own view of a name."""
    return next((each for each in views if (each.by, each.name) == (by, name)), None)


def _taken(views: SavedViews, view: SavedView) -> SavedView | None:
    """Another view of the same maker and name."""
    found = _named(views.seen_by(view.by), view.by, view.name)
    return None if found is None or found.query == view.query else found


def _row(
    row: StreamRow, chosen: tuple[Column, ...], names: Names, viewer: Viewer
) -> dict[str, Any]:
    return {
        "key": row.story.first.id,
        "call_sid": row.story.call_sid,
        "id": row.story.last.id,
        "cells": [(column, column.of(row, names, viewer)) for column in chosen],
    }


def _loosened(request: Request, term: Term) -> list[tuple[Loosened, str]]:
    """What asks for less, each with its address."""
    tz, cols = zone_word(zone_of(request)), request.query_params.get("cols") or None
    return [
        (
            each,
            Ours(
                address("/streams", {"q": query_text(each.query) or None, "cols": cols, "tz": tz})
            ),
        )
        for each in term.less
    ]


def _asked(said: Mapping[str, str]) -> dict[str, str]:
    """What the form of an export holds: what was asked, else what most diallers take."""
    if "columns" in said:
        return {name: said.get(name, "") for name in _EXPORT_FIELDS}
    return {**dict.fromkeys(_EXPORT_FIELDS, ""), **FOR_DIALLERS}


def _filters(request: Request, query: Query, chosen: str) -> Callable[[Cell], str]:
    """The address of this page that also looks for a cell's value; each is made once."""
    known: dict[tuple[str, str], str] = {}
    tz = zone_word(zone_of(request))
    cols = chosen or None

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
