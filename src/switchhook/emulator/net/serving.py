"""An ASGI app on a real socket, inside the event loop that runs already.

uvicorn's protocol classes do the work. Its `Server` doesn't: that one takes over the process's
signals, looks ten times a second whether it has to end, and ends no sooner than a tenth of a
second later. Here nothing runs between requests.

Times are the loop's: keep-alive (5 s), the TLS handshake (60 s) and the end's grace. On a loop
whose time jumps, whoever dials must keep it at the world's pace meanwhile (`Clock.outside`), or a
handshake may be over before it began. uvicorn itself reads the wall clock in one place only: the
Date header of a refused WebSocket handshake.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec
import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState
from websockets.exceptions import InvalidState

from switchhook.emulator.net.asgi import DROP, WRITE

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from switchhook.emulator.net.asgi import ASGIApp, Receive, Scope, Send

GRACE_S = 0.5
"""How long open connections may take to end, when their server does."""


class Served(msgspec.Struct, frozen=True):
    """Where an app listens: `url` without a slash at its end, and the port in it."""

    url: str
    port: int

    @property
    def ws_url(self) -> str:
        """The same for WebSockets: `ws://…` or `wss://…`."""
        return "ws" + self.url.removeprefix("http")


class _App:
    """The app, whose requests can be ended without uvicorn telling of a crash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self.ending:
                raise
        if scope["type"] == "websocket" and scope["state"][DROP].dropped:
            # Else uvicorn would tell of an app that forgot the handshake.
            raise ClientDisconnected


class _Drop:
    """Cuts a connection."""

    def __init__(self) -> None:
        self.dropped = False
        self.protocol: Any = None

    def __call__(self) -> None:
        self.dropped = True
        self.protocol.transport.abort()


@asynccontextmanager
async def serving(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ssl_context: ssl.SSLContext | None = None,
    ws: bool = True,
    lifespan: bool = False,
) -> AsyncIterator[Served]:
    """Serve an app until the block is left; it can be dialled as soon as it is entered.

    Port 0 takes a free one. With `lifespan` the app is told of start and end, as ASGI has it; one
    that fails to start raises RuntimeError. `scope["state"][DROP]` cuts a connection. At the end
    WebSockets are closed with 1012; what takes longer than `GRACE_S` is cut off. Raises OSError
    where the address can't be had.
    """
    guarded = _App(app)
    config = _config(guarded, ws=ws, lifespan=lifespan)
    life = config.lifespan_class(config)
    await life.startup()
    if life.should_exit:
        raise RuntimeError("the app failed to start")
    state = ServerState()
    try:
        sock = _bound(host, port)
        server = await asyncio.get_running_loop().create_server(
            lambda: _connection(config, state, life.state),
            sock=sock,
            ssl=ssl_context,
            backlog=config.backlog,
        )
        try:
            yield _served(host, sock.getsockname()[1], "http" if ssl_context is None else "https")
        finally:
            server.close()
            guarded.ending = True
            await _end(state)
    finally:
        await life.shutdown()


def _config(app: _App, *, ws: bool, lifespan: bool) -> uvicorn.Config:
    """What uvicorn's protocol classes are told, loaded."""
    config = uvicorn.Config(
        app,
        interface="asgi3",
        ws="websockets-sansio" if ws else "none",
        ws_ping_interval=None,  # pings would wake a loop in which nothing else happens
        ws_per_message_deflate=False,
        lifespan="on" if lifespan else "off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    config.load()
    return config


def _connection(
    config: uvicorn.Config, state: ServerState, app_state: dict[str, Any]
) -> asyncio.Protocol:
    """What serves one connection, which the app can drop."""
    drop = _Drop()
    shared = {**app_state, DROP: drop}
    made: Any = config.http_protocol_class(  # type: ignore[call-arg]
        config=config, server_state=state, app_state=shared
    )
    drop.protocol = made

    def write(data: bytes) -> None:
        if not made.transport.is_closing():
            made.transport.write(data)

    shared[WRITE] = write
    protocol: asyncio.Protocol = made
    return protocol


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _served(host: str, port: int, scheme: str) -> Served:
    return Served(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}", port)


async def _end(state: ServerState) -> None:
    """Ask every connection to end, and cut off those that don't."""
    for connection in list(state.connections):
        with suppress(InvalidState):  # a WebSocket whose close is on its way already
            connection.shutdown()
    if state.tasks:
        await asyncio.wait(set(state.tasks), timeout=GRACE_S)
    # Cut before cancelling: uvicorn answers 500 for a cancelled request that is still connected.
    while state.connections:  # each is gone within a few turns of the loop
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
    tasks = set(state.tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
