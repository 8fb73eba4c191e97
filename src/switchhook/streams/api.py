"""What was received, decided and why, as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import Deed
from switchhook.journal.source import JournalSource
from switchhook.streams.fold import Folder
from switchhook.streams.health import console_health
from switchhook.streams.names import Names
from switchhook.streams.openapi import OPERATIONS
from switchhook.streams.parameters import RECEIPT_FILTERS, STREAM_FILTERS
from switchhook.streams.queries import StreamQueries
from switchhook.streams.search.numbers import NumberSearches
from switchhook.streams.search.query import Query
from switchhook.streams.store import Store
from switchhook.web.endpoint import json_endpoint
from switchhook.web.parameters import read_filters, read_none
from switchhook.web.render import viewer_of
from switchhook.web.search_turns import SearchTurns

if TYPE_CHECKING:
    from switchhook.web.json import Json

_THREADS = 4


class StreamsApiParts(msgspec.Struct, frozen=True, kw_only=True):
    """What it is made of.

    `overview` gives what else runs, for `/api/v1/status` (endpoints, rules, releases); `complaints`
    what is wrong with it, one sentence each, for that and `/healthz`. `note` puts a deed into the
    audit log. `node` is the one of a cluster that this is, for `/healthz`. `fresh_s` is how long a
    query waits for the fold.
    """

    journal: JournalSource
    store: Store
    folder: Folder
    names: Callable[[], Names] = Names
    overview: Callable[[], Mapping[str, object]] = dict
    complaints: Callable[[], list[str]] = list
    note: Callable[[Deed], object] = lambda deed: None
    version: str = "0"
    node: Json | None = None
    fresh_s: float = 2.0
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


class StreamsApi:
    """Receipts, streams and calls as JSON; `document` gives the description of the whole API.

    What reads the disk runs in a few threads of its own. What asks for a list waits until the fold
    has reached the journal's end as it was when the request came: a receipt whose answer has been
    sent is found at once.
    """

    def __init__(self, parts: StreamsApiParts, document: Callable[[], Json]) -> None:
        self._parts, self._document = parts, document
        self._queries = StreamQueries(parts.journal, parts.store, parts.names)
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

    def routes(self) -> list[BaseRoute]:
        return [
            Route(
                each.path,
                json_endpoint(self._operations[each.name], self._threads),
                name=each.name,
            )
            for each in OPERATIONS
        ]

    def _filters(self, request: Request) -> dict[str, Any]:
        pairs = request.query_params.multi_items()
        return read_filters(pairs, self._parts.now_ms(), STREAM_FILTERS)

    def _freshen(self) -> None:
        parts = self._parts
        parts.folder.reach(parts.journal.last_seq(), parts.fresh_s)

    def _receipts(self, request: Request) -> Json:
        pairs = request.query_params.multi_items()
        allowed = RECEIPT_FILTERS | STREAM_FILTERS
        values = read_filters(pairs, self._parts.now_ms(), allowed)
        self._freshen()
        return self._queries.receipts(values)

    def _streams(self, request: Request) -> Json:
        values = self._filters(request)
        self._numbers.in_api(values.get("q", Query()), viewer_of(request))
        self._freshen()
        if "q" not in values:
            return self._queries.streams(values)
        with self._turns.turn(viewer_of(request)):
            return self._queries.streams(values)

    def _receipt(self, request: Request) -> Json | None:
        read_none(request.query_params.multi_items())
        self._freshen()
        return self._queries.receipt(request.path_params["id"])

    def _stream(self, request: Request) -> Json | None:
        read_none(request.query_params.multi_items())
        self._freshen()
        return self._queries.stream(request.path_params["stream_sid"])

    def _call(self, request: Request) -> Json | None:
        read_none(request.query_params.multi_items())
        self._freshen()
        return self._queries.call(request.path_params["call_sid"])

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
            **self._queries.status(),
        }

    def _openapi(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        return self._document()

    def _healthz(self, request: Request) -> Json:
        parts = self._parts
        return console_health(
            parts.folder, parts.store, parts.complaints(), self._version, parts.node
        )
