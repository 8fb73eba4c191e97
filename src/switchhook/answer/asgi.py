"""The answer side as an ASGI app, for servers and applications that are there already.

It answers, decides and keeps just as the real server does. What that server's own protocol class
adds, it can't: bounded heads, slow and endless connections, and what the embedding server's HTTP
parser refuses by itself are that server's business.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from switchhook.answer.http.messages import (
    BODY_BROKEN_OFF,
    BODY_LATE,
    BODY_TOO_LONG,
    FAILED,
    Answer,
    Head,
    LongBody,
)
from switchhook.errors import SwitchhookError
from switchhook.exotel.wire.request import LONGEST_BODY
from switchhook.loopback import added_by_proxy
from switchhook.system.request_mark import HEADER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from switchhook.answer.http.messages import Handler

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger("switchhook.answer")

BODY_TIME_S = 2.0


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
            try:
                handler = self._handler or await self._ready()
            except Exception as error:  # noqa: BLE001 - whatever it is, a caller waits
                await _send(send, _unopened(error), scope["method"])
            else:
                await self._answer(handler, scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._ready()
        except SwitchhookError as error:
            # An exception would tell the server that this app knows of no lifespan.
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
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
        try:
            token = handler.admit(head)
        except Exception as error:  # noqa: BLE001 - as below
            token = _failed("admitting", error)
        if isinstance(token, Answer):
            await _send(send, token, head.method)
            return
        body, problem = b"", None
        if head.method not in ("GET", "HEAD"):
            body, problem = await _body(receive, _bounds(token))
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def reply(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        try:
            handler.answer(head, token, body, problem, reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, a caller waits
            reply(_failed("answering", error))
        await _send(send, await answered, head.method)


def _unopened(error: Exception) -> Answer:
    """Say all of what is wrong: no request has a part in it."""
    said = isinstance(error, SwitchhookError)
    log.error("not open: %s; answered 302", error if said else f"{type(error).__name__}: {error}")
    return FAILED


def _failed(what: str, error: Exception) -> Answer:
    """Say what kind of error it was, not its message, which may quote the request."""
    log.error("%s raised %s; answered 302", what, type(error).__name__)
    return FAILED


def _head(scope: Scope) -> Head:
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers[name] = headers[name] + b", " + value if name in headers else value
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    # Where the app is mounted below a path, only what follows is ours.
    path = _below(raw_path.partition(b"?")[0], scope.get("root_path", "").encode())
    client = scope.get("client")

    def text(name: bytes) -> str | None:
        value = headers.get(name)
        return None if value is None else value.decode("latin-1")

    return Head(
        method=scope["method"],
        path=path,
        query=bytes(scope["query_string"]),  # some servers have a bytearray
        content_type=text(b"content-type"),
        authorization=text(b"authorization"),
        host=text(b"host"),
        forwarded_for=text(b"x-forwarded-for"),
        forwarded=any(map(added_by_proxy, headers)) or scope.get("http_version") == "1.0",
        peer=client[0] if client else "",
        mark=text(HEADER.lower().encode()),
    )


def _below(path: bytes, root: bytes) -> bytes:
    """What follows `root`, which is decoded, in a path, whose escapes stay as they are."""
    if b"%" not in root and path.startswith(root):
        return path[len(root) :]
    end = 0
    for byte in root:
        if path[end : end + 1] == b"%" and unquote_to_bytes(path[end : end + 3]) == bytes([byte]):
            end += 3
        elif path[end : end + 1] == bytes([byte]):
            end += 1
        else:
            return path
    return path[end:]


def _bounds(token: object) -> LongBody:
    if isinstance(token, LongBody):
        return token
    return LongBody(LONGEST_BODY, LONGEST_BODY, BODY_TIME_S)


async def _body(receive: Receive, bounds: LongBody) -> tuple[bytes, str | None]:
    """What arrives in time, up to the longest that is read; of that, what is kept."""
    parts: list[bytes] = []
    size = kept = 0
    problem: str | None = BODY_TOO_LONG
    try:
        async with asyncio.timeout(bounds.read_time):
            while size <= bounds.read_bytes:
                message = await receive()
                if message["type"] == "http.disconnect":
                    problem = BODY_BROKEN_OFF
                    break
                part = message.get("body", b"")
                size += len(part)
                if kept <= bounds.kept_bytes:
                    parts.append(part)
                    kept += len(part)
                if not message.get("more_body", False):
                    problem = None if size <= bounds.read_bytes else BODY_TOO_LONG
                    break
    except TimeoutError:
        problem = BODY_LATE
    return b"".join(parts)[: bounds.read_bytes], problem


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
