"""The client itself: what it asks, how often it tries again, and how it reads an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from switchhook.client.answers import (
    Alerts,
    Call,
    Capacity,
    Endpoints,
    Issue,
    Issues,
    Now,
    Stream,
    Streams,
    StreamStory,
    Verdict,
)
from switchhook.client.errors import (
    ApiError,
    ForbiddenError,
    NotFoundError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
    UnreadableError,
)
from switchhook.client.pool_answers import Routes
from switchhook.client.promise_questions import PromiseQuestions

if TYPE_CHECKING:
    from types import TracebackType

TIMEOUT_S = 30.0
TRIES = 3
LONGEST_WAIT_S = 30.0
"""A Retry-After beyond this is not waited for: the error tells it."""
_FIRST_WAIT_S = 0.5
_AGAIN = frozenset({429, 502, 503, 504})
_ERRORS: Mapping[int, type[ApiError]] = {
    400: RefusedError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: RefusedError,
    409: RefusedError,
    413: RefusedError,
    422: RefusedError,
}
T = TypeVar("T")


class Client(PromiseQuestions):
    """The console at `url`, asked with a `token`; may be used by one thread at a time.

    It only reads. What is answered 429, 502, 503 or 504, or not at all, is asked `tries` times in
    all, after the time that Retry-After says. No redirect is followed, and no proxy or password of
    the environment is used, so that the token goes nowhere else. `sleep` and `transport` are for
    tests.

    Every method raises an `ApiError`: RefusedError, UnauthorizedError, ForbiddenError,
    NotFoundError, UnavailableError or UnreadableError.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float = TIMEOUT_S,
        tries: int = TRIES,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._tries, self._sleep = max(tries, 1), sleep
        self._http = httpx2.Client(
            base_url=url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}", "User-Agent": "switchhook-client"},
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    # What it asks.

    def streams(
        self,
        q: str | None = None,
        *,
        endpoint: str | None = None,
        call_sid: str | None = None,
        stream_sid: str | None = None,
        status: str | None = None,
        cause: str | None = None,
        option: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Streams:
        """A page of streams, newest first; `q` is a search as on the console's page."""
        asked = {
            "q": q,
            "endpoint": endpoint,
            "call_sid": call_sid,
            "stream_sid": stream_sid,
            "status": status,
            "cause": cause,
            "option": option,
            "since": since,
            "until": until,
            "limit": limit,
            "cursor": cursor,
        }
        return self._get("/api/v1/streams", Streams, asked)

    def all_streams(self, q: str | None = None, **filters: Any) -> Iterator[Stream]:
        """All streams that are found, page by page; what comes meanwhile is not among them."""
        cursor: str | None = None
        while True:
            page = self.streams(q, **{**filters, "cursor": cursor})
            yield from page.streams
            cursor = page.next
            if cursor is None:
                return

    def stream(self, stream_sid: str) -> StreamStory:
        """One stream, by its StreamSID or a receipt's id."""
        return self._get(f"/api/v1/streams/{_part(stream_sid)}", StreamStory)

    def call(self, call_sid: str) -> Call:
        """One call, by its CallSid or a receipt's id."""
        return self._get(f"/api/v1/calls/{_part(call_sid)}", Call)

    def verdict(self) -> Verdict:
        """How things are, in words."""
        return self._get("/api/v1/verdict", Verdict)

    def now(self) -> Now:
        """What the first page shows."""
        return self._get("/api/v1/now", Now)

    def issues(self) -> list[Issue]:
        """Failures by what they have in common."""
        return self._get("/api/v1/issues", Issues).issues

    def alerts(self) -> Alerts:
        """What fires, what is over, and what was told to whom."""
        return self._get("/api/v1/alerts", Alerts)

    def capacity(self) -> Capacity:
        """How the accounts stand."""
        return self._get("/api/v1/capacity", Capacity)

    def routes(self) -> Routes:
        """Pools of bots: who gets calls, how the members are, and what people set by hand."""
        return self._get("/api/v1/routes", Routes)

    def endpoints(self) -> Endpoints:
        """The endpoints in the last 24 hours, with their rules."""
        return self._get("/api/v1/endpoints", Endpoints)

    def export(
        self,
        q: str | None = None,
        *,
        format: str = "csv",
        columns: str | None = None,
        tz: str = "ist",
    ) -> Iterator[bytes]:
        """All streams that a search finds, as a file in pieces; takes a token that operates.

        It is tried again only until its first piece.
        """
        asked = {"q": q, "format": format, "columns": columns, "tz": tz}
        response = self._ask("/api/v1/streams/export", asked, stream=True)
        try:
            yield from response.iter_bytes()
        except httpx2.HTTPError as error:
            raise UnavailableError(f"the export broke off ({type(error).__name__})") from None
        finally:
            response.close()

    # How it asks.

    def _get(self, path: str, kind: type[T], asked: Mapping[str, Any] | None = None) -> T:
        response = self._ask(path, asked or {})
        try:
            return msgspec.json.decode(response.content, type=kind)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            hint = "is this the console's address, and is it of the same release as this client?"
            raise UnreadableError(f"its answer can't be read: {error}", hint, status=200) from None

    def _ask(self, path: str, asked: Mapping[str, Any], *, stream: bool = False) -> httpx2.Response:
        said = {name: str(value) for name, value in asked.items() if value is not None}
        for turn in range(1, self._tries + 1):
            problem = self._once(path, said, stream=stream)
            if isinstance(problem, httpx2.Response):
                return problem
            wait_s = problem.retry_after_s
            wait_s = _FIRST_WAIT_S * 2 ** (turn - 1) if wait_s is None else wait_s
            if turn == self._tries or wait_s > LONGEST_WAIT_S:
                raise problem
            self._sleep(wait_s)
        raise AssertionError("it is tried at least once")

    def _once(
        self, path: str, asked: Mapping[str, str], *, stream: bool
    ) -> httpx2.Response | UnavailableError:
        """A good answer, or why to try again. Raises the errors that trying again won't mend."""
        try:
            request = self._http.build_request("GET", path, params=asked)
            response = self._http.send(request, stream=stream)
            if response.status_code != 200:
                response.read()
        except httpx2.HTTPError as error:
            hint = "is the console running, and is this its address?"
            return UnavailableError(f"no answer came ({type(error).__name__})", hint)
        if response.status_code == 200:
            return response
        response.close()
        return _again(response)


def _part(text: str) -> str:
    """A text as one part of a path."""
    if not text.strip("."):
        raise NotFoundError("that is no id", status=404)
    return quote(text, safe="")


def _again(response: httpx2.Response) -> UnavailableError:
    """Why to try again. Raises the error of an answer that would come again."""
    status = response.status_code
    problem, hint, parameter = _said(response)
    if status in _AGAIN or status >= 500:
        wait = response.headers.get("Retry-After", "")
        wait_s = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 9 else None
        error = UnavailableError(problem, hint, status=status, retry_after_s=wait_s)
        if status in _AGAIN:
            return error
        raise error
    kind = _ERRORS.get(status, UnreadableError)
    raise kind(problem, hint, status=status, parameter=parameter)


def _said(response: httpx2.Response) -> tuple[str, str, str]:
    """Problem, hint and parameter as the API tells them."""
    try:
        said = msgspec.json.decode(response.content)["error"]
        problem, hint, parameter = (said.get(name) for name in ("problem", "hint", "parameter"))
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return f"it answered {response.status_code}", "", ""
    return str(problem), str(hint or ""), str(parameter or "")
