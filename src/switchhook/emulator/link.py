"""One media connection to a bot: a real WebSocket over a checked address, or an app called here."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import picows

from switchhook.emulator.addresses import NotFoundError, RefusedError
from switchhook.emulator.go_errors import Failure, FailureKind, from_exception
from switchhook.emulator.in_process import DROP, scope_of
from switchhook.emulator.net import NetError
from switchhook.emulator.urls import host_of, without_credentials
from switchhook.emulator.web import authorization

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.emulator.addresses import Gate
    from switchhook.emulator.serving import ASGIApp, Message

LONGEST_MESSAGE = 1024 * 1024
_CLOSE_GRACE_S = 1.0
_ABNORMAL = 1006


class Listener(Protocol):
    """Who hears what comes over a link."""

    def on_text(self, text: bytes) -> None:
        """A whole text message."""

    def on_binary(self, size: int) -> None:
        """A binary message of `size` bytes, which the protocol does not know."""

    def on_closed(self, code: int, reason: str) -> None:
        """The end, exactly once; 1006 where no close frame came, 1005 for one without a code."""


class Link(Protocol):
    """An open connection."""

    def send(self, text: bytes) -> None:
        """Send a text message; never waits, and does nothing once closed."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close; the listener hears of the end."""


class Dial(Protocol):
    """Opens links."""

    async def __call__(
        self, url: str, listener: Listener, *, headers: Sequence[tuple[str, str]], limit_s: float
    ) -> Link:
        """Connect within `limit_s`, TCP, TLS and upgrade together (G-18).

        Raises NetError where that fails, and RefusedError for an address not to be dialled.
        """


def dialler(
    gate: Gate,
    *,
    apps: Mapping[str, ASGIApp] | None = None,
    outside: Callable[[], AbstractContextManager[None]] = nullcontext,
    ssl_context: ssl.SSLContext | None = None,
) -> Dial:
    """What opens links; `apps` are bots in this process, by host as URLs write it."""
    context = ssl_context or ssl.create_default_context()
    here = apps if apps is not None else {}

    async def dial(
        url: str, listener: Listener, *, headers: Sequence[tuple[str, str]] = (), limit_s: float
    ) -> Link:
        sent = [*headers, *authorization(url)]
        address = host_of(url)
        app = here.get(address)
        try:
            async with asyncio.timeout(limit_s):
                if app is not None:
                    return await _AppLink.open(app, without_credentials(url), sent, listener)
                return await _open_real(gate, url, sent, listener, outside, context, limit_s)
        except TimeoutError:
            raise NetError(Failure(FailureKind.TIMEOUT, address, "no handshake")) from None

    return dial


# Over a socket.


async def _open_real(
    gate: Gate,
    url: str,
    headers: list[tuple[str, str]],
    listener: Listener,
    outside: Callable[[], AbstractContextManager[None]],
    context: ssl.SSLContext,
    limit_s: float,
) -> Link:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    with ExitStack() as stack:
        stack.enter_context(outside())
        at = parts.netloc
        try:
            sock, at = await _connect(gate, parts.hostname or "", port)
            stack.callback(sock.close)
            _, heard = await picows.ws_connect(
                lambda: _Heard(listener),
                without_credentials(url),
                ssl_context=context if parts.scheme == "wss" else None,
                socket_factory=lambda _: sock,
                websocket_handshake_timeout=limit_s + 1,
                max_frame_size=LONGEST_MESSAGE,
                enable_auto_pong=True,
                max_redirects=0,
                extra_headers=headers,
            )
        except NotFoundError as error:
            raise NetError(Failure(FailureKind.DNS, error.host, str(error))) from None
        except picows.WSError as error:
            raise NetError(Failure(FailureKind.BAD_HANDSHAKE, at, str(error)[:200])) from None
        except OSError as error:
            raise NetError(from_exception(error, at)) from None
        # The link keeps the world's pace, and owns its socket, until it is closed.
        assert isinstance(heard, _Heard)
        heard.held = stack.pop_all()
        if heard.closed:
            heard.held.close()
        return heard


async def _connect(gate: Gate, host: str, port: int) -> tuple[socket.socket, str]:
    failure: OSError | None = None
    for address in await gate.resolve(host, port):
        family = socket.AF_INET6 if ":" in address.ip else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (address.ip, port))
        except OSError as error:
            sock.close()
            if failure is None:
                failure, first = error, str(address)
        except asyncio.CancelledError:
            sock.close()
            raise
        else:
            return sock, str(address)
    if failure is None:
        raise RefusedError(host, "it has no address", "look at its DNS records")
    raise NetError(from_exception(failure, first)) from failure


class _Heard(picows.WSListener):
    """The listener's side of picows, and the link."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: Any = None
        self._parts: list[bytes] = []
        self._parts_text = True
        self._size = 0
        self._code: int | None = None
        self._reason = ""
        self.closed = False
        self.held = ExitStack()

    def on_ws_connected(self, transport: Any) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        kind = frame.msg_type
        if kind == picows.WSMsgType.TEXT and frame.fin:
            self._listener.on_text(frame.get_payload_as_bytes())
        elif kind in (
            picows.WSMsgType.TEXT,
            picows.WSMsgType.BINARY,
            picows.WSMsgType.CONTINUATION,
        ):
            self._take_part(kind, frame)
        elif kind == picows.WSMsgType.CLOSE:
            payload = frame.get_payload_as_bytes()
            if self._code is None:
                self._code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else 1005
                self._reason = payload[2:].decode(errors="replace")
            if not transport.is_close_frame_sent:
                transport.send_close(picows.WSCloseCode.OK)
            transport.disconnect()

    def _take_part(self, kind: Any, frame: Any) -> None:
        if kind != picows.WSMsgType.CONTINUATION:
            self._parts, self._size = [], 0
            self._parts_text = kind == picows.WSMsgType.TEXT
        payload = frame.get_payload_as_bytes()
        self._parts.append(payload)
        self._size += len(payload)
        if self._size > LONGEST_MESSAGE:
            self._code, self._reason = 1009, "message too big"
            self._transport.send_close(picows.WSCloseCode.MESSAGE_TOO_BIG)
            self._transport.disconnect()
        elif frame.fin:
            whole, self._parts = b"".join(self._parts), []
            if self._parts_text:
                self._listener.on_text(whole)
            else:
                self._listener.on_binary(len(whole))

    def on_ws_disconnected(self, transport: Any) -> None:
        self.closed = True
        self.held.close()
        self._listener.on_closed(_ABNORMAL if self._code is None else self._code, self._reason)

    def send(self, text: bytes) -> None:
        if not self.closed and not self._transport.is_close_frame_sent:
            self._transport.send(picows.WSMsgType.TEXT, text)

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.closed or self._transport.is_close_frame_sent:
            return
        self._transport.send_close(picows.WSCloseCode(code), reason.encode())
        # One that does not answer the close frame is not waited for.
        loop = asyncio.get_running_loop()
        loop.call_later(_CLOSE_GRACE_S, self._transport.disconnect, False)


# In this process.


class _AppLink:
    """An ASGI app that takes WebSockets (ASGI specification, version 2.4), without a socket."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self._rejected = 403
        self._open = False
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, app: ASGIApp, url: str, headers: list[tuple[str, str]], listener: Listener
    ) -> _AppLink:
        link = cls(listener)
        scope = scope_of("websocket", url, headers, subprotocols=[])
        scope["extensions"] = {"websocket.http.response": {}}
        scope["state"][DROP] = link._drop
        link._to_app.put_nowait({"type": "websocket.connect"})
        link._task = link._loop.create_task(link._run(app, scope))
        try:
            await link._accepted
        except asyncio.CancelledError:
            link._task.cancel()
            raise
        return link

    async def _run(self, app: ASGIApp, scope: Any) -> None:
        try:
            await app(scope, self._to_app.get, self._from_app)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  a bot under test may raise anything
            self._refuse(FailureKind.EOF, f"{type(error).__name__}: {error}")
            self._end(_ABNORMAL, f"the app raised {type(error).__name__}: {error}")
        else:
            self._refuse(FailureKind.EOF, "the app returned without accepting")
            self._end(_ABNORMAL, "")

    async def _from_app(self, message: Message) -> None:
        match message["type"]:
            case "websocket.accept":
                self._open = True
                if not self._accepted.done():
                    self._accepted.set_result(None)
            case "websocket.send":
                if self._open:
                    text = message.get("text")
                    if text is not None:
                        self._listener.on_text(text.encode())
                    else:
                        self._listener.on_binary(len(message["bytes"]))
            case "websocket.close":
                self._refuse(FailureKind.BAD_HANDSHAKE, "403")
                self._end(message.get("code") or 1000, message.get("reason") or "")
            case "websocket.http.response.start":
                self._refuse(FailureKind.BAD_HANDSHAKE, str(message["status"]))
            case _:
                pass
        await asyncio.sleep(0)

    def _refuse(self, kind: FailureKind, detail: str) -> None:
        if not self._accepted.done():
            self._accepted.set_exception(NetError(Failure(kind, None, detail)))

    def _drop(self) -> None:
        self._refuse(FailureKind.EOF, "dropped")
        self._end(_ABNORMAL, "")

    def _end(self, code: int, reason: str) -> None:
        if self._open:
            self._open = False
            self._to_app.put_nowait({"type": "websocket.disconnect", "code": code})
            self._listener.on_closed(code, reason)

    def send(self, text: bytes) -> None:
        if self._open:
            self._to_app.put_nowait({"type": "websocket.receive", "text": text.decode()})

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._end(code, reason)
