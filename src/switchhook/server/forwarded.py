"""What the console of the node that leads does with requests that other nodes pass on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from switchhook.cluster.forwarding import HEADER, Asked, ForwardError, received
from switchhook.web.sign_in.request_origin import FORWARDED_BY

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

HEALTH = "/healthz"


class ForwardedApp:
    """Answers by `app`, to whom a forwarded request looks as if it had come by itself.

    But it names the node that it came by, as nothing that did is this machine's own. One without a
    proof is refused. It counts what is being answered.
    """

    def __init__(self, app: ASGIApp, key: bytes, now_ms: Callable[[], int]) -> None:
        self._app, self._key, self._now_ms = app, key, now_ms
        self._active = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._active += 1
        self._idle.clear()
        try:
            await self._answer(scope, receive, send)
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()

    async def drained(self, longest_s: float) -> None:
        """Wait until nothing is being answered, though not for ever."""
        try:
            async with asyncio.timeout(longest_s):
                await self._idle.wait()
        except TimeoutError:
            return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = forwarded_header(scope)
        if said is None:
            await self._app(scope, receive, send)
            return
        try:
            forwarded = received(said, self._key, asked_of(scope), self._now_ms())
        except ForwardError as error:
            await _say(403, str(error), send)
            return
        if scope["path"] == HEALTH:  # each node answers its own: this one asks whether we lead
            await _say(200, "this node leads", send)
            return
        headers = [each for each in scope["headers"] if each[0].lower() != HEADER]
        client = (forwarded.client, 0) if forwarded.client else None
        seen = {**scope, "headers": headers, "client": client, FORWARDED_BY: forwarded.node}
        await self._app(seen, receive, send)


def forwarded_header(scope: Scope) -> bytes | None:
    """What a node that passed a request on says; None where none did."""
    if scope["type"] != "http":
        return None
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return next((value for name, value in headers if name.lower() == HEADER), None)


def asked_of(scope: Scope) -> Asked:
    """What a request of ASGI asks for."""
    hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    target = path + b"?" + query if query else path
    return Asked(scope["method"], target, b",".join(hosts))


async def _say(status: int, said: str, send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{said}\n".encode()})
