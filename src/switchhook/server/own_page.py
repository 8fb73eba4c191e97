"""What a node's console says while the database that all share is of no use to it.

Sessions and tokens are in that database, so nobody can be known. Anybody hears what is wrong, what
callers notice, and what to do, in words that name no machine. How much this node has by itself is
for who asks straight on its own machine, as at `/healthz` of the public port.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Router

from switchhook.cluster.own_state import own_json
from switchhook.loopback import is_loopback, why_not_straight
from switchhook.server.forwarded import HEALTH, forwarded_header
from switchhook.web.endpoint import json_response
from switchhook.web.sign_in.middleware import NOBODY
from switchhook.web.sign_in.refusals import Refusals, RefusedRequest
from switchhook.web.sign_in.request_origin import FORWARDED_BY, arrive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from switchhook.access.roles import AccessSettings
    from switchhook.cluster.own_state import OwnState
    from switchhook.errors import ClusterError, LedgerError
    from switchhook.server.own_state import OwnLook
    from switchhook.web.json import Json
    from switchhook.web.render import Renderer

_AGAIN_S = 5
_PROGRAMS = ("/api/", "/metrics")


class OwnPage:
    """Answers every request; `complaints` are what else is wrong with the node."""

    def __init__(
        self,
        look: OwnLook,
        renderer: Callable[[], Renderer],
        access: Callable[[], AccessSettings],
        complaints: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._look, self._renderer = look, renderer
        self._access, self._complaints = access, complaints
        self._static: Router | None = None

    async def answer(
        self, error: ClusterError | LedgerError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Say what is wrong, as `error` has it, at any address but those of static files."""
        path: str = scope["path"]
        if path.startswith("/static/"):
            await self._asset(scope, receive, send)
            return
        scope = {**scope, "viewer": NOBODY, "csrf": ""}
        problem = arrive(scope, self._access()).problem
        if problem is not None:
            refused = RefusedRequest(403, problem)
            await Refusals(self._renderer()).answer(refused, scope, receive, send)
            return
        whole = _is_straight(scope)
        state = await asyncio.to_thread(self._look.state, error, whole=whole)
        if path == HEALTH:
            response = self._health(state, whole=whole)
        elif path.startswith(_PROGRAMS):
            response = _refusal(state, whole=whole)
        else:
            response = await asyncio.to_thread(self._page, Request(scope), state, whole=whole)
        await response(scope, receive, send)

    async def _asset(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._static is None:
            renderer = await asyncio.to_thread(self._renderer)
            self._static = Router(routes=renderer.assets.routes())
        await self._static(scope, receive, send)

    def _health(self, state: OwnState, *, whole: bool) -> Response:
        problems = [state.said, *(self._complaints() if whole else ())]
        said: Json = {"status": "degraded", "problems": problems, "fold_lag": None}
        return json_response({**said, **({"node": own_json(state)} if whole else {})})

    def _page(self, request: Request, state: OwnState, *, whole: bool) -> Response:
        again = {"Retry-After": str(_AGAIN_S), "Refresh": str(_AGAIN_S)}
        context = {"state": state, "figures": state.figures, "whole": whole}
        return self._renderer().page(request, "own_state.html", context, status=503, headers=again)


def _refusal(state: OwnState, *, whole: bool) -> Response:
    wrong = {"parameter": None, "problem": state.said, "hint": state.todo}
    response = json_response({"error": wrong, **({"node": own_json(state)} if whole else {})}, 503)
    response.headers["Retry-After"] = str(_AGAIN_S)
    return response


def _is_straight(scope: Scope) -> bool:
    """Whether who asks is on this very machine, and asks without anybody in between."""
    if FORWARDED_BY in scope or forwarded_header(scope) is not None:
        return False
    peer: str = (scope.get("client") or ("",))[0]
    straight = why_not_straight(scope["headers"], scope.get("http_version", "1.1")) is None
    return is_loopback(peer) and straight
