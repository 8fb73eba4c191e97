"""What a node that stands by shows of itself: its health; and the nodes, while nobody leads.

Straight from the database, for those who may sign in; nothing can be done here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.routing import Route

from switchhook.access.ledger import LedgerAccess
from switchhook.cluster.api import NodesApi
from switchhook.cluster.page import NodesPage
from switchhook.errors import LedgerError
from switchhook.server.tables import open_ledger
from switchhook.web.app import create_app
from switchhook.web.endpoint import json_response
from switchhook.web.sign_in import ConsoleAccess

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

    from switchhook.cluster.watch import ClusterWatch
    from switchhook.config import Config
    from switchhook.ledger.database import Ledger
    from switchhook.postgresql_server import Url
    from switchhook.server.own_page import OwnPage
    from switchhook.web.json import Json
    from switchhook.web.render import Renderer

PATHS = ("/nodes", "/api/v1/nodes")
_STATIC, _HEALTH = "/static/", "/healthz"


class OwnNodes:
    """The app, made by the first request; `close` lets go of the ledger.

    `health` is what `/healthz` says to those who may see it; `own_page` answers where nobody can be
    looked up.
    """

    def __init__(
        self,
        url: Url,
        watch: ClusterWatch,
        key: bytes,
        config: Callable[[], Config],
        now_ms: Callable[[], int],
        health: Callable[[], Awaitable[Json]],
        own_page: OwnPage,
        renderer: Callable[[], Renderer],
    ) -> None:
        self._url, self._watch, self._key = url, watch, key
        self._config, self._now_ms, self._health = config, now_ms, health
        self._own_page, self._renderer = own_page, renderer
        self._made: tuple[ASGIApp, Ledger] | None = None
        self._making = asyncio.Lock()

    def at(self, path: str) -> ASGIApp | None:
        """What answers a path here; None where nothing does."""
        return self if path in PATHS or path.startswith(_STATIC) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with self._making:
                if self._made is None:
                    self._made = await asyncio.to_thread(self._make)
        except LedgerError as error:
            await self._own_page.answer(error, scope, receive, send)
            return
        await self._made[0](scope, receive, send)

    def close(self) -> None:
        made, self._made = self._made, None
        if made is not None:
            made[1].close()

    def _make(self) -> tuple[ASGIApp, Ledger]:
        ledger, renderer = open_ledger(self._url), self._renderer()
        access = ConsoleAccess(
            LedgerAccess(ledger),
            self._config().console.access,
            renderer,
            key=self._key,
            without_ledger=self._own_page.answer,
        )
        pages = (
            NodesPage(renderer, self._watch.now, None, self._now_ms),
            NodesApi(self._watch.now, None, self._now_ms),
            renderer.assets,
            OwnHealth(self._health),
        )
        return access.wrap(create_app(pages)), ledger


class OwnHealth:
    """`/healthz` of one node."""

    def __init__(self, health: Callable[[], Awaitable[Json]]) -> None:
        self._health = health

    def routes(self) -> Sequence[BaseRoute]:
        return [Route(_HEALTH, self._answer)]

    async def _answer(self, request: Request) -> Response:
        del request
        return json_response(await self._health())
