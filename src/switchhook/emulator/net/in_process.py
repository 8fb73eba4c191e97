"""Peers in this process: ASGI and WSGI apps called directly, with no socket between.

So a run repeats byte for byte, and a test needs no port.
"""

from __future__ import annotations

import asyncio
import io
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from switchhook.emulator.net.asgi import DROP
from switchhook.emulator.net.go_errors import Failure, FailureKind
from switchhook.emulator.net.results import NetError, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from switchhook.emulator.net.asgi import ASGIApp, Message, Receive, Scope, Send


def scope_of(kind: str, url: str, headers: Iterable[tuple[str, str]], **more: Any) -> Scope:
    """An ASGI scope for a URL."""
    parts = urlsplit(url)
    secure = parts.scheme in ("https", "wss")
    sent = [("host", parts.netloc.rpartition("@")[2]), *headers]
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": parts.scheme,
        "path": unquote(parts.path) or "/",
        "raw_path": (parts.path or "/").encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent],
        "client": ("127.0.0.1", 0),
        "server": (parts.hostname, parts.port or (443 if secure else 80)),
        "state": {},
        **more,
    }


async def call_http(
    app: ASGIApp,
    method: str,
    url: str,
    *,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    limit_bytes: int,
    beside: set[asyncio.Task[None]] | None = None,
) -> Reply:
    """One request. Raises NetError where no whole answer comes.

    An app that raises, returns or drops before its answer is whole is a server that closes the
    connection; a body longer than `limit_bytes` is cut there, and the app with it. An app that
    works on after its answer is waited for by nobody: it goes on in `beside`, which its owner
    ends, or is cancelled where there is none.
    """
    exchange = _HttpExchange(body, limit_bytes)
    scope = scope_of("http", url, headers, method=method)
    scope["state"][DROP] = exchange.drop
    work = asyncio.ensure_future(_run(app, scope, exchange))
    waited = asyncio.ensure_future(exchange.over.wait())
    try:
        await asyncio.wait((work, waited), return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending: list[asyncio.Task[Any]] = [waited]
        if beside is not None and exchange.whole and not work.done():
            beside.add(work)
            work.add_done_callback(beside.discard)
        else:
            ending.append(work)
        for task in ending:
            task.cancel()
        await asyncio.wait(ending)
    if not (exchange.whole or exchange.cut) or exchange.status is None:
        detail = exchange.problem or ("no answer" if exchange.status is None else "half an answer")
        raise NetError(Failure(FailureKind.EOF, urlsplit(url).netloc, detail))
    reason = _REASONS.get(exchange.status, "")
    content = bytes(exchange.body[:limit_bytes])
    return Reply(exchange.status, reason, exchange.headers, content, exchange.cut)


_REASONS = {status.value: status.phrase for status in HTTPStatus}


async def _run(app: ASGIApp, scope: Scope, exchange: _HttpExchange) -> None:
    try:
        await app(scope, exchange.receive, exchange.send)
    except Exception as error:  # noqa: BLE001  an app under test may raise anything
        exchange.problem = f"{type(error).__name__}: {error}"


class _HttpExchange:
    """The two ends that an app sees of one request."""

    def __init__(self, body: bytes, limit: int) -> None:
        self._body: bytes | None = body
        self._limit = limit
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.whole = self.cut = False
        self.problem = ""
        self.over = asyncio.Event()

    def drop(self) -> None:
        """Cut the connection; what was answered in whole before, arrived."""
        self.over.set()

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.over.is_set():
            pass  # nobody hears it any more
        elif message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = tuple(
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message.get("headers", ())
            )
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            self.cut = len(self.body) > self._limit
            self.whole = not self.cut and not message.get("more_body", False)
            if self.cut or self.whole:
                self.over.set()
        # A sender that never waits must not keep the loop for itself.
        await asyncio.sleep(0)


def wsgi(app: Callable[..., Iterable[bytes]]) -> ASGIApp:
    """A WSGI app (PEP 3333), Flask's for example, as an ASGI one; called in the loop's thread.

    Its answer goes out piece by piece, so that an endless one can be cut.
    """

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive()).get("body", b"")
        answer = _WsgiAnswer(send)
        found = app(_environ(scope, body), answer.start_response)
        try:
            for piece in found:
                await answer.pass_on(piece)
            await answer.pass_on(b"")
        finally:
            close = getattr(found, "close", None)
            if close is not None:
                close()
        await answer.end()

    return called


class _WsgiAnswer:
    """What a WSGI app says of one request, on its way out."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._said: list[tuple[str, list[tuple[str, str]]]] = []
        self._written: list[bytes] = []
        self._started = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], None]:
        """PEP 3333's; what is written waits for the next piece."""
        self._said.append((status, headers))  # a later one, with exc_info, replaces it
        return self._written.append

    async def pass_on(self, piece: bytes) -> None:
        """Send what is there, the head before the first of it."""
        content = b"".join([*self._written, piece])
        self._written.clear()
        if not content:
            return
        await self._start()
        await self._send({"type": "http.response.body", "body": content, "more_body": True})

    async def end(self) -> None:
        """Nothing more comes; the head goes out where nothing came at all."""
        await self._start()
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(self) -> None:
        if self._started:
            return
        self._started = True
        if not self._said:
            raise RuntimeError("the WSGI app never called start_response")
        status, headers = self._said[-1]
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        start = {"type": "http.response.start", "status": int(status.split()[0]), "headers": raw}
        await self._send(start)


def _environ(scope: Scope, body: bytes) -> dict[str, Any]:
    host, port = scope["server"]
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key = name.decode().upper().replace("-", "_")
        plain = key in ("CONTENT_TYPE", "CONTENT_LENGTH")
        environ[key if plain else f"HTTP_{key}"] = value.decode("latin-1")
    return environ
