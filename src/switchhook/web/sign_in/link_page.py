"""/open and /open/{token}: the way in to an open console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse
from starlette.routing import Route

from switchhook.system.local_keys import OPEN
from switchhook.web.render import viewer_of
from switchhook.web.sign_in.request_origin import safe_path

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from switchhook.web.sign_in.local_door import LocalDoor
    from switchhook.web.sign_in.page_support import Shared


class LinkPages:
    """/open says where the link is, /open/{token} is the link."""

    def __init__(self, shared: Shared, door: LocalDoor) -> None:
        self._shared, self._door = shared, door

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/open", self._show, methods=["GET"]),
            Route(OPEN + "{token}", self._enter, methods=["GET"]),
        ]

    async def _show(self, request: Request) -> Response:
        to = safe_path(request.query_params.get("next"))
        opened = self._shared.settings.open(request.scope["accounts"])
        if viewer_of(request).open or not opened:
            return RedirectResponse(to, 303)
        return self._page(request, to)

    async def _enter(self, request: Request) -> Response:
        if not self._shared.settings.open(request.scope["accounts"]):
            return RedirectResponse("/", 303)
        if not self._door.opens(request.path_params["token"]):
            return self._page(request, "/", "This is not the link of this console.")
        response = RedirectResponse("/", 303)
        self._door.remember(response, self._shared.settings.session_hours)
        return response

    def _page(self, request: Request, to: str, problem: str = "") -> Response:
        context = {"next": to, "problem": problem}
        return self._shared.page(request, "open.html", context, status=403 if problem else 200)
