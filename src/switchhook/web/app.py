"""The console as an ASGI app: the API of what was received, and the pages and APIs beside it.

Everything that reads the disk runs in a few threads of its own. What asks for a list waits until
the fold has reached the journal's end as it was when the request came: a receipt whose answer has
been sent is found at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import Deed
from switchhook.errors import DataFolderError, LedgerError, SearchError, SwitchhookError
from switchhook.journal.source import JournalSource
from switchhook.server.api_document import describe_all
from switchhook.streams.fold import Folder
from switchhook.streams.json import encode_json
from switchhook.streams.names import Names
from switchhook.streams.openapi import OPERATIONS
from switchhook.streams.parameters import Refused, read_filters, read_none
from switchhook.streams.queries import Shelf
from switchhook.streams.search.numbers import NumberSearches
from switchhook.streams.search.query import Query
from switchhook.streams.store import Store
from switchhook.web.masking import Masked
from switchhook.web.render import viewer_of
from switchhook.web.search_turns import SearchTurns

if TYPE_CHECKING:
    from starlette.types import ExceptionHandler

_THREADS = 4
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Json = dict[str, Any]


class ConsoleParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the console shows.

    `overview` gives what else runs, for `/api/v1/status` (endpoints, rules, releases); `complaints`
    what is wrong with it, one sentence each, for that and `/healthz`. `note` puts a deed into the
    audit log. `fresh_s` is how long a query waits for the fold.
    """

    journal: JournalSource
    store: Store
    folder: Folder
    names: Callable[[], Names] = Names
    overview: Callable[[], Mapping[str, object]] = dict
    complaints: Callable[[], list[str]] = list
    note: Callable[[Deed], object] = lambda deed: None
    version: str = "0"
    fresh_s: float = 2.0
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


class Pages(Protocol):
    """Pages of the console, or a part of its API: what it answers, by address."""

    def routes(self) -> Sequence[BaseRoute]: ...


def create_app(parts: ConsoleParts, pages: Sequence[Pages] = ()) -> Starlette:
    """The console as an app for uvicorn, which has to be stopped before the folder is."""
    api = _Api(parts)
    # Those beside it first: `/api/v1/streams/export` is no stream of that name.
    routes: list[BaseRoute] = [route for each in pages for route in each.routes()]
    routes += [
        Route(operation.path, api.answering(operation.name), name=operation.name)
        for operation in OPERATIONS
    ]
    # Typed for Exception only, though each handler gets the kind that it is registered for.
    refusals: dict[Any, ExceptionHandler] = {
        Refused: _refused,  # type: ignore[dict-item]
        HTTPException: _http_problem,  # type: ignore[dict-item]
        SearchError: _given_up,  # type: ignore[dict-item]
        SwitchhookError: _unavailable,
        ClientDisconnect: _gone,
    }
    return Starlette(routes=routes, exception_handlers=refusals, middleware=[Middleware(Masked)])


class _Api:
    """The operations by name; each takes a request and gives the object to answer, or None."""

    def __init__(self, parts: ConsoleParts) -> None:
        self._parts = parts
        self._shelf = Shelf(parts.journal, parts.store, parts.names)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="console")
        self._version = parts.version
        self._numbers = NumberSearches(parts.note, parts.now_ms)
        self._turns = SearchTurns()
        self._operations: dict[str, Callable[[Request], Json | None]] = {
            "receipts": self._receipts,
            "receipt": self._receipt,
            "streams": self._streams,
            "stream": self._stream,
            "call": self._call,
            "status": self._status,
            "openapi": self._openapi,
            "healthz": self._healthz,
        }

    def answering(self, name: str) -> Callable[[Request], Any]:
        """An operation as an endpoint of Starlette."""
        operation = self._operations[name]

        def work(request: Request) -> bytes | None:
            found = operation(request)
            if found is None:
                return None
            return encode_json(found)

        async def endpoint(request: Request) -> Response:
            loop = asyncio.get_running_loop()
            body = await loop.run_in_executor(self._threads, work, request)
            if body is None:
                raise HTTPException(404)
            return _response(200, body)

        return endpoint

    def _freshen(self) -> None:
        parts = self._parts
        parts.folder.reach(parts.journal.last_seq(), parts.fresh_s)

    def _receipts(self, request: Request) -> Json:
        values = read_filters(request.query_params.multi_items(), self._parts.now_ms())
        self._freshen()
        return self._shelf.receipts(values)

    def _streams(self, request: Request) -> Json:
        values = read_filters(request.query_params.multi_items(), self._parts.now_ms())
        self._numbers.in_api(values.get("q", Query()), viewer_of(request))
        self._freshen()
        if "q" not in values:
            return self._shelf.streams(values)
        with self._turns.turn(viewer_of(request)):
            return self._shelf.streams(values)

    def _receipt(self, request: Request) -> Json | None:
        read_none(request.query_params.multi_items())
        self._freshen()
        return self._shelf.receipt(request.path_params["id"])

    def _stream(self, request: Request) -> Json | None:
        read_none(request.query_params.multi_items())
        self._freshen()
        return self._shelf.stream(request.path_params["stream_sid"])

    def _call(self, request: Request) -> Json | None:
        read_none(request.query_params.multi_items())
        self._freshen()
        return self._shelf.call(request.path_params["call_sid"])

    def _status(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        self._freshen()
        parts = self._parts
        return {
            **parts.overview(),
            "version": self._version,
            "complaints": parts.complaints(),
            "fold": {
                "position": parts.folder.position,
                "lag": parts.folder.lag(),
                "running": parts.folder.running,
                "problem": parts.folder.problem,
            },
            **self._shelf.status(),
        }

    def _openapi(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        return describe_all(self._version)

    def _healthz(self, request: Request) -> Json:
        """Green as long as it can work: an orchestrator that restarts us would mend nothing."""
        folder, problems = self._parts.folder, list(self._parts.complaints())
        lag: int | None = None
        try:
            lag = folder.lag()
            count, _ = self._parts.store.quarantined(0)
            if count:
                problems.append(f"{count} records could not be folded: see /api/v1/status")
        except SwitchhookError as error:
            problems.append(str(error))
        if folder.problem is not None and folder.problem not in problems:
            problems.append(f"the fold stands still: {folder.problem}")
        elif not folder.running:
            problems.append("the fold does not run")
        return {
            "status": "degraded" if problems else "ok",
            "problems": list(dict.fromkeys(problems)),
            "fold_lag": lag,
            "version": self._version,
        }


def _response(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        body, status, headers=_HEADERS | dict(headers or {}), media_type="application/json"
    )


def _problem(status: int, problem: str, hint: str, parameter: str | None = None) -> Response:
    said = {"parameter": parameter, "problem": problem, "hint": hint}
    return _response(status, encode_json({"error": said}))


def _refused(request: Request, error: Refused) -> Response:
    return _problem(400, error.problem, error.hint, error.parameter)


def _given_up(request: Request, error: SearchError) -> Response:
    return _problem(400, error.problem, error.hint, "q")


def _http_problem(request: Request, error: HTTPException) -> Response:
    problem, hint = _PROBLEMS.get(error.status_code, (error.detail, ""))
    response = _problem(error.status_code, problem, hint)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def _gone(_request: Request, _error: Exception) -> Response:
    """Give what nobody hears: who left in the middle of a body is no fault of ours to log."""
    return Response(status_code=400)


_PROBLEMS = {
    404: ("there is none", "/api/v1/openapi.json names every address"),
    405: ("this method is not answered here", "GET reads; nothing here is written"),
}


def _unavailable(request: Request, error: Exception) -> Response:
    kept = "receipts are kept all the same; see /healthz"
    if isinstance(error, (DataFolderError, LedgerError)):  # their texts name a file, too
        return _problem(503, error.problem, f"{error.hint}; {kept}")
    return _problem(503, str(error), kept)
