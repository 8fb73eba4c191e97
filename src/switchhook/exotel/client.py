"""Asking Exotel's API, version 1, about one account: active streams, and the details of a call.

Whatever the other side does (slow, endless, garbage, a redirect) ends in an `Outcome` with a
sentence, within a time and a size. Neither the key nor the token is in any of them.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx2
import msgspec

from switchhook.exotel.answers import MOST_RETRY_AFTER_S, Outcome, Polled
from switchhook.exotel.rate_limit import Bucket, full_bucket, hold, rate_of, take
from switchhook.exotel.wire import active_streams
from switchhook.exotel.wire.active_streams import UnreadableAnswer
from switchhook.exotel.wire.calls import CallRecord, parse_call
from switchhook.exotel.wire.rest_error import parse_error

if TYPE_CHECKING:
    from switchhook.exotel.clock import Clock

TIMEOUT_S = 10.0
"""For a whole question, from connecting to the last byte of the answer."""
LARGEST = 64 * 1024
DETAILS_RESERVE = 3
"""Questions that fetching details leaves in the bucket: polls matter more."""

_SHORTEST_HIDDEN = 8
_CALL_SID = re.compile("[0-9A-Za-z_-]{1,64}")
_SECONDS = re.compile("[0-9]{1,9}")
# They would tell of every poll, every few seconds, with the account's SID.
logging.getLogger("httpx2").setLevel(logging.WARNING)
logging.getLogger("httpcore2").setLevel(logging.WARNING)

_HEADERS = {"User-Agent": "switchhook", "Accept-Encoding": "identity"}


class Detailed(msgspec.Struct, frozen=True):
    """The answer to a question for a call's details; `body` is the answer as it came."""

    outcome: Outcome
    record: CallRecord | None = None
    body: bytes = b""
    problem: str = ""


class _Answer(msgspec.Struct, frozen=True):
    """What came back: `outcome` is READ for a 200 with a whole body."""

    outcome: Outcome
    body: bytes = b""
    problem: str = ""
    retry_after_s: float | None = None


class ExotelClient:
    """One account's API at `url`, which has no slash at its end; used on one event loop.

    All questions share one budget of `per_minute`. `transport` is for tests.
    """

    def __init__(
        self,
        *,
        url: str,
        sid: str,
        key: str,
        token: str,
        per_minute: int,
        clock: Clock,
        timeout_s: float = TIMEOUT_S,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._sid, self._clock, self._timeout_s = sid, clock, timeout_s
        self._base = f"{url}/v1/Accounts/{sid}"
        self._host = httpx2.URL(url).host
        # A shorter one, as people try things out with, stands in every text.
        self._hidden = tuple(each for each in (key, token) if len(each) >= _SHORTEST_HIDDEN)
        self._bucket: Bucket = full_bucket(rate_of(per_minute), clock.mono_ms())
        # Proxies and .netrc of the environment would send our credentials, or us, elsewhere.
        self._http = httpx2.AsyncClient(
            auth=httpx2.BasicAuth(key, token),
            headers=_HEADERS,
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            limits=httpx2.Limits(max_connections=4, max_keepalive_connections=1),
            transport=transport,
        )

    async def active_streams(self) -> Polled:
        """Ask for the streams in use and allowed; what went wrong is in the answer."""
        await self._turn(reserve=0)
        answer = await self._ask(f"{self._base}/ActiveStreams")
        if answer.outcome is not Outcome.READ:
            return Polled(
                answer.outcome, problem=answer.problem, retry_after_s=answer.retry_after_s
            )
        found = active_streams.parse(answer.body)
        if isinstance(found, UnreadableAnswer):
            error = parse_error(answer.body)
            problem = self._quoted(f"a refusal: {error.message}" if error else found.problem)
            return Polled(Outcome.UNREADABLE, problem=f"{self._host} answered {problem}")
        if found.account_sid not in (None, self._sid):
            problem = f"{self._host} answered for another account than {self._sid}"
            return Polled(Outcome.UNREADABLE, problem=problem)
        return Polled(Outcome.READ, found.active, found.allowed)

    async def call_details(self, call_sid: str) -> Detailed:
        """Ask for a call's details; what went wrong is in the answer."""
        if not _CALL_SID.fullmatch(call_sid):
            return Detailed(Outcome.REFUSED, problem="no CallSid that can be asked for")
        await self._turn(reserve=DETAILS_RESERVE)
        answer = await self._ask(f"{self._base}/Calls/{call_sid}.json?details=true")
        if answer.outcome is not Outcome.READ:
            return Detailed(answer.outcome, problem=answer.problem)
        record = parse_call(answer.body)
        if isinstance(record, UnreadableAnswer):
            problem = f"{self._host} answered {self._quoted(record.problem)}"
            return Detailed(Outcome.UNREADABLE, problem=problem)
        if record.sid != call_sid:
            problem = f"{self._host} answered with another call"
            return Detailed(Outcome.UNREADABLE, problem=problem)
        if any(hidden.encode() in answer.body for hidden in self._hidden):
            problem = f"{self._host} answered with our credentials in it"
            return Detailed(Outcome.UNREADABLE, problem=problem)
        return Detailed(Outcome.READ, record, answer.body)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def _turn(self, *, reserve: int) -> None:
        """Wait until the budget allows one more question."""
        while True:
            self._bucket, wait_ms = take(self._bucket, self._clock.mono_ms(), reserve=reserve)
            if not wait_ms:
                return
            await self._clock.sleep(wait_ms / 1000)

    async def _ask(self, url: str) -> _Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._get(url)
        except (TimeoutError, httpx2.TimeoutException):
            problem = f"no whole answer from {self._host} within {self._timeout_s:g} s"
            return _Answer(Outcome.UNREACHABLE, problem=problem)
        except httpx2.TransportError as error:
            return _Answer(Outcome.UNREACHABLE, problem=f"{self._host}: {_why(error)}")
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            # Its text may quote what was received.
            kind = type(error).__name__
            return _Answer(Outcome.UNREADABLE, problem=f"{self._host} answered no HTTP ({kind})")
        if answer.outcome is Outcome.LIMITED or answer.retry_after_s:
            wait_s = min(answer.retry_after_s or 1.0, MOST_RETRY_AFTER_S)
            self._bucket = hold(self._bucket, self._clock.mono_ms() + int(wait_s * 1000))
        return answer

    async def _get(self, url: str) -> _Answer:
        async with self._http.stream("GET", url) as response:
            self._http.cookies.clear()  # nothing that an answer sets is sent back
            if response.status_code != HTTPStatus.OK:
                return self._refusal(response.status_code, response.headers.get("Retry-After"))
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                problem = f"{self._host} answered compressed, which nobody asked for"
                return _Answer(Outcome.UNREADABLE, problem=problem)
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > LARGEST:
                    problem = f"{self._host} answered more than {LARGEST:,} bytes"
                    return _Answer(Outcome.UNREADABLE, problem=problem)
            return _Answer(Outcome.READ, bytes(body))

    def _quoted(self, text: str) -> str:
        """A text of the other side, which might send back what it was sent."""
        for hidden in self._hidden:
            text = text.replace(hidden, "…")
        return _plain(text)

    def _refusal(self, status: int, retry_after: str | None) -> _Answer:
        wait_s = read_retry_after(retry_after, self._clock.wall_ms())
        said = f"{self._host} answered {status}{_ADVICE.get(status, '')}"
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return _Answer(Outcome.LIMITED, problem=said, retry_after_s=wait_s)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _Answer(Outcome.FAILING, problem=said, retry_after_s=wait_s)
        return _Answer(Outcome.REFUSED, problem=said)


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


def read_retry_after(text: str | None, now_ms: int) -> float | None:
    """Seconds to wait by a Retry-After header, in either of its forms; None where it says none."""
    said = (text or "").strip()
    if _SECONDS.fullmatch(said):
        return float(said)
    try:
        at = parsedate_to_datetime(said)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        wait = (at - datetime.fromtimestamp(now_ms / 1000, UTC)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, wait)


def _why(error: httpx2.TransportError) -> str:
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
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.ConnectError):
        return "no connection could be made"
    if isinstance(error, httpx2.ProtocolError):
        return "it doesn't answer as HTTP does"
    return "the connection broke"


def _plain(text: str) -> str:
    """A text of the other side on one line, without anything that a terminal or page obeys."""
    return "".join(c if c.isprintable() else " " for c in text)[:160]
