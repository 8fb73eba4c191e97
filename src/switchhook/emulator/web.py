"""The emulator's HTTP client: over addresses that were checked, and with patience that ends.

Redirects are never followed, no proxy is used, a body is read as far as 64 KB. Each request has a
connection of its own, so what a caller waits for has the connecting in it.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import httpcore2

from switchhook.emulator.addresses import NotFoundError
from switchhook.emulator.go_errors import Failure, FailureKind, from_exception
from switchhook.emulator.in_process import call_http
from switchhook.emulator.net import NetError, Reply
from switchhook.emulator.urls import host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.emulator.addresses import Gate
    from switchhook.emulator.serving import ASGIApp

LONGEST_BODY = 64 * 1024


class Web:
    """Sends requests; `apps` are peers in this process, by host as URLs write it."""

    def __init__(
        self,
        gate: Gate,
        *,
        apps: Mapping[str, ASGIApp] | None = None,
        outside: Callable[[], AbstractContextManager[None]] = nullcontext,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._apps = apps if apps is not None else {}
        self._outside = outside
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context or ssl.create_default_context(),
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=_Checked(gate),
        )

    def here(self, url: str) -> bool:
        """Whether a URL leads to a peer in this process."""
        return host_of(url) in self._apps

    async def send(
        self,
        method: str,
        url: str,
        *,
        query: bytes = b"",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        limit_s: float,
    ) -> Reply:
        """One request; `query` is appended to the URL's own, byte for byte.

        Raises NetError where there is no answer within `limit_s`, and RefusedError for an address
        that must not be dialled.
        """
        parts = urlsplit(url)
        if query:
            parts = parts._replace(
                query=f"{parts.query}&{query.decode('latin-1')}"
                if parts.query
                else query.decode("latin-1")
            )
        sent = [*headers, *authorization(url)]
        if body:
            sent.append(("Content-Length", str(len(body))))
        address = parts.netloc.rpartition("@")[2]
        try:
            async with asyncio.timeout(limit_s):
                app = self._apps.get(host_of(url))
                if app is not None:
                    whole = parts._replace(netloc=address).geturl()
                    return await call_http(
                        app, method, whole, headers=sent, body=body, limit_bytes=LONGEST_BODY
                    )
                with self._outside():
                    return await self._request(method, parts, sent, body)
        except TimeoutError:
            raise NetError(Failure(FailureKind.TIMEOUT, address, "no answer in time")) from None
        except NotFoundError as error:
            raise NetError(Failure(FailureKind.DNS, error.host, str(error))) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as e:
            raise NetError(_failure(e, address)) from e

    async def _request(
        self, method: str, parts: Any, headers: list[tuple[str, str]], body: bytes
    ) -> Reply:
        path = parts.path or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        request = httpcore2.Request(
            method=method,
            url=httpcore2.URL(
                scheme=parts.scheme.encode(),
                host=(parts.hostname or "").encode(),
                port=parts.port,
                target=target.encode("latin-1", errors="replace"),
            ),
            headers=[("Host", parts.netloc.rpartition("@")[2]), *headers],
            content=body,
        )
        response = await self._pool.handle_async_request(request)
        try:
            read = bytearray()
            assert not isinstance(response.stream, bytes)
            async for piece in response.stream:  # type: ignore[union-attr]
                read += piece
                if len(read) > LONGEST_BODY:
                    break
        finally:
            await response.aclose()
        reason: bytes = response.extensions.get("reason_phrase", b"")
        return Reply(
            response.status,
            reason.decode("latin-1"),
            tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in response.headers),
            bytes(read[:LONGEST_BODY]),
            len(read) > LONGEST_BODY,
        )

    async def close(self) -> None:
        """Close what is open."""
        await self._pool.aclose()


def authorization(url: str) -> list[tuple[str, str]]:
    """`user:password@` of a URL as the header that it stands for (platform.md A.3)."""
    user_info, at, _ = urlsplit(url).netloc.rpartition("@")
    if not at:
        return []
    token = base64.b64encode(unquote(user_info).encode()).decode()
    return [("Authorization", f"Basic {token}")]


class _Checked(httpcore2.AsyncNetworkBackend):
    """Dials what the gate lets through, as the address it checked; the name stays in TLS."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._real = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's interface
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: httpcore2.ConnectError | None = None
        for address in await self._gate.resolve(host, port):
            try:
                return await self._real.connect_tcp(address.ip, port, timeout)
            except httpcore2.ConnectError as error:
                failure = failure or error
                at = str(address)
        assert failure is not None
        raise NetError(from_exception(failure, at)) from failure


def _failure(error: Exception, address: str) -> Failure:
    found = from_exception(error, address)
    if found.kind is not FailureKind.OTHER:
        return found
    if isinstance(error, httpcore2.RemoteProtocolError) and "disconnected" in str(error):
        return Failure(FailureKind.EOF, address, str(error))
    if isinstance(error, httpcore2.ProtocolError):
        return Failure(FailureKind.OTHER, address, f"malformed HTTP response: {error}"[:200])
    if isinstance(error, httpcore2.NetworkError):
        return Failure(FailureKind.EOF, address, str(error))
    return found
