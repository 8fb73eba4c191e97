"""How a request is refused: a page for people, the API's JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from switchhook.web.endpoint import json_response

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from switchhook.web.render import Renderer

TITLES = {
    400: "This can't be taken",
    401: "Sign in",
    403: "Not allowed",
    404: "Not here",
    405: "Not so",
    409: "Not as it is now",
    413: "Too much",
    429: "Wait a moment",
    500: "Something went wrong",
    503: "Not now",
}
_FOR_PEOPLE = {
    404: ("there is no page at this address", "what it showed may not be kept any more"),
    500: (
        "the console met a fault of its own; its log says which",
        "receipts are answered and kept all the same",
    ),
}
"""What a page says in the place of words that are meant for programs, or of none."""


class RefusedRequest(Exception):  # noqa: N818 - it is answered, never an error
    """A request that is not let through: status, what is wrong, what to do."""

    def __init__(self, status: int, problem: str, hint: str = "", **headers: str) -> None:
        self.status, self.problem, self.hint, self.headers = status, problem, hint, headers
        super().__init__(problem)


class Refusals:
    """Answers in the place of the console."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    async def answer(
        self, refused: RefusedRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Send the refusal; `scope` is of any request."""
        request = Request(scope, receive)
        if refused.status == 303:
            response = Response(status_code=303)
        elif _is_for_people(request):
            response = self._page(request, refused.status, refused.problem, refused.hint)
        else:
            said = {"parameter": None, "problem": refused.problem, "hint": refused.hint}
            response = json_response({"error": said}, refused.status)
        for name, value in refused.headers.items():
            response.headers[name] = value
        await response(scope, receive, send)

    def as_pages(self, scope: Scope, send: Send) -> Send:
        """Where the console itself refuses with the API's JSON: the same as a page for people."""
        request = Request(scope)
        if not _is_for_people(request):
            return send
        start: Message = {}
        body = b""

        async def sending(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_refusal(message):
                start = message
            elif not start:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    await self._retold(request, start, body, send)

        return sending

    async def _retold(self, request: Request, start: Message, body: bytes, send: Send) -> None:
        try:
            if start["status"] in _FOR_PEOPLE:
                said = _Said(*_FOR_PEOPLE[start["status"]])
            else:
                said = msgspec.json.decode(body, type=_Refusal).error
        except msgspec.MsgspecError:  # another kind of JSON
            await send(start)
            await send({"type": "http.response.body", "body": body})
            return
        response = self._page(request, start["status"], said.problem, said.hint)
        kept = (b"retry-after", b"allow")
        more = [each for each in start.get("headers", ()) if each[0].lower() in kept]
        headers = [*response.raw_headers, *more]
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    def _page(self, request: Request, status: int, problem: str, hint: str) -> Response:
        context = {"title": TITLES.get(status, "Refused"), "problem": problem, "hint": hint}
        return self._renderer.page(request, "refused.html", context, status=status)


class _Said(msgspec.Struct):
    problem: str
    hint: str = ""


class _Refusal(msgspec.Struct):
    error: _Said


def _is_for_people(request: Request) -> bool:
    accepts = request.headers.get("accept", "")
    return "text/html" in accepts and not request.url.path.startswith("/api/")


def _is_refusal(start: Message) -> bool:
    kinds = [value for name, value in start.get("headers", ()) if name.lower() == b"content-type"]
    return start["status"] == 500 or (start["status"] >= 400 and kinds[:1] == [b"application/json"])
