"""HTTP with one account's API at Exotel: questions, and requests that are never sent twice.

Whatever the other side does (slow, endless, garbage, a redirect) ends in an answer with a sentence,
within a time and a size. Neither the key nor the token is in any of them.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec

from switchhook.exotel.answers import Outcome
from switchhook.exotel.retry_after import read_retry_after

if TYPE_CHECKING:
    from switchhook.exotel.clock import Clock

LARGEST = 64 * 1024
LARGEST_LIST = 512 * 1024
"""A page of a hundred calls."""

_SHORTEST_HIDDEN = 8
# They would tell of every poll, every few seconds, with the account's SID.
logging.getLogger("httpx2").setLevel(logging.WARNING)
logging.getLogger("httpcore2").setLevel(logging.WARNING)

_HEADERS = {"User-Agent": "switchhook", "Accept-Encoding": "identity"}


class ApiAnswer(msgspec.Struct, frozen=True):
    """What came back: `outcome` is READ for a 200 with a whole body.

    `status` is 0 where there was none. The body of a 404 is there too.
    """

    outcome: Outcome
    status: int = 0
    body: bytes = b""
    problem: str = ""
    retry_after_s: float | None = None


class Posted(msgspec.Struct, frozen=True):
    """What came of a request that is sent once.

    `begun` is whether any of it may have reached the other side. `status` is 0 where no answer
    came, `body` what was read of it; `problem` says why one or the other is missing.
    """

    begun: bool
    status: int = 0
    body: bytes = b""
    problem: str = ""
    retry_after_s: float | None = None


class ExotelHttp:
    """One account's API at `url`, which has no slash at its end; used on one event loop."""

    def __init__(
        self,
        *,
        url: str,
        key: str,
        token: str,
        clock: Clock,
        timeout_s: float,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock, self._timeout_s, self._transport = clock, timeout_s, transport
        self.host = httpx2.URL(url).host
        # A shorter one, as people try things out with, stands in every text.
        self._hidden = tuple(each for each in (key, token) if len(each) >= _SHORTEST_HIDDEN)
        self._auth = httpx2.BasicAuth(key, token)
        self._tls = httpx2.create_ssl_context(trust_env=False)
        limits = httpx2.Limits(max_connections=4, max_keepalive_connections=1)
        self._http = self._client(limits, timeout_s)

    def _client(self, limits: httpx2.Limits, timeout_s: float) -> httpx2.AsyncClient:
        # Proxies and .netrc of the environment would send our credentials, or us, elsewhere.
        return httpx2.AsyncClient(
            auth=self._auth,
            headers=_HEADERS,
            # Each use has a time for the whole of it. A handshake that hangs ends before: broken
            # off from outside, it would leave its socket open.
            timeout=httpx2.Timeout(timeout_s, connect=timeout_s / 2),
            follow_redirects=False,
            trust_env=False,
            verify=self._tls,
            limits=limits,
            transport=self._transport,
        )

    async def get(self, url: str, *, largest: int = LARGEST) -> ApiAnswer:
        """Ask once; what went wrong is in the answer."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._get(url, largest)
        except (TimeoutError, httpx2.TimeoutException):
            problem = f"no whole answer from {self.host} within {self._timeout_s:g} s"
            return ApiAnswer(Outcome.UNREACHABLE, problem=problem)
        except httpx2.TransportError as error:
            return ApiAnswer(Outcome.UNREACHABLE, problem=f"{self.host}: {why(error)}")
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            # Its text may quote what was received.
            kind = type(error).__name__
            return ApiAnswer(Outcome.UNREADABLE, problem=f"{self.host} answered no HTTP ({kind})")

    async def _get(self, url: str, largest: int) -> ApiAnswer:
        async with self._http.stream("GET", url) as response:
            self._http.cookies.clear()  # nothing that an answer sets is sent back
            status = response.status_code
            if status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
                return self._refusal(response, b"")
            body = await _body(response, largest)
            if status != HTTPStatus.OK:
                return self._refusal(response, body if isinstance(body, bytes) else b"")
            if isinstance(body, bytes):
                return ApiAnswer(Outcome.READ, status, body)
            return ApiAnswer(Outcome.UNREADABLE, status, problem=f"{self.host} answered {body}")

    async def post_once(self, url: str, kind: str, body: bytes, timeout_s: float) -> Posted:
        """Send a body of a content type on a connection of its own, once.

        One that was kept alive could break as the request is on its way, so that nobody would know.
        Raises nothing but what cancels it: then nobody knows either.
        """
        seen = _Seen()
        problem = f"no whole answer from {self.host} within {timeout_s:g} s"
        try:
            async with asyncio.timeout(timeout_s):
                await self._post(url, kind, body, timeout_s, seen)
                problem = ""
        except (TimeoutError, httpx2.TimeoutException):
            problem = problem if seen.begun else f"no connection to {self.host} in time"
        except httpx2.TransportError as error:
            problem = f"{self.host}: {why(error)}"
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            problem = f"{self.host} answered no HTTP ({type(error).__name__})"
        wait_s = read_retry_after(seen.retry_after, self._clock.wall_ms())
        return Posted(seen.begun, seen.status, seen.body, problem, wait_s)

    async def _post(self, url: str, kind: str, body: bytes, timeout_s: float, seen: _Seen) -> None:
        limits = httpx2.Limits(max_connections=1, max_keepalive_connections=0)
        async with (
            self._client(limits, timeout_s) as http,
            http.stream(
                "POST",
                url,
                content=body,
                headers={"Content-Type": kind, "Connection": "close"},
                extensions={"trace": seen.trace},
            ) as response,
        ):
            seen.begun, seen.status = True, response.status_code
            seen.retry_after = response.headers.get("Retry-After")
            found = await _body(response, LARGEST)
            seen.body = found if isinstance(found, bytes) else b""

    async def close(self) -> None:
        """Close what is kept open; a request that is sent once goes on."""
        await self._http.aclose()

    def hide(self, text: str) -> str:
        """A text of the other side, which might send back what it was sent."""
        for hidden in self._hidden:
            text = text.replace(hidden, "…")
        return text

    def quoted(self, text: str) -> str:
        """The same, on one line, without anything that a terminal or page obeys."""
        return _plain(self.hide(text))

    def holds_credentials(self, body: bytes) -> bool:
        """Whether an answer has our key or token in it."""
        return any(hidden.encode() in body for hidden in self._hidden)

    def _refusal(self, response: httpx2.Response, body: bytes) -> ApiAnswer:
        status = response.status_code
        wait_s = read_retry_after(response.headers.get("Retry-After"), self._clock.wall_ms())
        said = f"{self.host} answered {status}{_ADVICE.get(status, '')}"
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return ApiAnswer(Outcome.LIMITED, status, problem=said, retry_after_s=wait_s)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ApiAnswer(Outcome.FAILING, status, problem=said, retry_after_s=wait_s)
        return ApiAnswer(Outcome.REFUSED, status, body, said)


class _Seen:
    """How far a request got: what its connection tells of it, and what was read."""

    def __init__(self) -> None:
        self.begun, self.status, self.body = True, 0, b""
        self.retry_after: str | None = None

    async def trace(self, event: str, _: dict[str, Any]) -> None:
        """Be told of a step by the connection, before it is taken."""
        if event == "connection.connect_tcp.started":
            self.begun = False
        elif event.endswith(".send_request_headers.started"):
            self.begun = True


async def _body(response: httpx2.Response, largest: int) -> bytes | str:
    """The whole body, or what is wrong with it."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return "compressed, which nobody asked for"
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > largest:
            return f"more than {largest:,} bytes"
    return bytes(body)


_ADVICE = {
    301: ", a redirect, which is not followed: check the region, or the url",
    302: ", a redirect, which is not followed: check the region, or the url",
    307: ", a redirect, which is not followed: check the region, or the url",
    308: ", a redirect, which is not followed: check the region, or the url",
    401: ": check the API key, the token and the region",
    402: ": the account's balance is used up",
    403: ": the account may not ask this",
    404: ": check the SID and the region",
    429: ": too many questions; do others use the account's API too?",
}


def why(error: httpx2.TransportError) -> str:
    """Why no answer came, in words of ours: the libraries' may quote anything."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({_plain(cause.verify_message)})"
        if isinstance(cause, ssl.SSLError):
            return "the TLS handshake failed"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused"
        if isinstance(cause, OSError) and cause.strerror:
            return _plain(cause.strerror).lower()
        if type(cause).__module__.startswith("h11."):
            return "its answer is no HTTP, or was cut short"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.ConnectError):
        return "no connection could be made"
    if isinstance(error, httpx2.ProtocolError):  # of no parser: nothing came
        return "it closed the connection without an answer"
    return "the connection broke"


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:160]
