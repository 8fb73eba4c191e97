"""The page of the API: every address, and a form that asks it as whoever looks at the page.

It is made of the OpenAPI document, so that it describes what is there. What it sends goes the way
of any other request: by the session's cookie with the page's CSRF token, or by a token alone.

A page of our own, as none of the published ones will do: RapiDoc 9.3 and Scalar 1.76 need styles
inline, which the console's policy forbids; Swagger UI 5.35 runs under it, but is 1.9 MB, and
axe-core finds 40 texts in it that are too pale.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Route

from switchhook.web.api_reference import topics_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.web.api_reference import Call
    from switchhook.web.render import Renderer

PATH = "/api"


class ApiPage:
    """`/api`; `document` gives the description of the whole API."""

    def __init__(self, renderer: Renderer, document: Callable[[], dict[str, Any]]) -> None:
        self._renderer, self._document = renderer, document

    def routes(self) -> list[BaseRoute]:
        return [Route(PATH, self._page, methods=["GET"], name="api-page")]

    @cached_property
    def _topics(self) -> dict[str, list[Call]]:
        return topics_of(self._document())

    def _page(self, request: Request) -> Response:
        return self._renderer.page(request, "api.html", {"topics": self._topics})
