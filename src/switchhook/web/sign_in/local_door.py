"""An open console's door: whoever has used its link is let in, and programs show the token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from switchhook.system.local_keys import OPEN, link_cookie, link_proof, link_token
from switchhook.web.render import viewer_of
from switchhook.web.sign_in.request_origin import safe_path, values_of
from switchhook.web.sign_in.tokens import same

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.web.sign_in.page_support import Shared

_HOUR_S = 3_600


class LocalDoor:
    """Knows the link; `key` is the data folder's."""

    def __init__(self, key: bytes) -> None:
        self._token, self._proof = link_token(key), link_proof(key)
        self._cookie = link_cookie(key)

    @property
    def path(self) -> str:
        """The link, below the console's address."""
        return f"{OPEN}{self._token}"

    def opens(self, token: str) -> bool:
        """Whether this is the link's token."""
        return same(token, self._token)

    def knows(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether a browser has used the link."""
        said = values_of(headers, b"cookie")
        return any(same(cookie_parser(each).get(self._cookie, ""), self._proof) for each in said)

    def remember(self, response: Response, hours: float) -> None:
        """Have the browser show that it has used the link."""
        response.set_cookie(
            self._cookie,
            self._proof,
            max_age=int(hours * _HOUR_S),
            httponly=True,
            samesite="strict",
        )


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
