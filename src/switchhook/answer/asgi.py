"""The answer side as an ASGI app, for servers and applications that are there already.

It answers, decides and keeps just as the real server does. What that server's own protocol class
adds, it can't: bounded heads, slow and endless connections, and what the embedding server's HTTP
parser refuses by itself are that server's business.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from switchhook.answer.http import BODY_LATE, BODY_TOO_LONG, Answer, Head
from switchhook.wire.request import LONGEST_BODY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from switchhook.answer.http import Handler

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_TIME_S = 2.0
_FORWARDING = (
    b"forwarded",
    b"via",
    b"x-real-ip",
    b"cf-connecting-ip",
    b"true-client-ip",
)


class AnswerApp:
    """`(scope, receive, send)` over a handler that `open_handler` makes on the first use."""

    def __init__(
        self,
        open_handler: Callable[[], Awaitable[Handler]],
        close_handler: Callable[[], Awaitable[None]],
    ) -> None:
        self._open, self._close = open_handler, close_handler
        self._handler: Handler | None = None
        self._opening: asyncio.Lock | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the embedding server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(await self._ready(), scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._ready()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def aclose(self) -> None:
        """Flush and close the journal; for those who mount the app without its lifespan."""
        if self._handler is not None:
            self._handler = None
            await self._close()

    async def _ready(self) -> Handler:
        # Mounted apps get no lifespan event from Starlette, so the first request may open it.
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._handler is None:
                self._handler = await self._open()
            return self._handler

    async def _answer(self, handler: Handler, scope: Scope, receive: Receive, send: Send) -> None:
        head = _head(scope)
        token = handler.admit(head)
        if isinstance(token, Answer):
            await _send(send, token, head.method)
            return
        body, problem = b"", None
        if head.method not in ("GET", "HEAD"):
            body, problem = await _body(receive)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def reply(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        handler.answer(head, token, body, problem, reply)
        await _send(send, await answered, head.method)


def _head(scope: Scope) -> Head:
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers[name] = headers[name] + b", " + value if name in headers else value
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    # Where the app is mounted below a path, only what follows is ours.
    root: bytes = scope.get("root_path", "").encode()
    path = raw_path.partition(b"?")[0]
    client = scope.get("client")

    def text(name: bytes) -> str | None:
        value = headers.get(name)
        return None if value is None else value.decode("latin-1")

    return Head(
        method=scope["method"],
        path=path[len(root) :] if root and path.startswith(root) else path,
        query=scope["query_string"],
        content_type=text(b"content-type"),
        authorization=text(b"authorization"),
        host=text(b"host"),
        forwarded_for=text(b"x-forwarded-for") or text(b"forwarded"),
        forwarded=any(n in _FORWARDING or n.startswith(b"x-forwarded-") for n in headers),
        peer=client[0] if client else "",
    )


async def _body(receive: Receive) -> tuple[bytes, str | None]:
    """What arrives in time, up to the longest that is understood."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIME_S):
            while size <= LONGEST_BODY:
                message = await receive()
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return b"".join(parts), None
    except TimeoutError:
        return b"".join(parts), BODY_LATE
    return b"".join(parts)[:LONGEST_BODY], BODY_TOO_LONG


async def _send(send: Send, answer: Answer, method: str) -> None:
    headers = [
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if answer.body:
        headers.append((b"content-type", answer.content_type.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if method == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})
