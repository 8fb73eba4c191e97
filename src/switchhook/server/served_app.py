"""An app on a socket: answered by uvicorn, from the first one that is shown until told to leave."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAVE_S = 3
"""How long what is being answered may go on when it is told to leave."""

_HEADERS = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]


class ServedApp:
    """Answers on a socket with what is shown at the time, from the first `show` on."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._app: ASGIApp | None = None
        self._closing: Callable[[], object] = lambda: None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.left = asyncio.Event()
        """Whether we were told to leave."""

    def show(self, app: ASGIApp, closing: Callable[[], object] = lambda: None) -> None:
        """Answer with an app from now on; `closing` ends what in it never ends by itself.

        Who was told to leave before begins no more.
        """
        self._app, self._closing = app, closing
        if self._server is None and not self.left.is_set():
            self._server = _Server(
                uvicorn.Config(
                    self._answer,
                    interface="asgi3",  # a method is not known for one
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    date_header=False,
                    proxy_headers=False,
                    timeout_graceful_shutdown=LEAVE_S,
                    lifespan="off",
                    ws="none",  # nothing here is a WebSocket, and its packages take time to load
                )
            )
            self._serving = asyncio.create_task(self._server.serve(sockets=[self._sock.dup()]))
            self._serving.add_done_callback(lambda _: self.left.set())

    def leave(self) -> None:
        """Take no more requests, and end."""
        self._closing()
        if self._server is not None:
            self._server.should_exit = True
        self.left.set()

    async def end(self) -> None:
        """Wait until what is being answered has been."""
        if self._serving is not None:
            await self._serving

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None, "it serves from the first app on"
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            # It took longer than we may wait at the end: that is no fault to be traced.
            if begun:
                raise
            await send({"type": "http.response.start", "status": 503, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": b"it ends: try again\n"})


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn raises them again, which would end us with the store open."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
