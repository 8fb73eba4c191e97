"""Asks an ASGI app in this process, in an event loop of its own for each request.

What starlette's `TestClient` does, without its thread and its way to it: these took longer than
most pages. It is for requests that end; a feed has to be asked by a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import httpx2
from starlette.types import ASGIApp

Message = MutableMapping[str, Any]


class Client(httpx2.Client):
    """Asks `app` as `client`, an address and a port; what the app raises it raises, too."""

    def __init__(
        self,
        app: ASGIApp,
        base_url: str = "http://testserver",
        *,
        client: tuple[str, int] = ("testclient", 50_000),
        raise_server_exceptions: bool = True,
        follow_redirects: bool = True,
        **more: Any,
    ) -> None:
        self.app = app
        transport = _InProcess(app, client, raises=raise_server_exceptions)
        super().__init__(
            transport=transport, base_url=base_url, follow_redirects=follow_redirects, **more
        )


class _InProcess(httpx2.BaseTransport):
    def __init__(self, app: ASGIApp, client: tuple[str, int], *, raises: bool) -> None:
        self._app, self._client, self._raises = app, client, raises

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return asyncio.run(self._answer(request, request.read()))

    async def _answer(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        answered = asyncio.Event()
        asked = [{"type": "http.request", "body": body, "more_body": False}]
        said: list[Message] = []

        async def receive() -> Message:
            if asked:
                return asked.pop()
            await answered.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            said.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.set()

        try:
            await self._app(self._scope(request), receive, send)
        except Exception:
            if self._raises:
                raise
        if not said:
            return httpx2.Response(500)
        begin, *parts = said
        shown = () if request.method == "HEAD" else parts
        content = b"".join(each.get("body", b"") for each in shown)
        return httpx2.Response(begin["status"], headers=begin.get("headers", ()), content=content)

    def _scope(self, request: httpx2.Request) -> dict[str, Any]:
        url = request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "server": (url.host, url.port or {"http": 80, "https": 443}[url.scheme]),
            "client": self._client,
            "root_path": "",
        }
