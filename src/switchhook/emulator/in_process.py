"""Peers in this process: ASGI and WSGI apps called directly, with no socket between.

So a run repeats byte for byte, and a test needs no port.
"""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from switchhook.emulator.go_errors import Failure, FailureKind
from switchhook.emulator.net import NetError, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from switchhook.emulator.serving import ASGIApp, Message, Receive, Scope, Send

DROP = "switchhook.drop"
"""In `scope["state"]`: a function that cuts the connection at once, which ASGI has no word for."""


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
) -> Reply:
    """One request. An app that raises, or drops, is a server that closes without an answer."""
    exchange = _HttpExchange(body, limit_bytes)
    scope = scope_of("http", url, headers, method=method)
    scope["state"][DROP] = exchange.drop
    work = asyncio.ensure_future(app(scope, exchange.receive, exchange.send))
    waited = asyncio.ensure_future(exchange.done.wait())
    try:
        await asyncio.wait((work, waited), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (work, waited):
            task.cancel()
        await asyncio.wait((work, waited))
    problem = None if work.cancelled() else work.exception()
    if exchange.status is None or exchange.dropped:
        detail = f"{type(problem).__name__}: {problem}" if problem else "no answer"
        raise NetError(Failure(FailureKind.EOF, urlsplit(url).netloc, detail))
    return Reply(
        exchange.status, "", exchange.headers, bytes(exchange.body[:limit_bytes]), exchange.cut
    )


class _HttpExchange:
    """The two ends that an app sees of one request."""

    def __init__(self, body: bytes, limit: int) -> None:
        self._body: bytes | None = body
        self._limit = limit
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.cut = False
        self.dropped = False
        self.done = asyncio.Event()

    def drop(self) -> None:
        self.dropped = True
        self.done.set()

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.done.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = tuple(
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message.get("headers", ())
            )
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            self.cut = len(self.body) > self._limit
            if self.cut or not message.get("more_body", False):
                self.done.set()
        # A sender that never waits must not keep the loop for itself.
        await asyncio.sleep(0)


def wsgi(app: Callable[..., Iterable[bytes]]) -> ASGIApp:
    """A WSGI app (PEP 3333), Flask's for example, as an ASGI one; called in the loop's thread."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive()).get("body", b"")
        said: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            said["status"], said["headers"] = int(status.split()[0]), headers
            return lambda _: None

        found = app(_environ(scope, body), start_response)
        try:
            answer = b"".join(found)
        finally:
            close = getattr(found, "close", None)
            if close is not None:
                close()
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in said["headers"]]
        await send({"type": "http.response.start", "status": said["status"], "headers": raw})
        await send({"type": "http.response.body", "body": answer})

    return called


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
