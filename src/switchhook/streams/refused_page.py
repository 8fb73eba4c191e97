"""The page of refused requests and its API: the samples that the answer side kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Route

from switchhook.streams.refused import refused_json, said_of
from switchhook.streams.refused_queries import refused_requests
from switchhook.web.endpoint import json_endpoint
from switchhook.web.parameters import read_none

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.journal.source import JournalSource
    from switchhook.streams.refused import RefusedRequest
    from switchhook.streams.store import Store
    from switchhook.web.json import Json
    from switchhook.web.render import Renderer


class RefusedPage:
    """`/endpoints/refused` and `/api/v1/refused`."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        journal: JournalSource,
        store: Store,
        freshen: Callable[[], None],
    ) -> None:
        self._renderer, self._freshen = renderer, freshen
        self._journal, self._store = journal, store

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/endpoints/refused", self._page, methods=["GET"], name="refused"),
            Route("/api/v1/refused", json_endpoint(self._json), methods=["GET"]),
        ]

    def _page(self, request: Request) -> Response:
        context = {"refused": self._found(), "said_of": said_of}
        return self._renderer.page(request, "refused_requests.html", context)

    def _json(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        return {"refused": [refused_json(each) for each in self._found()]}

    def _found(self) -> list[RefusedRequest]:
        self._freshen()
        return refused_requests(self._journal, self._store)
