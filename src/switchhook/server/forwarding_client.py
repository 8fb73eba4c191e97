"""Passing a request on to the console of the node that leads, and its answer back, as they come.

Nothing of either is changed but what belongs to one connection, and one header is added: cookies,
Host and what proxies say are for the leader to judge. Used on one event loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from switchhook.cluster.forwarding import HEADER, Asked
from switchhook.errors import SwitchhookError
from switchhook.server.forwarded import HEALTH, asked_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from starlette.types import Message, Receive, Scope, Send

CONNECT_S, READ_S = 2.0, 60.0
_TIMES = {"connect": CONNECT_S, "pool": CONNECT_S, "read": READ_S, "write": READ_S}
_MOST, _IDLE, _IDLE_S = 500, 20, 3.0
"""Connections; idle ones go before the other side's server ends them after 5 s."""
_OF_ONE_CONNECTION = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"expect",
        HEADER,
    )
)


LOOK_S = 2.0
_LOOK_TIMES = dict.fromkeys(_TIMES, LOOK_S)
_REFUSED = 400


class UnreachableError(SwitchhookError):
    """No answer came, and none of it was sent on."""


class LeaderClient:
    """Connections to whoever leads."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        limits = httpx2.Limits(
            max_connections=_MOST, max_keepalive_connections=_IDLE, keepalive_expiry=_IDLE_S
        )
        # No client around it: that would keep cookies, follow redirects and ask the environment.
        self._transport = transport or httpx2.AsyncHTTPTransport(trust_env=False, limits=limits)

    async def close(self) -> None:
        await self._transport.aclose()

    async def forward(
        self,
        address: str,
        proof: bytes,
        scope: Scope,
        receive: Receive,
        send: Send,
        over: asyncio.Event,
    ) -> None:
        """Pass a request on to `address`, with the header's value `proof`, and the answer back.

        It ends when the asker goes, or when `over` is set: another leads. Raises UnreachableError.
        """
        body = _Body(receive)
        answer = _Answer(send)
        request = _request(address, proof, scope, body)
        work = asyncio.create_task(self._pass(request, answer))
        left, ends = asyncio.create_task(body.left()), asyncio.create_task(over.wait())
        try:
            await asyncio.wait([work, left, ends], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            elif ends.done():
                await _cancelled(work)
                await answer.cut("another node leads now")
        finally:
            await _cancelled(work, left, ends)

    async def look(self, address: str, proof: Callable[[Asked], bytes]) -> None:
        """See whether who leads answers there; `proof` is made of what is asked.

        Raises UnreachableError.
        """
        host, path = urlsplit(address).netloc.encode(), HEALTH.encode()
        headers = [(b"host", host), (HEADER, proof(Asked("GET", path, host)))]
        extensions = {"timeout": _LOOK_TIMES, "target": path}
        try:
            request = httpx2.Request("GET", address, headers=headers, extensions=extensions)
            response = await self._transport.handle_async_request(request)
            await response.aclose()
        except httpx2.HTTPError as error:
            raise UnreachableError(type(error).__name__) from error
        if response.status_code >= _REFUSED:
            raise UnreachableError(f"status {response.status_code}")

    async def _pass(self, request: httpx2.Request, answer: _Answer) -> None:
        try:
            response = await self._transport.handle_async_request(request)
        except httpx2.HTTPError as error:
            raise UnreachableError(type(error).__name__) from error
        try:
            await answer.begin(response)
            async for piece in response.aiter_raw():
                await answer.go_on(piece)
        except httpx2.HTTPError as error:
            await answer.cut(type(error).__name__)
            return
        finally:
            await response.aclose()
        await answer.end()


class _Body:
    """What is sent with a request, as it comes."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read = asyncio.Event()

    def nothing(self) -> None:
        self._read.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                break
            more = message.get("more_body", False)
            if piece := message.get("body", b""):
                yield piece
        self._read.set()

    async def left(self) -> None:
        """Wait until the asker is gone."""
        await self._read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


class _Answer:
    """The answer, as far as it was sent on."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = self._ended = self._endless = False

    async def begin(self, response: httpx2.Response) -> None:
        headers = list(_passed_on(response.headers.raw))
        self._endless = any(
            name.lower() == b"content-type" and value.startswith(b"text/event-stream")
            for name, value in headers
        )
        self._begun = True
        start: Message = {"type": "http.response.start", "status": response.status_code}
        await self._send({**start, "headers": headers})

    async def go_on(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        self._ended = True
        await self._send({"type": "http.response.body", "body": b""})

    async def cut(self, why: str) -> None:
        """It goes on no more. What never ends is ended; anything else is seen to be broken off."""
        if not self._begun:
            raise UnreachableError(why)
        if self._endless and not self._ended:
            await self.end()


def _request(address: str, proof: bytes, scope: Scope, body: _Body) -> httpx2.Request:
    headers = [*_passed_on(scope["headers"]), (HEADER, proof)]
    names = {name.lower() for name, _ in scope["headers"]}
    content: AsyncIterator[bytes] | None = None
    if b"content-length" in names or b"transfer-encoding" in names:
        content = body.pieces()
        if b"content-length" not in names:
            headers.append((b"transfer-encoding", b"chunked"))
    else:
        body.nothing()
    times = {"timeout": _TIMES, "target": asked_of(scope).target}
    return httpx2.Request(
        scope["method"], address, headers=headers, stream=_Stream(content), extensions=times
    )


class _Stream(httpx2.AsyncByteStream):
    """A request's body, if any."""

    def __init__(self, content: AsyncIterator[bytes] | None) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._content is not None:
            async for piece in self._content:
                yield piece


def _passed_on(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    """The headers that are not of one connection."""
    named = {
        part.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for part in value.split(b",")
    }
    left_out = _OF_ONE_CONNECTION | named
    return [(name, value) for name, value in headers if name.lower() not in left_out]


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Have tasks ended; what they failed by was told, or is of no use to who is gone."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
