"""The emulator's HTTP client: over addresses that were checked, and with patience that ends.

Redirects are never followed, no proxy is used, a body is read as far as 64 KB. Each request has a
connection of its own, so what a caller waits for has the connecting in it.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from contextlib import AbstractContextManager, aclosing, nullcontext
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import httpcore2
import msgspec

from switchhook.emulator.net.addresses import NotFoundError, ResolvedAddress
from switchhook.emulator.net.go_errors import Failure, FailureKind, from_exception
from switchhook.emulator.net.in_process import call_http
from switchhook.emulator.net.results import NetError, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.emulator.net.addresses import AddressAllowList
    from switchhook.emulator.net.asgi import ASGIApp

LONGEST_BODY = 64 * 1024

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_UNSENDABLE = re.compile(r"[^\x21-\x7e]")


class Destination(msgspec.Struct, frozen=True):
    """Where a URL leads, taken apart for dialling.

    `host` is a name or an address without brackets; `authority` what the Host header says;
    `target` the path with the query, ASCII without blanks; `user_info` is still escaped.
    """

    scheme: str
    host: str
    port: int
    authority: str
    target: str
    user_info: str | None

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken there."""
        return self.scheme in ("https", "wss")

    @property
    def url(self) -> str:
        """The URL without credentials and fragment."""
        return f"{self.scheme}://{self.authority}{self.target}"


def place_of(url: str, schemes: tuple[str, ...], query: bytes = b"") -> Destination:
    """Take a URL apart; `query` is appended to its own, byte for byte.

    Blanks, control characters and what isn't ASCII can stand in no request line: they are
    escaped, as UTF-8; all else stays as it is. Raises NetError for a URL that can't be dialled.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NetError(Failure(FailureKind.OTHER, None, f"parse {url[:200]!r}: {error}")) from None
    if parts.scheme not in schemes:
        known = " or ".join(schemes)
        problem = f"unsupported protocol scheme {parts.scheme[:20]!r}, not {known}"
        raise NetError(Failure(FailureKind.OTHER, None, problem))
    if not parts.hostname:
        raise NetError(Failure(FailureKind.OTHER, None, "no Host in request URL"))
    user_info, at, authority = parts.netloc.rpartition("@")
    extra = query.decode("latin-1")
    target = _escaped(parts.path) or "/"
    asked = "&".join(part for part in (_escaped(parts.query), _escaped(extra, "latin-1")) if part)
    return Destination(
        scheme=parts.scheme,
        host=_ascii(parts.hostname),
        port=_PORTS[parts.scheme] if port is None else port,
        authority=_ascii(authority),
        target=f"{target}?{asked}" if asked else target,
        user_info=user_info if at else None,
    )


def _length(body: bytes) -> list[tuple[str, str]]:
    return [("Content-Length", str(len(body)))] if body else []


def authorization(place: Destination) -> list[tuple[str, str]]:
    """`user:password@` of a URL as the header that it stands for (exotel-platform A.3, C.8)."""
    if place.user_info is None:
        return []
    user, _, password = place.user_info.partition(":")
    plain = f"{unquote(user)}:{unquote(password)}"
    return [("Authorization", f"Basic {base64.b64encode(plain.encode()).decode()}")]


def _escaped(text: str, encoding: str = "utf-8") -> str:
    return _UNSENDABLE.sub(lambda found: quote(found[0], safe="", encoding=encoding), text)


def _ascii(name: str) -> str:
    """A name beyond ASCII in its IDNA form (RFC 5890), as DNS, TLS and the Host header want it."""
    try:
        return _escaped(name if name.isascii() else name.encode("idna").decode())
    except UnicodeError:
        return _escaped(name)


class Web:
    """Sends requests; `apps` are peers in this process, by host as URLs write it."""

    def __init__(
        self,
        allow_list: AddressAllowList,
        *,
        apps: Mapping[str, ASGIApp] | None = None,
        outside: Callable[[], AbstractContextManager[None]] = nullcontext,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_list = allow_list
        self._apps = apps if apps is not None else {}
        self._outside = outside
        # It takes time to make, and few want it.
        self._trusting = cache(lambda: ssl_context or ssl.create_default_context())
        self._dialler = httpcore2.AnyIOBackend()
        self._beside: set[asyncio.Task[None]] = set()

    def here(self, url: str) -> bool:
        """Whether a URL leads to a peer in this process."""
        try:
            return place_of(url, tuple(_PORTS)).authority.lower() in self._apps
        except NetError:
            return False

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
        place = place_of(url, ("http", "https"), query)
        sent = [*headers, *authorization(place), *_length(body)]
        app = self._apps.get(place.authority.lower())
        attempt = _Attempt()
        if place.secure and app is None:
            self._trusting()  # before anybody waits
        try:
            async with asyncio.timeout(limit_s):
                if app is not None:
                    return await call_http(
                        app,
                        method,
                        place.url,
                        headers=sent,
                        body=body,
                        limit_bytes=LONGEST_BODY,
                        beside=self._beside,
                    )
                with self._outside():
                    return await self._request(method, place, sent, body, attempt)
        except TimeoutError:
            late = Failure(FailureKind.TIMEOUT, attempt.dialling, "no answer in time")
            raise NetError(late) from None
        except NotFoundError as error:
            raise NetError(Failure(FailureKind.DNS, error.host, str(error))) from None

    async def _request(
        self,
        method: str,
        place: Destination,
        headers: list[tuple[str, str]],
        body: bytes,
        attempt: _Attempt,
    ) -> Reply:
        stream, address = await self._connect(place, attempt)
        at = str(address)
        origin = httpcore2.Origin(place.scheme.encode(), place.host.encode(), place.port)
        answered = False
        try:
            if place.secure:
                stream = await stream.start_tls(self._trusting(), place.host)
            connection = httpcore2.AsyncHTTP11Connection(origin, stream)
            response = await connection.handle_async_request(
                httpcore2.Request(
                    method=method,
                    url=_url(place),
                    headers=[("Host", place.authority), *headers],
                    content=body,
                )
            )
            answered = True
            read = await _read(response)
        except httpcore2.LocalProtocolError as error:
            raise NetError(Failure(FailureKind.OTHER, at, f"can't be sent: {error}")) from error
        except httpcore2.RemoteProtocolError as error:
            raise NetError(_broken(error, at, answered=answered)) from error
        except (httpcore2.NetworkError, httpcore2.TimeoutException) as error:
            raise NetError(from_exception(error, at)) from error
        finally:
            await stream.aclose()
        return _reply(response, read)

    async def _connect(
        self, place: Destination, attempt: _Attempt
    ) -> tuple[httpcore2.AsyncNetworkStream, ResolvedAddress]:
        """Dial the addresses that may be, in turn; the first failure is told."""
        first: NetError | None = None
        for address in await self._allow_list.resolve(place.host, place.port):
            attempt.dialling = str(address)
            try:
                stream = await self._dialler.connect_tcp(address.ip, address.port)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                first = first or NetError(from_exception(error, str(address)))
            else:
                attempt.dialling = None
                return stream, address
        assert first is not None, "the allow-list gives an address or raises"
        raise first

    async def close(self) -> None:
        """End the apps in this process that worked on after their answers."""
        for task in self._beside:
            task.cancel()
        if self._beside:
            await asyncio.wait(set(self._beside))


class _Attempt:
    """How far a request has come: the address that is being dialled, None before and after."""

    def __init__(self) -> None:
        self.dialling: str | None = None


def _url(place: Destination) -> httpcore2.URL:
    return httpcore2.URL(
        scheme=place.scheme.encode(),
        host=place.host.encode(),
        port=place.port,
        target=place.target.encode(),
    )


async def _read(response: httpcore2.Response) -> bytearray:
    """The body, as far as one piece beyond the longest that is read."""
    read = bytearray()
    async with aclosing(response.aiter_stream()) as pieces:
        async for piece in pieces:
            read += piece
            if len(read) > LONGEST_BODY:
                break
    return read


def _reply(response: httpcore2.Response, read: bytearray) -> Reply:
    reason: bytes = response.extensions.get("reason_phrase", b"")
    return Reply(
        response.status,
        reason.decode("latin-1"),
        tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in response.headers),
        bytes(read[:LONGEST_BODY]),
        len(read) > LONGEST_BODY,
    )


def _broken(error: httpcore2.RemoteProtocolError, address: str, *, answered: bool) -> Failure:
    """An answer that broke off, or was none."""
    if answered or "disconnected" in str(error):
        return Failure(FailureKind.EOF, address, str(error))
    return Failure(FailureKind.OTHER, address, f"malformed HTTP response: {error}"[:200])
