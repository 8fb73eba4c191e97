"""The listener for bots: OFREP's two addresses, and the stream that says when to ask again.

A token of scope `flags` is all that opens it. What a bot sends of a caller is kept nowhere.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from enum import Enum
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from switchhook.errors import LedgerError
from switchhook.flags.ofrep import (
    INACTIVE_S,
    LARGEST_BODY,
    RefusedEvaluation,
    etag_of,
    evaluated,
    evaluated_all,
    failure,
    is_known,
    not_found,
    read_context,
    version_of,
)
from switchhook.web.json import encode_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from switchhook.flags.worker import FlagsWorker

log = logging.getLogger("switchhook.flags")

MOST_STREAMS = 1_000
"""Bots that may listen for changes at once; more are told to come back in a minute."""
KEEP_ALIVE_S = 20.0
TICKET_S = 12 * 3600
"""How long the address of the stream works that a bot was given; it gets a new one each time."""
AT = "/ofrep/v1/evaluate/flags"
EVENTS = "/ofrep/v1/events"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Admitted(Enum):
    """What a token opens here."""

    YES = "yes"
    UNKNOWN = "unknown"
    OTHER_SCOPE = "other scope"


class OfrepApi:
    """`app` is what the listener answers with.

    `admit` looks a token up, in a thread, and raises LedgerError; `key` signs the addresses of
    streams, `now_s` is the clock in seconds of Unix time.
    """

    def __init__(
        self,
        worker: FlagsWorker,
        admit: Callable[[str], Admitted],
        *,
        key: bytes,
        now_s: Callable[[], float],
    ) -> None:
        self._worker, self._admit, self._now_s = worker, admit, now_s
        self._key = hmac.digest(key, b"ofrep events", "sha256")
        self._streams: set[asyncio.Event] = set()
        self._ended = False
        self.app = Starlette(
            routes=[
                Route(AT, self._all, methods=["POST"]),
                Route(AT + "/{key:path}", self._one, methods=["POST"]),
                Route(EVENTS, self._events, methods=["GET"]),
                Route("/healthz", _health, methods=["GET"]),
            ]
        )

    def begin(self) -> Callable[[], None]:
        """Hear of changes from now on, in the loop that calls this; what is given back ends it."""
        loop = asyncio.get_running_loop()
        self._ended = False
        return self._worker.listen(lambda: loop.call_soon_threadsafe(self._renew))

    def close(self) -> None:
        """End the streams, which never end by themselves."""
        self._ended = True
        self._renew()

    def _renew(self) -> None:
        for each in tuple(self._streams):
            each.set()

    # The two addresses.

    async def _one(self, request: Request) -> Response:
        key = request.path_params["key"]
        if (refused := await self._refused(request)) is not None:
            return refused
        worker = self._worker
        flag = next((each for each in worker.flags if each.name == key), None)
        if flag is None:
            return _json(not_found(key), 404)
        try:
            context = read_context(await _body(request))
            found = evaluated(flag, worker.settings(), context, worker.now_ms())
        except RefusedEvaluation as refused_evaluation:
            code, details = refused_evaluation.code, refused_evaluation.details
            return _json(failure(key, code, details), 400)
        worker.read_by_bot((key,))
        return _json(found)

    async def _all(self, request: Request) -> Response:
        if (refused := await self._refused(request)) is not None:
            return refused
        worker = self._worker
        try:
            context = read_context(await _body(request))
        except RefusedEvaluation as refused_evaluation:
            said = {"errorCode": refused_evaluation.code}
            return _json(said | {"errorDetails": refused_evaluation.details}, 400)
        flags = worker.flags
        found = evaluated_all(flags, worker.settings(), context, worker.now_ms())
        worker.read_by_bot(flag.name for flag in flags)
        etag = etag_of(found, context)
        if is_known(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers={**_HEADERS, "ETag": etag})
        version = self._version()
        stream = {
            "type": "sse",
            "endpoint": {"requestUri": f"{EVENTS}?since={version}&ticket={self._ticket()}"},
            "inactivityDelaySec": INACTIVE_S,
        }
        answer = {"flags": found, "metadata": {"version": version}, "eventStreams": [stream]}
        return _json(answer, headers={"ETag": etag})

    def _version(self) -> str:
        return version_of(self._worker.gist)

    async def _refused(self, request: Request) -> Response | None:
        """What is answered to whoever may not ask; None where they may."""
        proof = _proof(request)
        try:
            admitted = await run_in_threadpool(self._admit, proof) if proof else Admitted.UNKNOWN
        except LedgerError as error:
            log.warning("a bot's token can't be looked up: %s", error)
            said = {"errorDetails": "who asks can't be looked up just now"}
            return _json(said, 503, {"Retry-After": "5"})
        if admitted is Admitted.YES:
            return None
        if admitted is Admitted.OTHER_SCOPE:
            return Response(status_code=403, headers=_HEADERS)
        challenge = {"WWW-Authenticate": 'Bearer realm="switchhook flags"'}
        return Response(status_code=401, headers=_HEADERS | challenge)

    # The stream.

    def _ticket(self) -> str:
        """What opens the stream: browsers and the like can send no header to it."""
        until = str(int(self._now_s()) + TICKET_S)
        return f"{until}.{self._signed(until)}"

    def _signed(self, until: str) -> str:
        return hmac.digest(self._key, until.encode(), "sha256").hex()[:32]

    def _opens(self, ticket: str) -> bool:
        until, _, signed = ticket.partition(".")
        known = hmac.compare_digest(signed.encode(), self._signed(until).encode())
        return known and self._now_s() < int(until)

    async def _events(self, request: Request) -> Response:
        ticket = request.query_params.get("ticket", "")
        if not self._opens(ticket) and (refused := await self._refused(request)) is not None:
            return refused
        if len(self._streams) >= MOST_STREAMS:
            return Response(status_code=429, headers=_HEADERS | {"Retry-After": "60"})
        since = request.query_params.get("since", "")
        headers = _HEADERS | {"X-Accel-Buffering": "no"}
        told = self._told(since, until_s=self._now_s() + TICKET_S)
        return StreamingResponse(told, headers=headers, media_type="text/event-stream")

    async def _told(self, since: str, until_s: float) -> AsyncIterator[bytes]:
        """The stream of one bot: what it missed since it asked, then each change."""
        renewed = asyncio.Event()
        self._streams.add(renewed)
        try:
            yield b"retry: 2000\n: switchhook\n\n"
            seen = since or self._version()
            while not self._ended and self._now_s() < until_s:
                version = self._version()
                if version != seen:
                    seen = version
                    yield self._event(version)
                try:
                    await asyncio.wait_for(renewed.wait(), KEEP_ALIVE_S)
                    renewed.clear()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._streams.discard(renewed)

    def _event(self, version: str) -> bytes:
        said = {"type": "refetchEvaluation", "etag": version, "lastModified": int(self._now_s())}
        return b"id: " + version.encode() + b"\ndata: " + encode_json(said) + b"\n\n"


async def _health(_request: Request) -> Response:
    """For whatever stands before it; it says nothing of flags."""
    return _json({"status": "ok"})


async def _body(request: Request) -> bytes:
    """A request's body, up to one byte more than it may have."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            break
    return body[: LARGEST_BODY + 1]


def _proof(request: Request) -> str:
    """The token of a request, by either of the protocol's two headers."""
    said = request.headers.get("authorization", "")
    kind, _, bearer = said.partition(" ")
    if kind.lower() == "bearer":
        return bearer.strip()
    return request.headers.get("x-api-key", "").strip()


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = encode_json(value)
    return Response(body, status, _HEADERS | (headers or {}), "application/json")
