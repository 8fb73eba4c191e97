"""How a request is refused: a page for people, the API's JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from switchhook.console.view import encode_json

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from switchhook.console.access.middleware import Refused
    from switchhook.console.render import Renderer

TITLES = {
    400: "This can't be read",
    401: "Sign in",
    403: "Not allowed",
    413: "Too much",
    429: "Wait a moment",
    503: "Not now",
}


class Refusals:
    """Answers in the place of the console."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    async def answer(self, refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the refusal; `scope` is of any request."""
        request = Request(scope, receive)
        accepts = request.headers.get("accept", "")
        if refused.status == 303:
            response = Response(status_code=303)
        elif "text/html" in accepts and not scope["path"].startswith("/api/"):
            response = self._renderer.page(
                request,
                "refused.html",
                {
                    "title": TITLES.get(refused.status, "Refused"),
                    "problem": refused.problem,
                    "hint": refused.hint,
                },
                status=refused.status,
            )
        else:
            said = {"parameter": None, "problem": refused.problem, "hint": refused.hint}
            response = Response(
                encode_json({"error": said}), refused.status, media_type="application/json"
            )
        for name, value in refused.headers.items():
            response.headers[name] = value
        await response(scope, receive, send)
