"""A media connection over a socket: a checked address, the handshake, then WebSocket frames."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import TYPE_CHECKING, Any

import picows

from switchhook.emulator.net.addresses import NotFoundError
from switchhook.emulator.net.go_errors import Failure, FailureKind, from_exception
from switchhook.emulator.net.media_link import (
    ABNORMAL,
    INTERNAL,
    LONGEST_BACKLOG,
    LONGEST_MESSAGE,
    NO_CODE,
    PROTOCOL_ERROR,
    READS_NOTHING,
    TOO_BIG,
)
from switchhook.emulator.net.results import NetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.emulator.net.addresses import AddressAllowList
    from switchhook.emulator.net.http_client import Destination
    from switchhook.emulator.net.media_link import Listener, MediaLink

_CLOSE_GRACE_S = 1.0
_LONGEST_REASON = 123  # RFC 6455, 5.5: 125 bytes with the code

# What a bot does wrong is told to the listener; picows' own words would be noise on a terminal.
_QUIET = logging.Logger("switchhook.emulator.link", logging.CRITICAL + 1)


class WebSocketDial:
    """One try to open a link; `dialling` is the address that has not accepted yet."""

    def __init__(self, allow_list: AddressAllowList, place: Destination) -> None:
        self._allow_list, self._place = allow_list, place
        self.dialling: str | None = None

    async def open(
        self,
        headers: list[tuple[str, str]],
        listener: Listener,
        outside: Callable[[], AbstractContextManager[None]],
        context: ssl.SSLContext | None,
    ) -> MediaLink:
        """Dial and upgrade, by TLS with a `context`.

        The listener hears nothing before whoever dials has the link.
        """
        with ExitStack() as stack:
            stack.enter_context(outside())
            sock, at = await self._connect()
            heard = await self._upgrade(sock, at, headers, context)
            # The link keeps the world's pace until it is closed.
            heard.held = stack.pop_all()
            # Not before whoever dials has the link in hand.
            asyncio.get_running_loop().call_soon(heard.begin, listener)
            if heard.closed:
                heard.held.close()
            return heard

    async def _connect(self) -> tuple[socket.socket, str]:
        """Dial the addresses that may be, in turn; the first failure is told."""
        first: NetError | None = None
        place, loop = self._place, asyncio.get_running_loop()
        try:
            addresses = await self._allow_list.resolve(place.host, place.port)
        except NotFoundError as error:
            raise NetError(Failure(FailureKind.DNS, error.host, str(error))) from None
        for address in addresses:
            self.dialling = at = str(address)
            family = socket.AF_INET6 if ":" in address.ip else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            with ExitStack() as failing:
                failing.callback(sock.close)
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    await loop.sock_connect(sock, (address.ip, address.port))
                except OSError as error:
                    first = first or NetError(from_exception(error, at))
                    continue
                failing.pop_all()
            self.dialling = None
            return sock, at
        assert first is not None, "the allow-list gives an address or raises"
        raise first

    async def _upgrade(
        self,
        sock: socket.socket,
        at: str,
        headers: list[tuple[str, str]],
        context: ssl.SSLContext | None,
    ) -> _WebSocketLink:
        """The WebSocket handshake; `sock` is a transport's from here on, which closes it."""
        work = asyncio.ensure_future(self._handshake(sock, at, headers, context))
        try:
            heard = await asyncio.shield(work)
        except asyncio.CancelledError:
            # picows would leave the transport open. Cut off, it ends, and `work` with it.
            _sever(sock)
            with suppress(TimeoutError, OSError, picows.WSError):
                await asyncio.wait_for(work, _CLOSE_GRACE_S)
            raise
        except picows.WSError as error:
            raise NetError(_refused(error, at)) from None
        except OSError as error:
            raise NetError(from_exception(error, at)) from None
        if heard is None:
            raise NetError(Failure(FailureKind.EOF, at, "closed without an answer"))
        return heard

    async def _handshake(
        self,
        sock: socket.socket,
        at: str,
        headers: list[tuple[str, str]],
        context: ssl.SSLContext | None,
    ) -> _WebSocketLink | None:
        """The upgrade as picows does it; None where the bot closes without an answer."""
        place = self._place
        # The address in the URL, the name beside it: picows would dial again what the bot has cut
        # by then, and must not look the name up once more.
        url = f"{place.scheme}://{at}{place.target}"
        _, heard = await picows.ws_connect(
            _WebSocketLink,
            url,
            ssl_context=context,
            socket_factory=lambda _: sock,
            websocket_handshake_timeout=None,  # `dial` has the limit
            max_frame_size=LONGEST_MESSAGE,
            enable_auto_pong=True,
            max_redirects=0,
            extra_headers=[("Host", place.authority), *headers],
            logger_name=_QUIET,
            server_hostname=place.host if place.secure else None,
            use_aiofastnet=False,  # it reports every broken TLS handshake as an error of ours
        )
        assert heard is None or isinstance(heard, _WebSocketLink)
        return heard


def _sever(sock: socket.socket) -> None:
    """End a connection that a transport has by now.

    The transport sees the end and closes the socket itself. Closed under it, the socket's number
    would be given to the next call's, whose dial fails then.
    """
    with suppress(OSError):  # it is closed already
        sock.shutdown(socket.SHUT_RDWR)


def _refused(error: picows.WSError, address: str) -> Failure:
    """A handshake that came to nothing: with the HTTP status, where there was one."""
    response = error.response if isinstance(error, picows.WSHandshakeError) else None
    if response is None:
        return Failure(FailureKind.BAD_HANDSHAKE, address, str(error)[:200])
    status, location = int(response.status), str(response.headers.get("Location", ""))[:200]
    detail = f"HTTP status {status}"
    return Failure(FailureKind.BAD_HANDSHAKE, address, detail, status, location)


class _Early:
    """Listens until the link is in the hands of whoever dialled, and remembers."""

    def __init__(self) -> None:
        self._heard: list[Callable[[Listener], None]] = []

    def on_text(self, text: bytes) -> None:
        self._heard.append(lambda listener: listener.on_text(text))

    def on_binary(self, size: int) -> None:
        self._heard.append(lambda listener: listener.on_binary(size))

    def on_closed(self, code: int, reason: str) -> None:
        self._heard.append(lambda listener: listener.on_closed(code, reason))

    def tell(self, listener: Listener) -> None:
        for each in self._heard:
            each(listener)


class _WebSocketLink(picows.WSListener):
    """The listener's side of picows, and the link."""

    def __init__(self) -> None:
        self._early = _Early()
        self._listener: Listener = self._early
        self._transport: Any = None
        self._under: Any = None
        self._parts: list[bytes] = []
        self._parts_text: bool | None = None  # None outside a message in parts
        self._size = 0
        self._end: tuple[int, str] | None = None
        self._closing = False
        self._grace: asyncio.TimerHandle | None = None
        self.closed = False
        self.held = ExitStack()

    def begin(self, listener: Listener) -> None:
        """Tell the listener what has come by now, and from now on at once."""
        self._listener = listener
        with ExitStack() as failing:
            failing.callback(self.close, INTERNAL)
            self._early.tell(listener)
            failing.pop_all()

    # What picows calls.

    def on_ws_connected(self, transport: Any) -> None:
        self._transport, self._under = transport, transport.underlying_transport
        self._watch = asyncio.ensure_future(transport.wait_disconnected())
        self._watch.add_done_callback(_report)

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        if self._end is not None:
            return
        kind = frame.msg_type
        if kind == picows.WSMsgType.TEXT and frame.fin:
            self._listener.on_text(frame.get_payload_as_bytes())
        elif kind in _DATA:
            self._take_part(kind, frame)
        elif kind == picows.WSMsgType.CLOSE:
            payload = frame.get_payload_as_bytes()
            code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else NO_CODE
            self._end = code, payload[2:].decode(errors="replace")
            if not self._closing:
                transport.send_close(picows.WSCloseCode.OK)
            transport.disconnect()

    def on_ws_disconnected(self, transport: Any) -> None:
        self.closed = True
        self.held.close()
        if self._grace is not None:
            self._grace.cancel()
        handshake = transport.close_handshake
        if self._end is None and handshake is not None and handshake.sent and not self._closing:
            # A frame that broke the protocol, or was too long: picows has closed by itself.
            self._end = int(handshake.sent.code), handshake.sent.reason
        code, reason = self._end or (ABNORMAL, "")
        self._listener.on_closed(code, reason)

    def _take_part(self, kind: Any, frame: Any) -> None:
        """A binary message, or a part of one (RFC 6455, 5.4)."""
        if kind != picows.WSMsgType.CONTINUATION:
            self._parts, self._size = [], 0
            self._parts_text = kind == picows.WSMsgType.TEXT
        elif self._parts_text is None:
            self._cut(PROTOCOL_ERROR, "a continuation of nothing")
            return
        self._size += frame.payload_size
        if self._size > LONGEST_MESSAGE:
            self._cut(TOO_BIG, "message too big")
            return
        if self._parts_text:
            self._parts.append(frame.get_payload_as_bytes())
        if frame.fin:
            text, self._parts_text = self._parts_text, None
            if text:
                self._listener.on_text(b"".join(self._parts))
            else:
                self._listener.on_binary(self._size)
            self._parts = []

    def _cut(self, code: int, reason: str) -> None:
        self._end = code, reason
        self._transport.send_close(code, reason.encode())
        self._transport.disconnect()

    # What whoever dialled calls.

    @property
    def backlog(self) -> int:
        return 0 if self.closed else int(self._under.get_write_buffer_size())

    def send(self, text: bytes) -> None:
        if self.closed or self._closing or self._end is not None:
            return
        self._transport.send(picows.WSMsgType.TEXT, text)
        if self._under.get_write_buffer_size() > LONGEST_BACKLOG:
            self._end = ABNORMAL, READS_NOTHING
            self._transport.disconnect(False)

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.closed or self._closing or self._end is not None:
            return
        self._closing = True
        self._transport.send_close(code, _clipped(reason))
        # One that does not answer the close frame is not waited for.
        loop = asyncio.get_running_loop()
        self._grace = loop.call_later(_CLOSE_GRACE_S, self._transport.disconnect, False)


_DATA = (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION)


def _clipped(reason: str) -> bytes:
    return reason.encode()[:_LONGEST_REASON].decode(errors="ignore").encode()


def _report(watch: asyncio.Future[None]) -> None:
    """Pass on what a listener raised: picows only logs it. Of the bot's breaches it has heard."""
    error = None if watch.cancelled() else watch.exception()
    if error is not None and not isinstance(error, picows.WSError):
        watch.get_loop().call_exception_handler(
            {"message": "the listener of a link raised", "exception": error}
        )
