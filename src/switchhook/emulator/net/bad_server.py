"""Servers that misbehave, to aim a passthru or a dynamic URL at.

What servers of passthrus and of dynamic URLs can do wrong: exotel-platform A.2, F.1, C.6.

| Path | What it does |
| --- | --- |
| `/NNN` | answers with status NNN, 200 to 599; a redirect (301, 303, 307, 308) leads to itself |
| `/slow?seconds=6` | answers 200, late |
| `/hang` | takes the request and never answers |
| `/endless` | answers 200, and its body never ends |
| `/trickle?seconds=1` | answers 200; its body comes byte by byte, `seconds` apart, without end |
| `/close` | ends the connection without an answer |
| `/select?branch=X` | answers 200 with `{"select": "X"}`, for a SwitchCase |
| `/dynamic-url?url=U` | answers 200 with `{"url": "U"}`, as a dynamic URL should |
| `/dynamic-slow?seconds=6&url=U` | the same, late |
| `/dynamic-twiml?url=U` | answers with TwiML, as Twilio would want it |
| `/dynamic-text?url=U` | answers with the bare URL |

Parameters that a path doesn't know are passed over: Exotel appends its own.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import msgspec

from switchhook.emulator.net.asgi import DROP
from switchhook.emulator.net.certificates import self_signed, server_context
from switchhook.emulator.net.serving import Served, serving
from switchhook.exotel.wire.query import parse_pairs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from switchhook.emulator.net.asgi import ASGIApp, Receive, Scope, Send

    Handler = Callable[["_Request"], Awaitable[None]]

LATE_S = 6.0
"""How late the slow ones are unless told: later than any limit (exotel-platform G-3)."""

_LONGEST_S = 86_400.0
_TEXT, _JSON, _XML = b"text/plain; charset=utf-8", b"application/json", b"application/xml"
_SELF_REDIRECTS = {301, 303, 307, 308}
_WITHOUT_BODY = {204, 205, 304}
_STATUSES = {f"/{status}": status for status in range(200, 600)}
_PIECE = b"endless " * 2048
_PIECES_APART_S = 0.001  # time has to pass between them, also on a virtual clock


class _ParameterError(ValueError):
    """A parameter that is missing or can't be used; the message says which."""


class _Request:
    """One request: its parameters, and the ways to answer it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self._query: dict[str, str] = {}
        for key, value in parse_pairs(scope["query_string"], []):
            self._query.setdefault(key, value)  # the operator's come before those of Exotel

    def text(self, name: str) -> str:
        """A parameter that has to be there."""
        if name not in self._query:
            raise _ParameterError(f"parameter {name!r} is missing")
        return self._query[name]

    def seconds(self, default: float) -> float:
        """The parameter `seconds`."""
        text = self._query.get("seconds")
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= _LONGEST_S:
            raise _ParameterError(f"parameter 'seconds' must be 0 to {_LONGEST_S:.0f}")
        return value

    async def start(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        """Send status and headers."""
        await self._send(
            {"type": "http.response.start", "status": status, "headers": list(headers)}
        )

    async def more(self, piece: bytes) -> None:
        """Send some of a body that goes on."""
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def answer(
        self, status: int, body: bytes, kind: bytes = _TEXT, *headers: tuple[bytes, bytes]
    ) -> None:
        """Send a whole answer."""
        length = (b"content-length", str(len(body)).encode())
        described = () if status in _WITHOUT_BODY else ((b"content-type", kind), length)
        await self.start(status, *described, *headers)
        await self._send({"type": "http.response.body", "body": body})

    async def wait(self, seconds: float | None) -> bool:
        """Let time pass, for ever if None; False as soon as the client has gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
                return False
        return True


async def _status(request: _Request, status: int) -> None:
    body = b"" if status in _WITHOUT_BODY else f"{status}\n".encode()
    if status in _SELF_REDIRECTS:
        await request.answer(status, body, _TEXT, (b"location", _own_address(request.scope)))
    else:
        await request.answer(status, body)


def _own_address(scope: Scope) -> bytes:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


async def _slow(request: _Request) -> None:
    if await request.wait(request.seconds(LATE_S)):
        await request.answer(200, b"late\n")


async def _hang(request: _Request) -> None:
    await request.wait(None)


async def _endless(request: _Request) -> None:
    await request.start(200, (b"content-type", _TEXT))
    while await request.wait(_PIECES_APART_S):
        await request.more(_PIECE)


async def _trickle(request: _Request) -> None:
    apart = max(request.seconds(1.0), _PIECES_APART_S)
    await request.start(200, (b"content-type", _TEXT))
    while await request.wait(apart):
        await request.more(b".")


async def _close(request: _Request) -> None:
    drop = request.scope.get("state", {}).get(DROP)
    if drop is not None:
        drop()
        await request.wait(None)  # a server may answer for an app that returns too soon


async def _select(request: _Request) -> None:
    body = msgspec.json.encode({"select": request.text("branch")})
    await request.answer(200, body, _TEXT)  # exotel-platform A.1: JSON, but as plain text


async def _dynamic_url(request: _Request) -> None:
    await request.answer(200, msgspec.json.encode({"url": request.text("url")}), _JSON)


async def _dynamic_slow(request: _Request) -> None:
    if await request.wait(request.seconds(LATE_S)):
        await _dynamic_url(request)


async def _dynamic_twiml(request: _Request) -> None:
    stream = f"<Stream url={quoteattr(request.text('url'))}/>"
    body = f'<?xml version="1.0"?><Response><Connect>{stream}</Connect></Response>'
    await request.answer(200, body.encode(), _XML)


async def _dynamic_text(request: _Request) -> None:
    await request.answer(200, request.text("url").encode(), _TEXT)


_PATHS: dict[str, Handler] = {
    "/slow": _slow,
    "/hang": _hang,
    "/endless": _endless,
    "/trickle": _trickle,
    "/close": _close,
    "/select": _select,
    "/dynamic-url": _dynamic_url,
    "/dynamic-slow": _dynamic_slow,
    "/dynamic-twiml": _dynamic_twiml,
    "/dynamic-text": _dynamic_text,
}

PATHS = ("/NNN", *_PATHS)
"""Every path there is; NNN stands for a status."""


def make_bad_server() -> ASGIApp:
    """The app of the table above, for `serving`, whose `DROP` its `/close` needs.

    Called in-process, `/close` returns without an answer, and is to be taken for a connection
    that has ended. An unknown path is answered 404, a wrong parameter 400; both say what is known.
    """

    async def bad_server(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"the bad server speaks HTTP only, not {scope['type']}")
        request = _Request(scope, receive, send)
        path: str = scope["path"]
        try:
            if path in _PATHS:
                await _PATHS[path](request)
            elif path in _STATUSES:
                await _status(request, _STATUSES[path])
            else:
                await request.answer(404, f"no such path; there are {', '.join(PATHS)}\n".encode())
        except _ParameterError as error:
            await request.answer(400, f"{path}: {error}\n".encode())

    return bad_server


@contextmanager
def closed_port(host: str = "127.0.0.1") -> Iterator[tuple[str, int]]:
    """A host and a port that refuse every connection until the block is left.

    The port is bound, so that nobody else can come to listen there, but not listened on.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as held:
        held.bind((host, 0))
        yield host, held.getsockname()[1]


@asynccontextmanager
async def untrusted(
    app: ASGIApp | None = None, *, host: str = "127.0.0.1", expired: bool = False
) -> AsyncIterator[Served]:
    """Serve an app (without one, the bad server) by https and wss, self-signed.

    The certificate names `localhost` and `host`. It is valid for longer than this program will
    live, or was for the year 2020.
    """
    end = datetime(2021 if expired else 2100, 1, 1, tzinfo=UTC)
    pair = self_signed(
        ["localhost", host], not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=end
    )
    context = server_context(*pair)
    async with serving(app or make_bad_server(), host=host, ssl_context=context) as served:
        yield served
